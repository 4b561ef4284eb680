"""Rows that go into a statement as one parameter come out of it as they went in."""

from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa

from scim_bridge.store import prepared, sets
from scim_bridge.store.engine import Store
from scim_bridge.store.prepared import Prepared

COLUMNS = {"number": sa.BigInteger(), "said": sa.Text(), "amount": sa.Integer()}


def _all(dialect: str) -> sa.Select[Any]:
    return sa.select(sets.rows_in(prepared.text("rows"), COLUMNS, dialect=dialect, name="given"))


ALL = Prepared(_all)
SEVEN_IS_IN = Prepared(
    lambda _dialect: sa.select((sa.literal_column("7") == sa.any_(sets.array_of(prepared.text("list")))).label("is_in"))
)

TEXTS = [
    *("", " ", "plain", "O'Brien", 'say "no"', "back\\slash", "\\u0041", "a,b", "[1]", "{x}", '{"a":1}', "$1", "%s"),
    *(":name", "line\nbreak", "tab\t", "\x1f", "Bjørnstad", "日本語", "👩‍🚀", "e\u0301", "null", "NULL", "true", "12"),
]


NUMBERS = [0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)]
GAPS: list[list[Any]] = [[None, "x", 1], [1, None, 1], [1, "x", None], [None, None, None]]


def test_texts_come_back_as_they_are(store: Store) -> None:
    with store.begin("acme") as tx:
        found = ALL.rows(tx, rows=sets.packed([number, text, 2] for number, text in enumerate(TEXTS)))
    assert [row.said for row in found] == TEXTS


def test_numbers_come_back_as_numbers(store: Store) -> None:
    with store.begin("acme") as tx:
        found = ALL.rows(tx, rows=sets.packed([number, "12", 7] for number in NUMBERS))
    assert [(row.number, row.amount) for row in found] == [(number, 7) for number in NUMBERS]
    assert {(type(row.number), type(row.said), type(row.amount)) for row in found} == {(int, str, int)}


def test_nothing_comes_back_as_nothing(store: Store) -> None:
    with store.begin("acme") as tx:
        assert ALL.rows(tx, rows=sets.packed(GAPS)) == [tuple(row) for row in GAPS]


def test_all_rows_come_back_in_their_order(store: Store) -> None:
    with store.begin("acme") as tx:
        for count in (0, 1, 2, 3_000):
            rows = [[number, f"row {number}", None] for number in reversed(range(count))]
            assert ALL.rows(tx, rows=sets.packed(rows)) == [tuple(row) for row in rows]


def test_rows_that_are_alike_come_back_each(store: Store) -> None:
    with store.begin("acme") as tx:
        assert len(ALL.rows(tx, rows=sets.packed([[1, "x", 1]] * 3))) == 3


ARRAYS: list[tuple[list[int], bool]] = [
    *(([], False), ([7], True), ([5, 6, 7], True), ([7, 7], True)),
    *(([5, 6], False), ([-7], False), ([2**40], False), ([70, 17], False)),
]


@pytest.mark.postgres
def test_an_array_holds_what_the_list_holds(postgres_url: str) -> None:
    with closing(Store.open(postgres_url, clock=lambda: 1)) as store, store.begin("acme") as tx:
        found = [(given, SEVEN_IS_IN.row(tx, list=sets.packed(given)).is_in) for given, _ in ARRAYS]
    assert found == ARRAYS
