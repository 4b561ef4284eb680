"""`scim-bridge demo` as a newcomer runs it: in an empty folder, with nothing configured, by its own processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

DEMO = [sys.executable, "-P", "-m", "scim_bridge", "demo", "--once"]
STARTING_S = 60.0


@dataclass(frozen=True)
class Told:
    code: int
    took_s: float
    summary: dict[str, Any]
    log: str
    here: Path
    temporary: Path


def surroundings(folder: Path) -> tuple[Path, Path, dict[str, str]]:
    """An empty current folder, a folder for temporary files, and an environment with a bridge's settings in it."""
    here, temporary = folder / "here", folder / "tmp"
    here.mkdir()
    temporary.mkdir()
    environ = {
        **os.environ,
        "TMPDIR": str(temporary),
        "SCIM_BRIDGE_CONFIG": "/nowhere/bridge.toml",
        "SCIM_BRIDGE__STORE__URL": "postgresql+psycopg://nobody@localhost:1/none",
    }
    return here, temporary, environ


def living_in(folder: Path) -> list[str]:
    """The commands of all processes that were started with this folder for temporary files."""
    mark = f"TMPDIR={folder}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    here, temporary, environ = surroundings(tmp_path_factory.mktemp("demo"))
    began = time.monotonic()
    ended = subprocess.run(
        [*DEMO, "--json"], cwd=here, env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    took_s = time.monotonic() - began
    assert ended.stdout.count("\n") == 1, ended.stderr
    return Told(ended.returncode, took_s, json.loads(ended.stdout), ended.stderr, here, temporary)


def test_the_demo_ends_well_within_ninety_seconds(told: Told) -> None:
    assert told.summary["faults"] == []
    assert (told.code, told.summary["ok"]) == (0, True)
    assert told.took_s < 90


def test_at_least_five_hundred_people_of_two_senders_are_played(told: Told) -> None:
    assert told.summary["people"] >= 500
    assert set(told.summary["pushed"]["by_source"]) == {"okta", "entra"}


def test_no_call_was_refused_by_a_limit(told: Told) -> None:
    assert [target["answered_429"] for target in told.summary["targets"].values()] == [0, 0]
    assert told.summary["targets"]["trakstar"]["most_calls_in_a_window"] <= 10


def test_at_most_sixty_trakstar_calls_are_about_one_person(told: Told) -> None:
    [singles] = [claim["figures"] for claim in told.summary["shown"] if claim["figures"]]
    assert sum(singles.values()) <= 60
    assert all(singles[what] > 0 for what in ("updates", "archives", "joins", "leaves"))


def test_ten_people_who_were_there_already_are_adopted_in_each_target(told: Told) -> None:
    assert [target["conflicts_resolved"] for target in told.summary["targets"].values()] == [10, 10]


def test_three_people_are_named_as_refused_each_with_reason_and_advice(told: Told) -> None:
    failed = told.summary["failed"]
    assert len({failure["user_name"] for failure in failed}) == 3
    assert all(failure[part] for failure in failed for part in ("code", "said", "advice"))


def test_the_calls_are_near_the_fewest_possible(told: Told) -> None:
    trakstar = told.summary["targets"]["trakstar"]
    assert trakstar["fewest_calls"] <= trakstar["calls"] <= trakstar["fewest_calls"] * 1.6


def test_the_books_balance(told: Told) -> None:
    ledger = told.summary["ledger"]
    assert ledger["balanced"]
    assert ledger["operations"]["waiting"] == ledger["operations"]["sending"] == 0
    assert ledger["operations"]["dead"] == 3


def test_nothing_is_left_behind(told: Told) -> None:
    assert list(told.here.iterdir()) == []
    assert list(told.temporary.iterdir()) == []
    if sys.platform == "linux":
        assert living_in(told.temporary) == []


@pytest.fixture
def interrupted(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    here, temporary, environ = surroundings(tmp_path)
    process = subprocess.Popen(DEMO, cwd=here, env=environ, stdout=subprocess.PIPE, text=True)
    yield process, temporary
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def once_everything_runs(process: "subprocess.Popen[str]", _temporary: Path) -> None:
    assert process.stdout is not None
    next(line for line in process.stdout if "first load from" in line)  # not the title, which comes before all


def while_everything_starts(process: "subprocess.Popen[str]", temporary: Path) -> None:
    deadline = time.monotonic() + STARTING_S
    while not list(temporary.glob("*/var/bridge.db")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("number", "until"), [(signal.SIGTERM, once_everything_runs), (signal.SIGINT, while_everything_starts)]
)
def test_an_interrupted_demo_stops_all_that_it_started(
    interrupted: tuple[subprocess.Popen[str], Path],
    number: signal.Signals,
    until: Callable[["subprocess.Popen[str]", Path], None],
) -> None:
    process, temporary = interrupted
    until(process, temporary)
    process.send_signal(number)
    assert process.wait(60) == 130
    assert list(temporary.iterdir()) == []
    if sys.platform == "linux":
        assert living_in(temporary) == []


def test_an_unknown_scenario_is_refused_with_those_that_exist(tmp_path: Path) -> None:
    ended = subprocess.run(
        [*DEMO, "--scenario", "opera"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert "opera" in ended.stderr
    assert "default" in ended.stderr
