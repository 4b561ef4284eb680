"""The shape of a filter: the filter without the values that it compares with. Equal shapes share one statement."""

from typing import Any

from scim2_models import InvalidFilterException
from scim2_models.path import Comparison, FilterNode, LogicalExpr, Not, Present, ValuePath

MAX_TERMS = 100
"""More comparisons than this in one filter are refused."""

Shape = tuple[Any, ...]


def shape_of(node: FilterNode) -> tuple[Shape, list[Comparison]]:
    """Return the shape of a filter, and its comparisons in the order in which the shape has them.

    Raises:
        InvalidFilterException: the filter has too many terms.
    """
    comparisons: list[Comparison] = []
    terms = _Terms()
    return _shape(node, comparisons, terms), comparisons


class _Terms:
    """Counts what a filter asks."""

    def __init__(self) -> None:
        self._count = 0

    def add(self) -> None:
        self._count += 1
        if self._count > MAX_TERMS:
            raise InvalidFilterException(detail=f"The filter has more than {MAX_TERMS} terms; ask in several requests")


def _shape(node: FilterNode, comparisons: list[Comparison], terms: _Terms) -> Shape:
    if isinstance(node, Comparison):
        terms.add()
        comparisons.append(node)
        # An empty text is contained in every other: it asks another question.
        return str(node.attr_path).lower(), node.op.value, type(node.value), node.value == ""
    if isinstance(node, Present):
        terms.add()
        return str(node.attr_path).lower(), "pr"
    if isinstance(node, Not):
        return "not", _shape(node.expr, comparisons, terms)
    if isinstance(node, LogicalExpr):
        return node.op.value, tuple(_shape(term, comparisons, terms) for term in node.terms)
    if isinstance(node, ValuePath):
        return str(node.attr_path).lower(), _shape(node.val_filter, comparisons, terms)
    msg = f"no shape is known of a {type(node).__name__}"
    raise TypeError(msg)
