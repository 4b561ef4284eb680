"""The shape of a filter: the filter without the values that it compares with. Equal shapes share one statement."""

from typing import Any

from scim2_models import InvalidFilterException
from scim2_models.path import Comparison, FilterNode, LogicalExpr, Not, Present, ValuePath

MAX_TERMS = 100
"""More comparisons than this in one filter are refused."""


class Shaped:
    """A filter taken apart: its shape, and its comparisons in the order in which the shape has them."""

    def __init__(self, root: FilterNode) -> None:
        """Take a filter apart.

        Raises:
            InvalidFilterException: the filter has too many terms.
        """
        self.comparisons: list[Comparison] = []
        self.terms = 0
        """How many comparisons and tests of presence there are."""
        self.shape = self._shape(root)

    def _shape(self, node: FilterNode) -> tuple[Any, ...]:
        if isinstance(node, Comparison):
            self._count()
            self.comparisons.append(node)
            # An empty text is contained in every other: it asks another question.
            return str(node.attr_path).lower(), node.op.value, type(node.value), node.value == ""
        if isinstance(node, Present):
            self._count()
            return str(node.attr_path).lower(), "pr"
        if isinstance(node, Not):
            return "not", self._shape(node.expr)
        if isinstance(node, LogicalExpr):
            return node.op.value, tuple(self._shape(term) for term in node.terms)
        if isinstance(node, ValuePath):
            return str(node.attr_path).lower(), self._shape(node.val_filter)
        msg = f"no shape is known of a {type(node).__name__}"
        raise TypeError(msg)

    def _count(self) -> None:
        self.terms += 1
        if self.terms > MAX_TERMS:
            raise InvalidFilterException(detail=f"The filter has more than {MAX_TERMS} terms; ask in several requests")
