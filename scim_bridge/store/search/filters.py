"""SCIM filters as SQL conditions that hold exactly where `ScimFilter.match` does (RFC 7644 section 3.4.2.2).

Every condition is true or false, never NULL, so that NOT means what the filter says. Values are always bound.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from scim2_models import AttributeBinding, InvalidFilterException, ScimFilter
from scim2_models.path import (
    STRING_OPERATORS,
    AttrPath,
    CompareOperator,
    Comparison,
    FilterNode,
    FilterVisitor,
    LogicalExpr,
    LogicalOperator,
    Not,
    Present,
    ValuePath,
    coerce_value,
)

from scim_bridge.domain.texts import is_storable
from scim_bridge.store import tables
from scim_bridge.store.search import columns, folding
from scim_bridge.store.search.columns import Columns, Elements, Expression, Scalar

resource, lookup = tables.resource, tables.lookup

MAX_TERMS = 100
"""More comparisons than this in one filter are refused."""

_ORDER: dict[CompareOperator, Callable[[Any, Any], Expression]] = {
    CompareOperator.gt: lambda left, right: left > right,
    CompareOperator.ge: lambda left, right: left >= right,
    CompareOperator.lt: lambda left, right: left < right,
    CompareOperator.le: lambda left, right: left <= right,
}


class FilterToSql(FilterVisitor[Expression]):
    """Translates one filter for one resource type. An attribute that the type lacks matches nothing."""

    def __init__(self, scim_filter: ScimFilter[Any], places: Columns, *, tenant: str | None, dialect: str) -> None:
        """Bind the translation to a filter that is bound to the resource type's model."""
        self._filter = scim_filter
        self._places = places
        self._tenant = tenant
        self._dialect = dialect
        self._terms = 0

    def visit(self, node: FilterNode) -> Expression:
        """Translate one node.

        Raises:
            InvalidFilterException: the filter has too many terms, or compares what cannot be compared.
        """
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise InvalidFilterException(detail=f"The filter has more than {MAX_TERMS} terms; ask in several requests")
        return super().visit(node)

    def visit_logical_expr(self, node: LogicalExpr) -> Expression:
        """Join terms."""
        terms = [self.visit(term) for term in node.terms]
        return sa.and_(*terms) if node.op == LogicalOperator.and_ else sa.or_(*terms)

    def visit_not(self, node: Not) -> Expression:
        """Negate a term, which is never NULL."""
        return sa.not_(self.visit(node.expr))

    def visit_present(self, node: Present) -> Expression:
        """Translate `pr`: a value that is neither absent nor empty."""
        binding = self._filter.resolve(node.attr_path, strict=False)
        if binding is None:
            return sa.false()
        sub = _sub_name(binding)
        if binding.is_multivalued:
            elements = self._places.elements(binding)
            names = [sub] if sub else columns.sub_names(binding)
            return elements.any_where(sa.or_(*(self._is_present(elements.sub(name)) for name in names)))
        if sub is None and columns.is_complex(binding):
            parts = [self._places.scalar(binding, name) for name in columns.sub_names(binding)]
            return sa.or_(*(self._is_present(part) for part in parts))
        return self._is_present(self._places.scalar(binding, sub))

    def visit_comparison(self, node: Comparison) -> Expression:
        """Translate a comparison; of a multi-valued attribute, with any of its values (`ne`: with all)."""
        binding = self._filter.resolve_comparison(node.attr_path, strict=False)
        if binding is None:
            return sa.false()
        sub = _sub_name(binding)
        if sub is None and columns.is_complex(binding):
            raise InvalidFilterException(
                detail=f"{str(node.attr_path)!r} is complex; compare one of its sub-attributes, such as "
                f"{node.attr_path}.{columns.sub_names(binding)[0]}"
            )
        expected = _operand(binding, node)
        if not binding.is_multivalued:
            return self._single(binding, sub, node.op, expected)
        return self._of_many(binding, sub or "value", node.op, expected)

    def visit_value_path(self, node: ValuePath) -> Expression:
        """Translate `emails[...]`: one element satisfies the whole inner filter."""
        binding = self._filter.resolve(node.attr_path, strict=False)
        if binding is None:
            return sa.false()
        elements = self._places.elements(binding)
        inner = _WithinElement(self, node.attr_path, elements, is_complex=columns.is_complex(binding))
        condition = elements.any_where(inner.visit(node.val_filter))
        quick = [self._in_lookup(path, value) for path, value in inner.required]
        return sa.and_(*quick, condition)

    def _single(self, binding: AttributeBinding, sub: str | None, op: CompareOperator, expected: Any) -> Expression:
        key = folding.key_of(binding) if sub is None else f"{folding.key_of(binding)}.{sub}"
        if op == CompareOperator.eq and isinstance(expected, str) and key in folding.LOOKUP_PATHS:
            return self._in_lookup(key, binding.comparable(expected))
        return self.compare(self._places.scalar(binding, sub), binding, op, expected)

    def _of_many(self, binding: AttributeBinding, sub: str, op: CompareOperator, expected: Any) -> Expression:
        elements = self._places.elements(binding)
        key = f"{folding.key_of(binding)}.{sub}"
        if op == CompareOperator.eq and isinstance(expected, str) and key in folding.LOOKUP_PATHS:
            return self._in_lookup(key, binding.comparable(expected))
        matches = self.compare(elements.sub(sub), binding, op, expected)
        if op == CompareOperator.ne:
            # Universal: no value equals the operand. An absent attribute compares as null.
            all_differ = sa.not_(elements.any_where(sa.not_(matches)))
            return sa.and_(all_differ, sa.not_(elements.is_absent)) if expected is None else all_differ
        found = elements.any_where(matches)
        return sa.or_(found, elements.is_absent) if op == CompareOperator.eq and expected is None else found

    def compare(self, place: Scalar, binding: AttributeBinding, op: CompareOperator, expected: Any) -> Expression:
        """Return the condition that the value at a place compares so with a coerced operand."""
        value = place.expression
        if expected is None:
            return {CompareOperator.eq: value.is_(None), CompareOperator.ne: value.is_not(None)}.get(op, sa.false())
        if place.kind == "instant":
            return _compare_instants(value, op, expected)
        operand = columns.operand_of(binding, expected)
        if op in STRING_OPERATORS:
            return self._compare_parts(value, op, operand) if isinstance(expected, str) else sa.false()
        if op == CompareOperator.eq:
            return sa.and_(value.is_not(None), value == operand)
        if op == CompareOperator.ne:
            return sa.or_(value.is_(None), value != operand)
        ordered = columns.in_code_point_order(value, self._dialect)
        return sa.and_(value.is_not(None), _ORDER[op](ordered, operand))

    def _compare_parts(self, value: Expression, op: CompareOperator, operand: str) -> Expression:
        if not operand:
            return value.is_not(None)
        length = len(operand)
        if op == CompareOperator.sw:
            found = sa.func.substr(value, 1, length) == operand
        elif op == CompareOperator.ew:
            end = sa.func.substr(value, -length) if self._dialect == "sqlite" else sa.func.right(value, length)
            found = end == operand
        else:
            place_of = sa.func.instr if self._dialect == "sqlite" else sa.func.strpos
            found = place_of(value, operand) > 0
        return sa.and_(value.is_not(None), found)

    def _is_present(self, place: Scalar) -> Expression:
        if place.kind == "instant":
            return place.expression.is_not(None)
        return sa.and_(place.expression.is_not(None), place.expression != "")

    def _in_lookup(self, path: str, value: str) -> Expression:
        rows = sa.select(lookup.c.resource_id).where(
            lookup.c.tenant == self._tenant, lookup.c.path == path, lookup.c.value == value
        )
        return resource.c.id.in_(rows)

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


class _WithinElement(FilterVisitor[Expression]):
    """Translates the filter of a value path: its names are sub-attributes of one element."""

    def __init__(self, outer: FilterToSql, attr_path: AttrPath, elements: Elements, *, is_complex: bool) -> None:
        self._outer = outer
        self._attr_path = attr_path
        self._elements = elements
        self._is_complex = is_complex
        self._is_required = True
        self.required: list[tuple[str, str]] = []
        """Indexed paths and values that any element must have for the whole to hold."""

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
        if found is None:
            return sa.false()
        value = found[0].expression
        return sa.and_(value.is_not(None), value != "")

    def visit_comparison(self, node: Comparison) -> Expression:
        found = self._bind(node.attr_path)
        if found is None:
            return sa.false()
        place, binding, key = found
        expected = _operand(binding, node)
        is_text_eq = node.op == CompareOperator.eq and isinstance(expected, str)
        if self._is_required and is_text_eq and key in folding.LOOKUP_PATHS:
            self.required.append((key, binding.comparable(expected)))
        return self._outer.compare(place, binding, node.op, expected)

    def visit_value_path(self, node: ValuePath) -> Expression:  # noqa: ARG002 - the port's signature
        return sa.false()

    def _bind(self, path: AttrPath) -> tuple[Scalar, AttributeBinding, str] | None:
        if not self._is_complex:
            # A list of plain values is addressed by the name `value`.
            if path.attr.lower() != "value" or path.sub_attr:
                return None
            head = self._outer.bind_head(self._attr_path)
            return self._elements.sub("value"), head, folding.key_of(head)
        binding = self._outer.bind_within(self._attr_path, path)
        if binding is None:
            return None
        sub = _sub_name(binding)
        return self._elements.sub(str(sub)), binding, f"{folding.key_of(binding)}.{sub}"


def _operand(binding: AttributeBinding, node: Comparison) -> Any:
    if isinstance(node.value, str) and not is_storable(node.value):
        raise InvalidFilterException(detail="The filter holds a NUL character or half a surrogate pair")
    return coerce_value(binding, node.value, node.op)


def _sub_name(binding: AttributeBinding) -> str | None:
    if binding.sub_field_name is None or binding.target_model is None:
        return None
    return columns.name_of(binding.target_model, binding.sub_field_name)


def _compare_instants(value: Expression, op: CompareOperator, expected: Any) -> Expression:
    if not isinstance(expected, datetime) or op in STRING_OPERATORS:
        return sa.false()
    if expected.tzinfo is None:
        # A moment without a zone equals none, and is neither before nor after.
        return sa.true() if op == CompareOperator.ne else sa.false()
    micros, operand = value * 1000, columns.micros_of(expected)
    if op == CompareOperator.eq:
        return micros == operand
    return micros != operand if op == CompareOperator.ne else _ORDER[op](micros, operand)
