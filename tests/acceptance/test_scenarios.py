"""`scim-bridge demo --once --scenario NAME`, each with processes of its own. `acceptance/options.py` says which."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scim_bridge.sandbox.stories import scenarios
from scim_bridge.sandbox.stories.scenarios import Scenario

IN_THE_SUITE = ("protected", "seats")
"""Short ones with what others lack: two targets, and a command of an operator. The default story has its own module."""

STARTING_S = 150
"""For the start and the end of all processes on a busy machine; the scenario's own deadline comes on top."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "scenario" in metafunc.fixturenames:
        every = metafunc.config.getoption("every_scenario")
        metafunc.parametrize(
            "scenario",
            [
                pytest.param(each, marks=pytest.mark.timeout(each.deadline_s + STARTING_S + 30), id=name)
                for name, each in scenarios.SCENARIOS.items()
                if every or name in IN_THE_SUITE
            ],
        )


def test_a_scenario_ends_as_it_should(scenario: Scenario, tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "scim_bridge", "demo", "--once", "--json", "--scenario", scenario.name]
    patience_s = scenario.deadline_s + STARTING_S
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    ended = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=patience_s, check=False
    )
    assert ended.stdout, ended.stderr
    told = json.loads(ended.stdout)
    assert told["faults"] == [], ended.stderr
    assert (ended.returncode, told["scenario"], told["ok"]) == (0, scenario.name, True)
    assert all(claim["holds"] for claim in told["shown"])
    assert list(tmp_path.iterdir()) == []
