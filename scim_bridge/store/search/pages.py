"""One page of a search: filter, sort, count, and paging by index or by cursor (RFC 7644 section 3.4.2, RFC 9865).

The page is read first; only where it is full is there more to count. Without a filter that is kept: see `population`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scim2_models import ExpiredCursorException, InvalidCursorException, Resource, SearchRequest

from scim_bridge.store import directory, members, population, trips
from scim_bridge.store.directory import Stored
from scim_bridge.store.engine import Store, Transaction
from scim_bridge.store.members import Membership
from scim_bridge.store.search import shelf
from scim_bridge.store.search.shelf import Kinds
from scim_bridge.store.search.statements import Cut
from scim_bridge.store.trips import Call

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
    if request.count == 0:
        return Page(total=search.count() if position is None else None, resources=[])
    window = _Window.of(request, position, sort_value=search.sort_value)
    return window.page(search.rows(window), search.count)


def find_at_once(
    store: Store,
    tenant: str,
    kind: tuple[str, type[Resource[Any]]],
    request: SearchRequest[Any],
    *,
    position: Any = None,
    with_ends: bool,
    statement_timeout_s: float | None = None,
) -> tuple[Page, Mapping[int, list[Membership]]] | None:
    """Return what `find` does in one message to the database, and who belongs to what of the page's resources.

    None: the search is not of those for which an index leads to each row, or there is more to count; use `find`.

    Raises:
        InvalidFilterException, InvalidCursorException, StatementTimedOut: as `find`.
        StoreUnavailable: the database cannot be read.
    """
    if not request.count or request.sort_by is not None or (request.start_index_0 and request.cursor is None):
        return None
    statements, values = shelf.statements_for("postgresql", [kind], request)
    if not (statements.is_kept and statements.looks_up):
        return None
    window = _Window.of(request, position)
    given = {"tenant": tenant, **values, **window.values}
    page, ends = statements.steps(window.cut)
    calls = [Call(page, given), *([Call(ends, given)] if with_ends else [])]
    is_counted = request.filter is None and position is None
    if is_counted:
        calls.append(Call(population.living_of(kind[0]), {"tenant": tenant}))
    rows, *more = trips.look(store, tenant, calls, statement_timeout_s=statement_timeout_s)
    if len(rows) > window.most and request.filter is not None and position is None:
        return None
    return window.page(rows, lambda: int(more[-1][0].living or 0)), members.by_own_end(more[0] if with_ends else ())


class _Search:
    """One search in one transaction: its statements, and the values that go into them."""

    def __init__(self, tx: Transaction, kinds: Kinds, request: SearchRequest[Any], hidden: Hidden | None) -> None:
        self._tx = tx
        self._kinds = [kind for kind, _ in kinds]
        self._has_filter = request.filter is not None
        self._hidden = hidden
        self._statements, values = shelf.statements_for(tx.dialect, kinds, request, hides=hidden is not None)
        self._values = {"tenant": tx.tenant, **values}
        if hidden is not None:
            self._values["hidden_from"] = hidden.source

    def count(self) -> int:
        if not self._has_filter:
            return population.living(self._tx, self._kinds) - (self._hidden.users if self._hidden is not None else 0)
        return int(self._statements.count.rows(self._tx, **self._values)[0].total)

    def rows(self, window: "_Window") -> list[Any]:
        return self._statements.page(window.cut).rows(self._tx, **self._values, **window.values)

    def sort_value(self, number: int) -> Any:
        found = self._statements.sort_value().rows(self._tx, tenant=self._tx.tenant, position_number=number)
        if not found:
            raise ExpiredCursorException
        return found[0].sort_key


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """Which of the matches a request asks for, and what it is told of the rest."""

    cut: Cut
    values: Mapping[str, Any] = field(repr=False)
    """What the statement is given besides the tenant and the filter's values."""
    most: int
    start: int = 0
    """How many are skipped."""
    by_cursor: bool = False
    is_sorted: bool = False

    @classmethod
    def of(
        cls, request: SearchRequest[Any], position: Any, *, sort_value: Callable[[int], Any] | None = None
    ) -> "_Window":
        """Return the window of a request for more than none. `sort_value` reads the sort key that a long one left out.

        Raises:
            InvalidCursorException, ExpiredCursorException: as `find`.
        """
        most = _EVERYTHING if request.count is None else request.count
        # One more than asked for tells whether there are others to count.
        values: dict[str, Any] = {"most": most + 1}
        is_sorted = request.sort_by is not None
        if request.cursor is None:
            start = min(request.start_index_0 or 0, _EVERYTHING)
            if start:
                values |= {"start": start, "upto": start + most + 1}
            return cls(cut=Cut(skips=start > 0), values=values, most=most, start=start)
        if position is None:
            return cls(cut=Cut(), values=values, most=most, by_cursor=True, is_sorted=is_sorted)
        backwards, beyond = _read_position(position, sort_value if is_sorted else None)
        after_missing = is_sorted and beyond["position_value"] is None
        cut = Cut(beyond=True, backwards=backwards, after_missing=after_missing)
        return cls(cut=cut, values={**values, **beyond}, most=most, by_cursor=True, is_sorted=is_sorted)

    def page(self, rows: list[Any], count: Callable[[], int]) -> Page:
        """Return the page that was read; `count` tells how many match, where that is not plain from the page."""
        if self.by_cursor:
            return self._page_by_cursor(rows, count)
        is_last = len(rows) <= self.most and (rows or self.start == 0)
        return Page(total=self.start + len(rows) if is_last else count(), resources=_stored(rows[: self.most]))

    def _page_by_cursor(self, rows: list[Any], count: Callable[[], int]) -> Page:
        has_more, goes_on, backwards = len(rows) > self.most, self.cut.beyond, self.cut.backwards
        rows = rows[: self.most][::-1] if backwards else rows[: self.most]
        has_next = bool(rows) and (backwards or has_more)
        has_previous = bool(rows) and (has_more if backwards else goes_on)
        return Page(
            total=None if goes_on else count() if has_more else len(rows),
            resources=_stored(rows),
            next=self._position("next", rows[-1]) if has_next else None,
            previous=self._position("previous", rows[0]) if has_previous else None,
        )

    def _position(self, direction: str, row: Any) -> dict[str, Any]:
        if not self.is_sorted:
            return {"d": direction, "i": row.id}
        value = row.sort_key
        if isinstance(value, str) and len(value) > _LONGEST_VALUE:
            # The value is read again when the cursor comes back.
            return {"d": direction, "i": row.id}
        return {"d": direction, "v": value, "i": row.id}


def _read_position(position: Any, sort_value: Callable[[int], Any] | None) -> tuple[bool, Mapping[str, Any]]:
    """Return whether a position leads backwards, and its values. `sort_value`: the search is sorted.

    Raises:
        InvalidCursorException: it was not made here.
        ExpiredCursorException: its resource is gone, and with it the value to go on from.
    """
    direction, number = (position.get("d"), position.get("i")) if isinstance(position, dict) else (None, None)
    if direction not in ("next", "previous") or not isinstance(number, int):
        raise InvalidCursorException
    value = None
    if sort_value is not None:
        value = position["v"] if "v" in position else sort_value(number)
    if not isinstance(value, str | int | None):
        raise InvalidCursorException
    return direction == "previous", {"position_number": number, "position_value": value}


def _stored(rows: Sequence[Any]) -> list[Stored]:
    return [directory.stored_of(row) for row in rows]
