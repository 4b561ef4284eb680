"""The commands for one installation: doctor, runbook, completion; and the list of requests as they came."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from unit.cli.conftest import Run

from scim_bridge.cli import main
from scim_bridge.operators import doctor, places
from scim_bridge.store import inbound, lanes, tokens
from scim_bridge.store.engine import Store
from scim_bridge.store.inbound import Seen
from scim_bridge.wiring import now_ms

SECRET = "hunter2-is-a-secret"
DAY_MS = 86_400_000


@pytest.fixture
def config(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TRAKSTAR_API_KEY", SECRET)
    (tmp_path / "data").mkdir(mode=0o700)
    file = tmp_path / "bridge.toml"
    file.write_text(
        f'data_dir = "data"\n[store]\nurl = "{sqlite_url}"\n'
        f'[queue]\nurl = "redis://:{SECRET}@127.0.0.1:1/0"\n[web]\nbind = "127.0.0.1:1"\n'
        '[[tenants]]\nid = "acme"\n'
        '[[tenants.targets]]\nname = "trakstar"\nkind = "trakstar"\napi_key = "env:TRAKSTAR_API_KEY"\n'
    )
    Path(sqlite_url.removeprefix("sqlite:///")).chmod(0o600)
    return str(file)


@pytest.fixture
def books(sqlite_url: str) -> Iterator[Store]:
    store = Store.open(sqlite_url, clock=now_ms)
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "trakstar")])
    with store.begin("acme") as tx:
        tokens.issue(tx, scopes=("scim",), source="idp")
    yield store
    store.close()


def graded(run: Run, config: str, *more: str) -> dict[str, tuple[str, str]]:
    """Return each check's worst grade, and what was found."""
    result = run("doctor", "--config", config, "--json", *more)
    assert SECRET not in result.output
    told = json.loads(result.stdout)
    assert result.exit_code == (1 if told["grade"] == "wrong" else 0)
    found: dict[str, tuple[str, str]] = {}
    for each in told["checks"]:
        assert (each["advice"] == "") == (each["grade"] == "good")
        found.setdefault(each["check"], (each["grade"], each["what"]))
    return found


@pytest.mark.usefixtures("books")
def test_a_sound_installation_is_good_but_for_what_does_not_run(config: str, run: Run) -> None:
    found = graded(run, config)
    assert {check for check, (grade, _) in found.items() if grade != "good"} == {"queue", "front door"}
    assert found["store"][1].startswith("SQLite at /")


@pytest.mark.usefixtures("books")
def test_people_are_told_line_by_line(config: str, run: Run) -> None:
    result = run("doctor", "--config", config)
    assert result.exit_code == 1
    assert "good     journal: SQLite writes ahead (WAL)" in result.stdout
    assert "WRONG    queue: the queue of queue.url does not answer" in result.stdout
    assert SECRET not in result.output


def test_a_configuration_that_does_not_load_is_wrong(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text(f'data_dri = "{SECRET}"\nlog_level = "loud"\n')
    found = graded(run, str(file))
    assert list(found) == ["configuration"]
    assert found["configuration"][0] == "wrong"


def test_a_file_that_is_not_there_is_wrong(tmp_path: Path, run: Run) -> None:
    assert graded(run, str(tmp_path / "none.toml"))["configuration"][0] == "wrong"


def test_a_role_that_there_is_not_is_a_wrong_use(config: str, run: Run) -> None:
    assert run("doctor", "--config", config, "--role", "king").exit_code == 2


@pytest.mark.usefixtures("books")
def test_a_missing_secret_is_a_warning_in_a_shell(config: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRAKSTAR_API_KEY")
    assert graded(run, config)["secrets of worker"][0] == "warning"


@pytest.mark.usefixtures("books")
def test_a_missing_secret_is_wrong_for_who_needs_it(config: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRAKSTAR_API_KEY")
    found = graded(run, config, "--role", "worker")
    assert found["secrets of worker"][0] == "wrong"
    assert "secrets of web" not in found
    assert graded(run, config, "--role", "web")["secrets of web"][0] == "good"


def test_a_database_that_is_not_there_is_wrong(config: str, run: Run, sqlite_url: str) -> None:
    Path(sqlite_url.removeprefix("sqlite:///")).unlink()
    assert graded(run, config)["store"][0] == "wrong"
    assert not Path(sqlite_url.removeprefix("sqlite:///")).exists()


def test_a_file_that_is_no_database_is_wrong(config: str, run: Run, sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    path.write_bytes(b"no database at all" * 1_000)
    assert graded(run, config)["store"][0] == "wrong"


@pytest.mark.parametrize(("revision", "told"), [("0001", "not migrated"), ("9999", "later version")])
@pytest.mark.usefixtures("books")
def test_another_version_s_schema_is_wrong(config: str, run: Run, sqlite_url: str, revision: str, told: str) -> None:
    execute(sqlite_url, f"UPDATE alembic_version SET version_num = '{revision}'")
    grade, what = graded(run, config)["store"]
    assert grade == "wrong"
    assert told in what


@pytest.mark.usefixtures("books")
def test_another_journal_is_wrong(config: str, run: Run, sqlite_url: str, books: Store) -> None:
    books.close()
    execute(sqlite_url, "PRAGMA journal_mode=DELETE")
    assert graded(run, config)["journal"] == ("wrong", "SQLite's journal mode is delete")


@pytest.mark.usefixtures("books")
def test_a_folder_that_others_can_look_into_is_wrong(config: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").chmod(0o750)
    assert graded(run, config)["data_dir"][0] == "wrong"


@pytest.mark.usefixtures("books")
def test_a_database_that_others_can_read_is_wrong(config: str, run: Run, sqlite_url: str) -> None:
    Path(sqlite_url.removeprefix("sqlite:///")).chmod(0o644)
    assert graded(run, config)["files"][0] == "wrong"


@pytest.mark.usefixtures("books")
def test_a_full_disk_is_told(config: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "LITTLE_FREE_BYTES", 10**30)
    assert graded(run, config)["disk"][0] == "warning"
    monkeypatch.setattr(places, "LEAST_FREE_BYTES", 10**30)
    assert graded(run, config)["disk"][0] == "wrong"


@pytest.mark.parametrize(
    ("values", "grade", "told"),
    [
        ({"quarantined_at": 1, "quarantine_reason": "CredentialRefused (HTTP 401)"}, "wrong", "HTTP 401"),
        ({"paused_at": 1, "pause_reason": "the vendor asked"}, "warning", "the vendor asked"),
        ({"breaker_until": 1, "failures": 5}, "warning", "fail"),
    ],
)
def test_a_lane_that_stands_still_is_told(
    config: str, run: Run, books: Store, values: dict[str, Any], grade: str, told: str
) -> None:
    with books.begin("acme") as tx:
        lane = lanes.by_target(tx, "trakstar")
        assert lane is not None
        lanes.note(tx, lane.id, **values)
    found = graded(run, config)
    assert found["lane acme/trakstar"][0] == grade
    assert told in found["lane acme/trakstar"][1]
    assert "lanes" not in found


def test_a_target_without_a_lane_is_wrong(config: str, run: Run) -> None:
    assert graded(run, config)["lane acme/trakstar"] == ("wrong", "not made yet")


def test_a_tenant_for_whom_nobody_can_send_is_told(config: str, run: Run) -> None:
    assert graded(run, config)["tokens"][0] == "warning"


def test_tokens_that_expire_soon_are_told(config: str, run: Run, books: Store) -> None:
    with books.begin("acme") as tx:
        issued = [tokens.issue(tx, scopes=("scim",), source="i", expires_at=tx.now + DAY_MS) for _ in range(7)]
    result = run("doctor", "--config", config)
    assert sum(each.id in result.stdout for each in issued) == doctor.TOLD_AT_ONCE
    assert "2 more expire soon" in result.stdout
    assert not any(each.value in result.stdout for each in issued)


@pytest.mark.parametrize(
    ("ahead_ms", "grade"), [(0, "good"), (5_000, "warning"), (-5_000, "warning"), (60_000, "wrong")]
)
def test_a_clock_that_is_off_is_told(sqlite_url: str, ahead_ms: int, grade: str) -> None:
    ticks = iter([1_000_000, 1_000_000 + ahead_ms, 1_000_002 + ahead_ms])
    # A transaction on SQLite takes its clock from the first look.
    store = Store.open(sqlite_url, clock=lambda: next(ticks))
    [found] = doctor._clock(store)
    assert found.grade == grade
    store.close()


class Answer(BaseHTTPRequestHandler):
    """Answers whatever is asked with the server's status."""

    def do_GET(self) -> None:
        self.send_response(self.server.status)  # type: ignore[attr-defined] # set by the test
        self.end_headers()

    def log_message(self, *_said: object) -> None:
        pass


@pytest.mark.parametrize(("status", "grade"), [(200, "good"), (503, "wrong")])
def test_the_front_door_is_asked_whether_it_is_ready(status: int, grade: str) -> None:
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        server.status = status  # type: ignore[attr-defined] # for its handler
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert doctor._front_door(f"0.0.0.0:{server.server_port}").grade == grade
        thread.join()


def test_a_runbook_is_printed(run: Run) -> None:
    result = run("runbook", "too_long")
    assert result.exit_code == 0
    assert result.stdout.startswith("# too_long: a value is longer than the target takes\n")


def test_all_runbooks_are_listed(run: Run) -> None:
    result = run("runbook")
    assert "notice-quarantine" in result.stdout
    assert {"code": "too_long", "title": "a value is longer than the target takes"} in json.loads(
        run("runbook", "--json").stdout
    )["runbooks"]


@pytest.mark.parametrize("code", ["ok", "nothing", "../bridge", "notice-", ""])
def test_a_runbook_that_there_is_not_is_refused(run: Run, code: str) -> None:
    result = run("runbook", code)
    assert result.exit_code == 2
    assert "scim-bridge runbook lists all" in result.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_s_script_asks_the_command(run: Run, shell: str) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert f"_SCIM_BRIDGE_COMPLETE={shell}_complete" in result.stdout


def test_a_shell_that_there_is_not_is_a_wrong_use(run: Run) -> None:
    assert run("completion", "cmd").exit_code == 2


@pytest.mark.parametrize(
    ("typed", "told"),
    [("scim-bridge led", "ledger"), ("scim-bridge ledger v", "verify"), ("scim-bridge ledger verify --t", "--tenant")],
)
def test_a_shell_completes_names_of_commands_with_their_options(typed: str, told: str) -> None:
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
    result = CliRunner().invoke(main, prog_name="scim-bridge", env={"_SCIM_BRIDGE_COMPLETE": "bash_complete", **words})
    assert result.stdout.splitlines() == [f"plain,{told}"]


def request(store: Store, status: int, tenant: str | None = "acme") -> None:
    with store.across_tenants("test", write=True) as tx:
        inbound.append(
            tx,
            [
                Seen(
                    at=1_700_000_000_000,
                    method="GET",
                    route="/scim/v2/Users",
                    status=status,
                    took_ms=4,
                    tenant=tenant,
                    token_id=None,
                    source="okta",
                    correlation_id="c1",
                    detail="This token has expired." if status == 401 else "",
                )
            ],
        )


def test_requests_are_listed_with_why_they_were_refused(config: str, run: Run, books: Store) -> None:
    request(books, 200)
    request(books, 401)
    request(books, 401, tenant=None)
    every = run("inbound", "list", "--config", config, "--json")
    assert len(json.loads(every.stdout)["items"]) == 3
    refused = run("inbound", "list", "--config", config, "--tenant", "acme", "--refused")
    assert "status 401" in refused.stdout
    assert "why: This token has expired." in refused.stdout
    assert refused.stdout.endswith("1 request\n")


def test_a_page_of_requests_tells_where_the_next_begins(config: str, run: Run, books: Store) -> None:
    for _ in range(3):
        request(books, 200)
    first = json.loads(run("inbound", "list", "--config", config, "--limit", "2", "--json").stdout)
    rest = run("inbound", "list", "--config", config, "--after", str(first["next"]), "--json")
    assert len(json.loads(rest.stdout)["items"]) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        ("--tenant", "nobody"),
        ("--limit", "0"),
        ("--limit", "501"),
        ("--after", "x"),
        ("--status", "99"),
        ("--refused", "--status", "401"),
    ],
)
@pytest.mark.usefixtures("books")
def test_a_wrong_use_of_the_list_is_refused(config: str, run: Run, wrong: tuple[str, ...]) -> None:
    assert run("inbound", "list", "--config", config, *wrong).exit_code == 2


def execute(sqlite_url: str, statement: str) -> None:
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as connection:
        connection.execute(statement)
    connection.close()
