"""One page of a search: filter, sort, count, and paging by index or by cursor (RFC 7644 section 3.4.2, RFC 9865).

The page is read first; only where it is full is there more to count. Without a filter that is kept: see `population`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scim2_models import ExpiredCursorException, InvalidCursorException, SearchRequest

from scim_bridge.store import directory, population
from scim_bridge.store.directory import Stored
from scim_bridge.store.engine import Transaction
from scim_bridge.store.search import shelf
from scim_bridge.store.search.shelf import Kinds
from scim_bridge.store.search.statements import Cut

_EVERYTHING = 2**60
"""More than there can be, and twice of it still a number that the databases take."""
_LONGEST_VALUE = 100
"""Characters of a sort key that go into a cursor: it has to fit in a URL."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """Living users whom a source has deleted, and does not find, because another source still holds them."""

    source: str
    users: int
    """How many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a search found. `total` is None where nobody asked to count; positions are values that JSON can hold."""

    total: int | None
    resources: list[Stored] = field(repr=False)
    next: Any = None
    previous: Any = None


def find(
    tx: Transaction,
    kinds: Kinds,
    request: SearchRequest[Any],
    *,
    position: Any = None,
    hidden: Hidden | None = None,
) -> Page:
    """Return one page of the tenant's living resources of these kinds, without users who are hidden.

    Raises:
        InvalidFilterException: the filter compares what cannot be compared, or is too long.
        InvalidCursorException: the position was not made here.
        ExpiredCursorException: the position is no longer known; the search must begin anew.
        StatementTimedOut: the search took longer than the transaction allows.
    """
    search = _Search(tx, kinds, request, hidden)
    if request.cursor is not None:
        return _page_by_cursor(search, request.count, position)
    return _page_by_index(search, start=min(request.start_index_0 or 0, _EVERYTHING), count=request.count)


class _Search:
    """One search in one transaction: its statements, and the values that go into them."""

    def __init__(self, tx: Transaction, kinds: Kinds, request: SearchRequest[Any], hidden: Hidden | None) -> None:
        self._tx = tx
        self._kinds = [kind for kind, _ in kinds]
        self.has_filter = request.filter is not None
        self.is_sorted = request.sort_by is not None
        self._hidden = hidden
        self._statements, values = shelf.statements_for(tx.dialect, kinds, request, hides=hidden is not None)
        self._values = {"tenant": tx.tenant, **values}
        if hidden is not None:
            self._values["hidden_from"] = hidden.source

    def count(self) -> int:
        if not self.has_filter:
            return population.living(self._tx, self._kinds) - (self._hidden.users if self._hidden is not None else 0)
        return int(self._statements.count.rows(self._tx, **self._values)[0].total)

    def rows(self, cut: Cut, **values: Any) -> list[Any]:
        return self._statements.page(cut).rows(self._tx, **self._values, **values)

    def sort_value(self, number: int) -> Any:
        found = self._statements.sort_value().rows(self._tx, tenant=self._tx.tenant, position_number=number)
        if not found:
            raise ExpiredCursorException
        return found[0].sort_key


def _page_by_index(search: _Search, *, start: int, count: int | None) -> Page:
    most = _EVERYTHING if count is None else count
    # One more than asked for tells whether there are others to count.
    rows = _rows_from(search, start, most + 1) if most else []
    is_last = most > 0 and len(rows) <= most and (rows or start == 0)
    return Page(total=start + len(rows) if is_last else search.count(), resources=_stored(rows[:most]))


def _rows_from(search: _Search, start: int, most: int) -> list[Any]:
    if start == 0:
        return search.rows(Cut(), most=most)
    return search.rows(Cut(skips=True), start=start, most=most, upto=start + most)


def _page_by_cursor(search: _Search, count: int | None, position: Any) -> Page:
    if count == 0:
        return Page(total=search.count() if position is None else None, resources=[])
    most = _EVERYTHING if count is None else count
    backwards = False
    if position is None:
        rows = search.rows(Cut(), most=most + 1)
    else:
        backwards, values = _read_position(search, position)
        after_missing = search.is_sorted and values["position_value"] is None
        cut = Cut(beyond=True, backwards=backwards, after_missing=after_missing)
        rows = search.rows(cut, most=most + 1, **values)
    has_more = len(rows) > most
    rows = rows[:most][::-1] if backwards else rows[:most]
    has_next = bool(rows) and (backwards or has_more)
    has_previous = bool(rows) and (has_more if backwards else position is not None)
    return Page(
        total=None if position is not None else search.count() if has_more else len(rows),
        resources=_stored(rows),
        next=_position("next", rows[-1], search) if has_next else None,
        previous=_position("previous", rows[0], search) if has_previous else None,
    )


def _position(direction: str, row: Any, search: _Search) -> dict[str, Any]:
    if not search.is_sorted:
        return {"d": direction, "i": row.id}
    value = row.sort_key
    if isinstance(value, str) and len(value) > _LONGEST_VALUE:
        # The value is read again when the cursor comes back.
        return {"d": direction, "i": row.id}
    return {"d": direction, "v": value, "i": row.id}


def _read_position(search: _Search, position: Any) -> tuple[bool, Mapping[str, Any]]:
    """Return whether a position leads backwards, and its values.

    Raises:
        InvalidCursorException: it was not made here.
        ExpiredCursorException: its resource is gone, and with it the value to go on from.
    """
    direction, number = (position.get("d"), position.get("i")) if isinstance(position, dict) else (None, None)
    if direction not in ("next", "previous") or not isinstance(number, int):
        raise InvalidCursorException
    value = None
    if search.is_sorted:
        value = position["v"] if "v" in position else search.sort_value(number)
    if not isinstance(value, str | int | None):
        raise InvalidCursorException
    return direction == "previous", {"position_number": number, "position_value": value}


def _stored(rows: Sequence[Any]) -> list[Stored]:
    return [directory.stored_of(row) for row in rows]
