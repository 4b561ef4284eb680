"""What a filter compares with, as parameters of a statement that serves every filter of the same shape."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from inspect import isclass
from typing import Any

import sqlalchemy as sa
from scim2_models import AttributeBinding, ExtensibleStringEnum, InvalidFilterException
from scim2_models.path import STRING_OPERATORS, CompareOperator, Comparison, coerce_value

from scim_bridge.domain.texts import is_storable
from scim_bridge.store import prepared
from scim_bridge.store.search import folding

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BOOLEANS = {True: "true", False: "false"}


class Unlike(Exception):  # noqa: N818 - says what is wrong
    """The value needs another statement than the one that was prepared for its shape."""


@dataclass(frozen=True, slots=True)
class Operand:
    """One parameter: its name, which comparison of the filter it comes from, and how its value becomes the operand."""

    name: str
    comparison: int
    read: Callable[[Any], str | int]


class Operands:
    """Makes parameters of the values of one filter's comparisons, and remembers how."""

    def __init__(self, comparisons: Sequence[Comparison]) -> None:
        """Take the comparisons in the order of the shape."""
        self._numbers = {id(each): number for number, each in enumerate(comparisons)}
        self.found: list[Operand] = []
        self.is_reusable = True
        """False: the statement serves these values only."""

    def text(self, node: Comparison, binding: AttributeBinding) -> sa.BindParameter[str]:
        """Return the parameter for a text in the form that the folded document holds."""
        op = node.op  # And no more of the node: its value is somebody's, and what is made here is kept.
        return prepared.text(self._add(node, lambda value: _folded(binding, coerced(binding, value, op))))

    def instant(self, node: Comparison, binding: AttributeBinding) -> sa.BindParameter[int]:
        """Return the parameter for a moment, in microseconds: a filter may be finer than the milliseconds we keep."""
        op = node.op
        return prepared.number(self._add(node, lambda value: _micros(coerced(binding, value, op))))

    def flag(self, node: Comparison, binding: AttributeBinding) -> sa.BindParameter[int]:
        """Return the parameter for a truth, 0 or 1."""
        op = node.op
        return prepared.number(self._add(node, lambda value: int(coerced(binding, value, op))))

    def _add(self, node: Comparison, read: Callable[[Any], str | int]) -> str:
        name = f"operand_{len(self.found)}"
        self.found.append(Operand(name, self._numbers[id(node)], read))
        return name


def coerced(binding: AttributeBinding, value: Any, op: CompareOperator) -> Any:
    """Return a filter's value as the attribute's type has it.

    Raises:
        InvalidFilterException: the attribute cannot have such a value, or the database cannot hold it.
    """
    if isinstance(value, str) and not is_storable(value):
        raise InvalidFilterException(detail="The filter holds a NUL character or half a surrogate pair")
    target = binding.target_type
    if isinstance(value, str) and isclass(target) and issubclass(target, ExtensibleStringEnum):
        # Any text will do, and case does not count: making an adapter to find that out costs more than the query.
        return value
    return coerce_value(binding, value, op)


def is_text_operator(op: CompareOperator) -> bool:
    """Tell whether an operator compares parts of texts."""
    return op in STRING_OPERATORS


def _folded(binding: AttributeBinding, value: Any) -> str:
    if isinstance(value, bool):
        return _BOOLEANS[value]
    if isinstance(value, bytes):
        return folding.base64_text(value)
    return str(binding.comparable(value))


def _micros(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise Unlike
    return (moment - _EPOCH) // timedelta(microseconds=1)
