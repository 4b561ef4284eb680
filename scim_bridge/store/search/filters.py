"""SCIM filters as SQL conditions that hold exactly where `ScimFilter.match` does (RFC 7644 section 3.4.2.2).

Every condition is true or false, never NULL, so that NOT means what the filter says. Values are always bound.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from scim2_models import AttributeBinding, InvalidFilterException, ScimFilter
from scim2_models.path import (
    AttrPath,
    CompareOperator,
    Comparison,
    FilterVisitor,
    LogicalExpr,
    LogicalOperator,
    Not,
    Present,
    ValuePath,
)

from scim_bridge.store.search import columns, folding, keys, operands, outlines
from scim_bridge.store.search.columns import Columns, Elements, Expression, Scalar
from scim_bridge.store.search.keys import Term
from scim_bridge.store.search.operands import Operands

_ORDER: dict[CompareOperator, Callable[[Any, Any], Expression]] = {
    CompareOperator.gt: lambda left, right: left > right,
    CompareOperator.ge: lambda left, right: left >= right,
    CompareOperator.lt: lambda left, right: left < right,
    CompareOperator.le: lambda left, right: left <= right,
}


class FilterToSql(FilterVisitor[Term]):
    """Translates one filter for one resource type. An attribute that the type lacks matches nothing."""

    def __init__(self, kind: str, scim_filter: ScimFilter[Any], given: Operands, *, dialect: str) -> None:
        """Bind the translation to a filter that is bound to the resource type's model."""
        self._kind = kind
        self._filter = scim_filter
        self._places = Columns(kind, dialect)
        self._given = given
        self._dialect = dialect

    def translate(self) -> Term:
        """Return what the filter asks.

        Raises:
            InvalidFilterException: the filter compares what cannot be compared.
        """
        return self.visit(self._filter.ast)

    def visit_logical_expr(self, node: LogicalExpr) -> Term:
        """Join terms."""
        terms = [self.visit(term) for term in node.terms]
        return keys.all_of(terms) if node.op == LogicalOperator.and_ else keys.any_of(terms)

    def visit_not(self, node: Not) -> Term:
        """Negate a term, which is never NULL."""
        return Term(sa.not_(self.visit(node.expr).holds))

    def visit_present(self, node: Present) -> Term:
        """Translate `pr`: a value that is neither absent nor empty."""
        binding = self._filter.resolve(node.attr_path, strict=False)
        if binding is None:
            return keys.NEVER
        sub = _sub_name(binding)
        if binding.is_multivalued:
            elements = self._places.elements(binding)
            names = [sub] if sub else columns.sub_names(binding)
            return Term(elements.any_where(sa.or_(*(self.is_present(elements.sub(name)) for name in names))))
        if sub is None and columns.is_complex(binding):
            parts = [self._places.scalar(binding, name) for name in columns.sub_names(binding)]
            return Term(sa.or_(*(self.is_present(part) for part in parts)))
        return Term(self.is_present(self._places.scalar(binding, sub)))

    def visit_comparison(self, node: Comparison) -> Term:
        """Translate a comparison; of a multi-valued attribute, with any of its values (`ne`: with all)."""
        binding = self._filter.resolve_comparison(node.attr_path, strict=False)
        if binding is None:
            return keys.NEVER
        sub = _sub_name(binding)
        if sub is None and columns.is_complex(binding):
            raise InvalidFilterException(
                detail=f"{str(node.attr_path)!r} is complex; compare one of its sub-attributes, such as "
                f"{node.attr_path}.{columns.sub_names(binding)[0]}"
            )
        if binding.is_multivalued:
            return self._of_many(node, binding, sub or "value")
        path = outlines.key_of(binding) if sub is None else f"{outlines.key_of(binding)}.{sub}"
        place = self._places.scalar(binding, sub)
        if place.indexed_as is not None and _is_equal_to_text(node):
            operand = self._given.text(node, binding)
            key = keys.by_column(self._kind, place.indexed_as, operand)
            return Term(sa.and_(place.expression.is_not(None), place.expression == operand), key)
        return self.indexed(node, binding, path) or Term(self.compare(place, binding, node))

    def visit_value_path(self, node: ValuePath) -> Term:
        """Translate `emails[...]`: one element satisfies the whole inner filter."""
        binding = self._filter.resolve(node.attr_path, strict=False)
        if binding is None:
            return keys.NEVER
        elements = self._places.elements(binding)
        inner = _WithinElement(self, node.attr_path, elements, is_complex=columns.is_complex(binding))
        holds = elements.any_where(inner.visit(node.val_filter))
        if not inner.required:
            return Term(holds)
        if isinstance(node.val_filter, Comparison):
            return inner.required[0]
        # Some element has the value, and then the whole filter is asked of each element.
        return keys.all_of([*inner.required, Term(holds)])

    def indexed(self, node: Comparison, binding: AttributeBinding, path: str) -> Term | None:
        """Return what a comparison asks if its values have rows of their own to be found by, else None."""
        if not _is_equal_to_text(node):
            return None
        if path in folding.LOOKUP_PATHS:
            key = keys.by_lookup(path, self._given.text(node, binding))
            return Term(columns.resource.c.id.in_(key.numbers), key)
        if (self._kind, path) in keys.MEMBERSHIP_PATHS:
            key, holds = keys.by_membership(self._kind, self._given.text(node, binding))
            return Term(holds, key)
        return None

    def compare(self, place: Scalar, binding: AttributeBinding, node: Comparison) -> Expression:
        """Return the condition that the value at a place compares as a comparison says."""
        value, op = place.expression, node.op
        if node.value is None:
            return {CompareOperator.eq: value.is_(None), CompareOperator.ne: value.is_not(None)}.get(op, sa.false())
        if place.kind == "instant":
            return self._compare_instants(value, binding, node)
        if place.kind == "flag":
            return self._compare_flags(value, binding, node)
        if operands.is_text_operator(op):
            return self._compare_parts(value, binding, node) if isinstance(node.value, str) else sa.false()
        operand = self._given.text(node, binding)
        if op == CompareOperator.eq:
            return sa.and_(value.is_not(None), value == operand)
        if op == CompareOperator.ne:
            return sa.or_(value.is_(None), value != operand)
        ordered = columns.in_code_point_order(value, self._dialect)
        return sa.and_(value.is_not(None), _ORDER[op](ordered, operand))

    def is_present(self, place: Scalar) -> Expression:
        """Return the condition that there is something at a place."""
        if place.kind != "text":
            return place.expression.is_not(None)
        return sa.and_(place.expression.is_not(None), place.expression != "")

    def bind_head(self, path: AttrPath) -> AttributeBinding:
        """Bind a path that is known to be an attribute of the type."""
        binding = self._filter.resolve(path)
        if binding is None:
            raise InvalidFilterException(detail=f"{str(path)!r} is no attribute of the resource type")
        return binding

    def bind_within(self, outer: AttrPath, inner: AttrPath) -> AttributeBinding | None:
        """Bind a name inside a value filter to the sub-attribute of the attribute around it."""
        if inner.uri is not None or inner.sub_attr is not None:
            return None
        path = AttrPath(attr=outer.attr, sub_attr=inner.attr, uri=outer.uri)
        return self._filter.resolve(path, strict=False)

    def _of_many(self, node: Comparison, binding: AttributeBinding, sub: str) -> Term:
        found = self.indexed(node, binding, f"{outlines.key_of(binding)}.{sub}")
        if found is not None:
            return found
        elements = self._places.elements(binding)
        matches = self.compare(elements.sub(sub), binding, node)
        if node.op == CompareOperator.ne:
            # Universal: no value equals the operand. An absent attribute compares as null.
            all_differ = sa.not_(elements.any_where(sa.not_(matches)))
            return Term(sa.and_(all_differ, sa.not_(elements.is_absent)) if node.value is None else all_differ)
        holds = elements.any_where(matches)
        if node.op == CompareOperator.eq and node.value is None:
            holds = sa.or_(holds, elements.is_absent)
        return Term(holds)

    def _compare_parts(self, value: Expression, binding: AttributeBinding, node: Comparison) -> Expression:
        if not node.value:
            return value.is_not(None)
        operand = self._given.text(node, binding)
        length = sa.func.length(operand)
        if node.op == CompareOperator.sw:
            found = sa.func.substr(value, 1, length) == operand
        elif node.op == CompareOperator.ew:
            end = sa.func.substr(value, -length) if self._dialect == "sqlite" else sa.func.right(value, length)
            found = end == operand
        else:
            place_of = sa.func.instr if self._dialect == "sqlite" else sa.func.strpos
            found = place_of(value, operand) > 0
        return sa.and_(value.is_not(None), found)

    def _compare_flags(self, value: Expression, binding: AttributeBinding, node: Comparison) -> Expression:
        operand = self._given.flag(node, binding)
        return value == operand if node.op == CompareOperator.eq else value != operand

    def _compare_instants(self, value: Expression, binding: AttributeBinding, node: Comparison) -> Expression:
        expected = operands.coerced(binding, node.value, node.op)
        if not isinstance(expected, datetime) or operands.is_text_operator(node.op):
            return sa.false()
        if expected.tzinfo is None:
            # A moment without a zone equals none, and is neither before nor after. Others of the shape may have one.
            self._given.is_reusable = False
            return sa.true() if node.op == CompareOperator.ne else sa.false()
        micros, operand = value * 1000, self._given.instant(node, binding)
        if node.op == CompareOperator.eq:
            return micros == operand
        return micros != operand if node.op == CompareOperator.ne else _ORDER[node.op](micros, operand)


class _WithinElement(FilterVisitor[Expression]):
    """Translates the filter of a value path: its names are sub-attributes of one element."""

    def __init__(self, outer: FilterToSql, attr_path: AttrPath, elements: Elements, *, is_complex: bool) -> None:
        self._outer = outer
        self._attr_path = attr_path
        self._elements = elements
        self._is_complex = is_complex
        self._is_required = True
        self.required: list[Term] = []
        """Terms with a key that any element must satisfy for the whole to hold."""

    def visit_logical_expr(self, node: LogicalExpr) -> Expression:
        before = self._is_required
        self._is_required = before and node.op == LogicalOperator.and_
        terms = [self.visit(term) for term in node.terms]
        self._is_required = before
        return sa.and_(*terms) if node.op == LogicalOperator.and_ else sa.or_(*terms)

    def visit_not(self, node: Not) -> Expression:
        before, self._is_required = self._is_required, False
        condition = sa.not_(self.visit(node.expr))
        self._is_required = before
        return condition

    def visit_present(self, node: Present) -> Expression:
        found = self._bind(node.attr_path)
        return sa.false() if found is None else self._outer.is_present(found[0])

    def visit_comparison(self, node: Comparison) -> Expression:
        found = self._bind(node.attr_path)
        if found is None:
            return sa.false()
        place, binding, path = found
        indexed = self._outer.indexed(node, binding, path) if self._is_required else None
        if indexed is not None:
            self.required.append(indexed)
        return self._outer.compare(place, binding, node)

    def visit_value_path(self, node: ValuePath) -> Expression:  # noqa: ARG002 - the port's signature
        return sa.false()

    def _bind(self, path: AttrPath) -> tuple[Scalar, AttributeBinding, str] | None:
        if not self._is_complex:
            # A list of plain values is addressed by the name `value`.
            if path.attr.lower() != "value" or path.sub_attr:
                return None
            head = self._outer.bind_head(self._attr_path)
            return self._elements.sub("value"), head, outlines.key_of(head)
        binding = self._outer.bind_within(self._attr_path, path)
        if binding is None:
            return None
        sub = _sub_name(binding)
        return self._elements.sub(str(sub)), binding, f"{outlines.key_of(binding)}.{sub}"


def _is_equal_to_text(node: Comparison) -> bool:
    return node.op == CompareOperator.eq and isinstance(node.value, str)


def _sub_name(binding: AttributeBinding) -> str | None:
    if binding.sub_field_name is None or binding.target_model is None:
        return None
    return columns.name_of(binding.target_model, binding.sub_field_name)
