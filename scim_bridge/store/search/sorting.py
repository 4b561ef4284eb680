"""The order of a search (RFC 7644 section 3.4.2.3). Without a key it is the order of creation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from scim2_models import Resource, SearchRequest

from scim_bridge.store import prepared, tables
from scim_bridge.store.search import columns
from scim_bridge.store.search.columns import Columns, Expression, Scalar

resource = tables.resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How rows of numbers and sort keys are ordered. Missing values come last, descending first.

    Equals are always in the order of creation.
    """

    is_sorted: bool = False
    is_descending: bool = False
    may_miss: bool = False
    """Some resources may have no value. Where all have one, an index may serve the order."""

    def terms(self, number: Expression, key: Expression | None, *, backwards: bool = False) -> list[Expression]:
        """Return the ORDER BY, the other way round for a page that is read backwards."""
        keys = [] if key is None else [key.is_(None), key] if self.may_miss else [key]
        ordered = [each.desc() if self.is_descending != backwards else each.asc() for each in keys]
        return [*ordered, number.desc() if backwards else number.asc()]

    def beyond(self, key: Expression | None, *, backwards: bool, after_missing: bool) -> Expression:
        """Return the condition that a resource comes after (or before) the one of the position's key and number."""
        number, value = prepared.number("position_number"), sa.bindparam("position_value", type_=_type_of(key))
        next_number = resource.c.id < number if backwards else resource.c.id > number
        if key is None:
            return next_number
        upwards = self.is_descending == backwards
        if after_missing:
            same = sa.and_(key.is_(None), next_number)
            return same if upwards else sa.or_(key.is_not(None), same)
        further = sa.or_(key.is_(None), key > value) if upwards else key < value
        return sa.or_(further, sa.and_(key == value, next_number))


def order_of(
    kinds: Sequence[tuple[str, type[Resource[Any]]]], request: SearchRequest[Any], *, dialect: str
) -> tuple[Order, list[Expression | None]]:
    """Return the order that a search asks for, and what each kind is ordered by (None: nothing but creation)."""
    if request.sort_by is None:
        return Order(), [None] * len(kinds)
    found = [_sort_key(kind, model, request, dialect=dialect) for kind, model in kinds]
    # A type without the attribute has no value of it, of the type that the others' values have.
    like = next((key for key in found if key is not None), Scalar(expression=sa.cast(sa.null(), sa.Text)))
    keys = [key or Scalar(expression=sa.cast(sa.null(), like.expression.type), kind=like.kind) for key in found]
    order = Order(
        is_sorted=True,
        is_descending=request.sort_order == SearchRequest.SortOrder.descending,
        may_miss=any(key.may_miss for key in keys),
    )
    ordered = [
        columns.in_code_point_order(key.expression, dialect) if key.kind == "text" else key.expression for key in keys
    ]
    return order, [*ordered]


def _sort_key(kind: str, model: type[Resource[Any]], request: SearchRequest[Any], *, dialect: str) -> Scalar | None:
    binding = request.sort_binding(model)
    if binding is None:
        return None
    places = Columns(kind, dialect)
    sub = None
    if binding.sub_field_name is not None and binding.target_model is not None:
        sub = columns.name_of(binding.target_model, binding.sub_field_name)
    if not binding.is_multivalued:
        return places.scalar(binding, sub)
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
    return Scalar(expression=first)


def _type_of(key: Expression | None) -> Any:
    is_number = key is not None and isinstance(key.type, sa.Integer)
    return sa.BigInteger() if is_number else sa.Text()
