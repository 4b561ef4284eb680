"""The commands about drift, over a store with one comparison in it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.cli.conftest import Run

from scim_bridge.store import errands, lanes
from scim_bridge.store.engine import Store
from scim_bridge.wiring import now_ms

ON = ("--tenant", "acme", "--target", "trakstar")


@pytest.fixture
def config(sqlite_url: str, tmp_path: Path) -> str:
    file = tmp_path / "bridge.toml"
    file.write_text(
        f'data_dir = "data"\n[store]\nurl = "{sqlite_url}"\n[queue]\nurl = "redis://127.0.0.1:1/0"\n'
        '[[tenants]]\nid = "acme"\n'
        '[[tenants.targets]]\nname = "trakstar"\nkind = "trakstar"\napi_key = "env:TRAKSTAR_API_KEY"\n'
    )
    return str(file)


@pytest.fixture
def compared(sqlite_url: str) -> Iterator[int]:
    """Two accounts are there that nobody knows; gives the errand's number."""
    store = Store.open(sqlite_url, clock=now_ms)
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "trakstar")])
    with store.begin("acme") as tx:
        held = errands.note(tx, target="trakstar", kind="reconcile", who="ann@host", asked={}, at=tx.now)
        lines = [{"kind": "extra", "resource_id": None, "account_id": name, "detail": []} for name in ("7", "8")]
        errands.add_rows(tx, held, lines, first=1)
        errands.end(tx, held, status="done", answer={"equal": 0, "extra": 2})
    yield held.id
    store.close()


def test_errands_are_listed(config: str, run: Run, compared: int) -> None:
    result = run("drift", "list", "--config", config, "--tenant", "acme")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"errand {compared}  target trakstar  kind reconcile  status done  ")
    assert result.stdout.endswith("  found: extra 2\n")
    page = json.loads(run("drift", "list", "--config", config, "--tenant", "acme", "--json").stdout)
    assert ([each["errand"] for each in page["items"]], page["next"]) == ([compared], None)
    assert run("drift", "list", "--config", config, "--tenant", "acme", "--kind", "probe").stdout == ""


def test_an_errand_is_shown(config: str, run: Run, compared: int) -> None:
    result = run("drift", "show", str(compared), "--config", config, "--tenant", "acme")
    assert "status: done\n" in result.stdout
    assert result.stdout.endswith("  equal: 0\n  extra: 2\n")


def test_rows_are_shown_in_pages(config: str, run: Run, compared: int) -> None:
    asked = ("drift", "rows", str(compared), "--config", config, "--tenant", "acme", "--limit", "1")
    assert run(*asked).stdout == "row 1  drift extra  user -  account 7\n... and more: --after 1\n"
    assert run(*asked, "--after", "1").stdout == "row 2  drift extra  user -  account 8\n"
    assert run(*asked, "--kind", "missing").stdout == ""


def test_rows_are_exported(config: str, run: Run, compared: int) -> None:
    result = run("drift", "export", str(compared), "--config", config, "--tenant", "acme")
    assert result.stdout.splitlines() == ["drift,user,id,account,parts", "extra,,,7,", "extra,,,8,"]


@pytest.mark.usefixtures("compared")
@pytest.mark.parametrize("command", ["show", "rows", "export"])
def test_an_errand_that_there_is_not_is_named(config: str, run: Run, command: str) -> None:
    result = run("drift", command, "999", "--config", config, "--tenant", "acme")
    assert (result.exit_code, "no errand 999" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("switches", "sentence"),
    [
        (("--extra",), "goes with --repair"),
        (("--max-calls", "0"), "from 1"),
        (("--max-calls", "many"), "not a valid integer"),
    ],
)
def test_what_cannot_be_asked_is_refused(config: str, run: Run, switches: tuple[str, ...], sentence: str) -> None:
    result = run("reconcile", "--config", config, *ON, *switches)
    assert (result.exit_code, sentence in result.stderr) == (2, True)


def test_extra_accounts_may_be_named_with_repair(config: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    monkeypatch.setattr(os, "execvpe", lambda *arguments: started.append(arguments))
    monkeypatch.setenv("TRAKSTAR_API_KEY", "s3cret")
    run("reconcile", "--config", config, *ON, "--repair", "--extra")
    [(_, command, _)] = started
    assert "--repair" in command
    assert "--extra" not in command


def test_a_probe_hands_over_to_the_delivering_side(config: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    monkeypatch.setattr(os, "execvpe", lambda *arguments: started.append(arguments))
    monkeypatch.setenv("TRAKSTAR_API_KEY", "s3cret")
    run("target", "probe", "--config", config, *ON, "--json")
    [(_, command, _)] = started
    assert command[3:-1] == ["workers", "probe", *ON, "--json", "--who"]


def test_a_probe_of_a_target_that_there_is_not_names_those_there_are(
    config: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAKSTAR_API_KEY", "s3cret")
    result = run("target", "probe", "--config", config, "--tenant", "acme", "--target", "nope")
    assert (result.exit_code, "there: trakstar" in result.stderr) == (2, True)
