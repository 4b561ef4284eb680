"""`scim-bridge demo --once --scenario NAME`, each with processes of its own. `acceptance/options.py` says which."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scim_bridge.sandbox.stories import scenarios

IN_THE_SUITE = ("protected", "seats")
"""Short ones with what others lack: two targets, and a command of an operator. The default story has its own module."""

PATIENCE_S = 220


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "scenario" in metafunc.fixturenames:
        every = metafunc.config.getoption("every_scenario")
        metafunc.parametrize("scenario", sorted(scenarios.SCENARIOS) if every else IN_THE_SUITE)


def test_a_scenario_ends_as_it_should(scenario: str, tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "scim_bridge", "demo", "--once", "--json", "--scenario", scenario]
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    ended = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert ended.stdout, ended.stderr
    told = json.loads(ended.stdout)
    assert told["faults"] == [], ended.stderr
    assert (ended.returncode, told["scenario"], told["ok"]) == (0, scenario, True)
    assert all(claim["holds"] for claim in told["shown"])
    assert list(tmp_path.iterdir()) == []
