"""One page of a search: filter, sort, count, and paging by index or by cursor (RFC 7644 section 3.4.2, RFC 9865)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from scim2_models import InvalidCursorException, Resource, ScimFilter, SearchRequest
from scim2_server.utils import parametrize

from scim_bridge.store import directory, tables
from scim_bridge.store.directory import Stored
from scim_bridge.store.engine import Transaction
from scim_bridge.store.search import columns
from scim_bridge.store.search.columns import Columns, Expression
from scim_bridge.store.search.filters import FilterToSql

resource = tables.resource

Kinds = Sequence[tuple[str, type[Resource[Any]]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a search found. `total` is None where nobody asked to count; positions are values that JSON can hold."""

    total: int | None
    resources: list[Stored] = field(repr=False)
    next: Any = None
    previous: Any = None


def find(tx: Transaction, kinds: Kinds, request: SearchRequest[Any], *, position: Any = None) -> Page:
    """Return one page of the tenant's living resources of these kinds.

    Raises:
        InvalidFilterException: the filter compares what cannot be compared, or is too long.
        InvalidCursorException: the position was not made here.
        StatementTimedOut: the search took longer than the transaction allows.
    """
    condition = sa.and_(
        resource.c.tenant == tx.tenant,
        resource.c.kind.in_([kind for kind, _ in kinds]) if len(kinds) > 1 else resource.c.kind == kinds[0][0],
        resource.c.deleted_at.is_(None),
        _matching(tx, kinds, request.filter),
    )
    sort = _Sort.of(tx, kinds, request)
    if request.cursor is not None:
        return _page_by_cursor(tx, condition, sort, request.count, position)
    return _page_by_index(tx, condition, sort, start=request.start_index_0 or 0, count=request.count)


def _matching(tx: Transaction, kinds: Kinds, scim_filter: ScimFilter[Any] | None) -> Expression:
    if scim_filter is None:
        return sa.true()
    parts = []
    for kind, model in kinds:
        bound = scim_filter if scim_filter.models == (model,) else parametrize(ScimFilter, model)(scim_filter.ast)
        translation = FilterToSql(bound, Columns(kind, tx.dialect), tenant=tx.tenant, dialect=tx.dialect)
        matches = translation.visit(bound.ast)
        parts.append(matches if len(kinds) == 1 else sa.and_(resource.c.kind == kind, matches))
    return sa.or_(*parts)


@dataclass(frozen=True, slots=True)
class _Sort:
    """The order of a search. Without a key, the order of creation. Missing values come last, descending first."""

    key: Expression | None
    is_descending: bool

    @classmethod
    def of(cls, tx: Transaction, kinds: Kinds, request: SearchRequest[Any]) -> "_Sort":
        if request.sort_by is None:
            return cls(None, is_descending=False)
        keys = [(kind, _sort_key(tx, kind, model, request)) for kind, model in kinds]
        key = keys[0][1]
        if len(keys) > 1:
            key = sa.case(*((resource.c.kind == kind, each) for kind, each in keys))
        return cls(key, is_descending=request.sort_order == SearchRequest.SortOrder.descending)

    def order(self, *, reverse: bool = False) -> list[Expression]:
        """Return the ORDER BY, the other way round for a page that is read backwards."""
        descending = self.is_descending != reverse
        terms = [resource.c.id] if self.key is None else [self.key.is_(None), self.key, resource.c.id]
        return [term.desc() if descending else term.asc() for term in terms]

    def beyond(self, value: Any, number: int, *, backwards: bool) -> Expression:
        """Return the condition that a resource comes after (or before) the one with this key and number."""
        upwards = self.is_descending == backwards
        next_number = resource.c.id > number if upwards else resource.c.id < number
        if self.key is None:
            return next_number
        if value is None:
            same = sa.and_(self.key.is_(None), next_number)
            return same if upwards else sa.or_(self.key.is_not(None), same)
        further = sa.or_(self.key.is_(None), self.key > value) if upwards else self.key < value
        return sa.or_(further, sa.and_(self.key == value, next_number))


def _sort_key(tx: Transaction, kind: str, model: type[Resource[Any]], request: SearchRequest[Any]) -> Expression:
    binding = request.sort_binding(model)
    if binding is None:
        return sa.cast(sa.null(), sa.Text)
    places = Columns(kind, tx.dialect)
    sub = None
    if binding.sub_field_name is not None and binding.target_model is not None:
        sub = columns.name_of(binding.target_model, binding.sub_field_name)
    if binding.is_multivalued:
        elements = places.elements(binding)
        first = (
            sa.select(elements.sub(sub or "value").expression)
            .select_from(elements.rows)
            .where(elements.condition)
            .order_by(*elements.order)
            .limit(1)
            .correlate(resource)
            .scalar_subquery()
        )
        return columns.in_code_point_order(first, tx.dialect)
    place = places.scalar(binding, sub)
    return place.expression if place.kind == "instant" else columns.in_code_point_order(place.expression, tx.dialect)


def _page_by_index(tx: Transaction, condition: Expression, sort: _Sort, *, start: int, count: int | None) -> Page:
    total = _count(tx, condition)
    if count == 0 or start >= total:
        return Page(total=total, resources=[])
    query = sa.select(*directory.COLUMNS).order_by(*sort.order())
    if sort.key is None and start:
        # Skipping rows in the index alone is many times cheaper than skipping the rows themselves.
        numbers = sa.select(resource.c.id).where(condition).order_by(resource.c.id).limit(count).offset(start)
        query = query.where(resource.c.id.in_(numbers))
    else:
        query = query.where(condition).limit(count).offset(start)
    return Page(total=total, resources=_read(tx, query))


def _page_by_cursor(tx: Transaction, condition: Expression, sort: _Sort, count: int | None, position: Any) -> Page:
    total = _count(tx, condition) if position is None else None
    if count == 0:
        return Page(total=total, resources=[])
    backwards = False
    query = sa.select(*directory.COLUMNS, *([] if sort.key is None else [sort.key.label("sort_key")])).where(condition)
    if position is not None:
        backwards, value, number = _read_position(position)
        query = query.where(sort.beyond(value, number, backwards=backwards))
    query = query.order_by(*sort.order(reverse=backwards))
    rows = tx.connection.execute(query if count is None else query.limit(count + 1)).all()
    has_more = count is not None and len(rows) > count
    rows = rows[:count]
    if backwards:
        rows = rows[::-1]
    if not rows:
        return Page(total=total, resources=[])
    has_next = backwards or has_more
    has_previous = has_more if backwards else position is not None
    return Page(
        total=total,
        resources=[directory.stored_of(row) for row in rows],
        next=_position("next", rows[-1], sort) if has_next else None,
        previous=_position("previous", rows[0], sort) if has_previous else None,
    )


def _position(direction: str, row: Any, sort: _Sort) -> dict[str, Any]:
    return {"d": direction, "v": None if sort.key is None else row.sort_key, "i": row.id}


def _read_position(position: Any) -> tuple[bool, Any, int]:
    try:
        direction, value, number = position["d"], position["v"], position["i"]
    except (TypeError, KeyError):
        raise InvalidCursorException from None
    if direction not in ("next", "previous") or not isinstance(number, int) or not isinstance(value, str | int | None):
        raise InvalidCursorException
    return direction == "previous", value, number


def _count(tx: Transaction, condition: Expression) -> int:
    return int(tx.connection.execute(sa.select(sa.func.count()).select_from(resource).where(condition)).scalar_one())


def _read(tx: Transaction, query: Any) -> list[Stored]:
    return [directory.stored_of(row) for row in tx.connection.execute(query).all()]
