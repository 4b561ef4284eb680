"""The statements of searches, kept by what the searches look like: to make them costs far more than to run them."""

from collections.abc import Mapping, Sequence
from typing import Any

from scim2_models import Resource, ScimFilter, SearchRequest
from scim2_models.path import Comparison
from scim2_server.utils import parametrize

from scim_bridge.store.search import sorting
from scim_bridge.store.search.filters import FilterToSql
from scim_bridge.store.search.operands import Operands, Unlike
from scim_bridge.store.search.shapes import Shaped
from scim_bridge.store.search.statements import Part, Statements

Kinds = Sequence[tuple[str, type[Resource[Any]]]]
"""Resource types and their models."""

_SIZE = 200
_MOST_TERMS = 20
"""Terms of a filter whose statements are kept. What asks for more is rare, and large: about 10 KiB a term."""

_kept: dict[tuple[Any, ...], Statements] = {}


def statements_for(
    dialect: str, kinds: Kinds, request: SearchRequest[Any], *, hides: bool = False
) -> tuple[Statements, Mapping[str, str | int]]:
    """Return the statements of a search and the values of its filter. `hides`: it leaves out who is hidden.

    Raises:
        InvalidFilterException: the filter compares what cannot be compared, or is too long.
    """
    asked = None if request.filter is None else Shaped(request.filter.ast)
    comparisons = asked.comparisons if asked else []
    ordered_by = None if request.sort_by is None else (str(request.sort_by).lower(), request.sort_order)
    place = (dialect, tuple(kind for kind, _ in kinds), asked and asked.shape, ordered_by, hides)
    found = _kept.get(place)
    if found is not None:
        try:
            return found, _values(found, comparisons)
        except Unlike:
            pass
    made = _made(dialect, kinds, request, comparisons, hides=hides)
    values = _values(made, comparisons)
    if made.is_reusable and found is None and (asked is None or asked.terms <= _MOST_TERMS):
        if len(_kept) >= _SIZE:
            _kept.clear()
        _kept[place] = made
        made.is_kept = True
    return made, values


def _values(statements: Statements, comparisons: Sequence[Comparison]) -> dict[str, str | int]:
    return {each.name: each.read(comparisons[each.comparison].value) for each in statements.operands}


def _made(
    dialect: str, kinds: Kinds, request: SearchRequest[Any], comparisons: Sequence[Comparison], *, hides: bool
) -> Statements:
    operands = Operands(comparisons)
    order, sort_keys = sorting.order_of(kinds, request, dialect=dialect)
    parts = []
    for (kind, model), sort_key in zip(kinds, sort_keys, strict=True):
        term = None
        if request.filter is not None:
            bound = request.filter
            if bound.models != (model,):
                bound = parametrize(ScimFilter, model)(bound.ast)
            term = FilterToSql(kind, bound, operands, dialect=dialect).translate()
        parts.append(Part(kind=kind, term=term, sort_key=sort_key, hides=hides))
    return Statements(parts, order, tuple(operands.found), is_reusable=operands.is_reusable)
