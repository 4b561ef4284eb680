"""The bench of the inbox as it is called, with few operations: it asks everything, and clears up."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from scim_bridge.cli import main
from scim_bridge.sandbox.benches import inbox


@pytest.mark.parametrize("store", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_every_question_is_asked_of_books_with_some_dead(
    tmp_path: Path, store: str, request: pytest.FixtureRequest
) -> None:
    size = ("--operations", "1000", "--dead", "50", "--requests", "1", "--json", "--seed", "11")
    where = ["--store", store, "--dir", str(tmp_path)]
    if store == "postgresql":
        where += ["--postgres-url", str(request.getfixturevalue("postgres_server"))]
    done = CliRunner().invoke(main, ["bench", "inbox", *size, *where])
    assert done.exit_code in (0, 1), done.output
    report = json.loads(done.stdout)
    [desk] = report["desks"]
    assert (desk["store"], report["seed"]) == (store, 11)
    assert 950 <= desk["operations"] <= 1_050
    assert 40 <= desk["dead"] <= 60
    assert all(0 < line["p50_ms"] <= line["p95_ms"] for line in desk["questions"].values())
    assert list(tmp_path.iterdir()) == []


def test_a_slow_question_is_a_missed_bar() -> None:
    order = inbox.Order(stores=("sqlite",), operations=1, dead=1, requests=1, seed=1)
    lines = {"groups": inbox.Line(p50_ms=1, p95_ms=299.9), "first page": inbox.Line(p50_ms=1, p95_ms=300)}
    report = inbox.Report(order=order, desks=[inbox.Desk(store="sqlite", operations=1, dead=1, lines=lines)])
    assert report.missed == ["sqlite, first page: p95 300 ms, the bar is 300 ms"]
