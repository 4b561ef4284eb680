"""The steps of which most expressions are made, as functions: some ten times faster than to walk through a tree.

What each step means is what JMESPath's own interpreter makes of it; whatever is not a step of here is left to it.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from jmespath.visitor import TreeInterpreter

Step = Callable[[Any], Any]
Node = Mapping[str, Any]


def step_of(node: Node) -> Step:
    """Return a function that finds in a value what a parsed expression finds there."""
    build = _BUILDERS.get(node["type"])
    # An interpreter of each step's own: it keeps nothing from one visit to the next.
    return partial(TreeInterpreter().visit, cast("Any", node)) if build is None else build(node)


def _field(node: Node) -> Step:
    name = node["value"]
    return lambda value: value.get(name) if isinstance(value, dict) else None


def _index(node: Node) -> Step:
    place = node["value"]

    def take(value: Any) -> Any:
        try:
            return value[place] if isinstance(value, list) else None
        except IndexError:
            return None

    return take


def _chain(node: Node) -> Step:
    steps = _children(node)

    def follow(value: Any) -> Any:
        for step in steps:
            value = step(value)
        return value

    return follow


def _either(node: Node) -> Step:
    first, second = _children(node)

    def choose(value: Any) -> Any:
        found = first(value)
        return second(value) if _is_false(found) else found

    return choose


def _both(node: Node) -> Step:
    first, second = _children(node)

    def choose(value: Any) -> Any:
        found = first(value)
        return found if _is_false(found) else second(value)

    return choose


def _filtered(node: Node) -> Step:
    base, inner, condition = _children(node)

    def project(value: Any) -> Any:
        elements = base(value)
        if not isinstance(elements, list):
            return None
        found = (inner(element) for element in elements if not _is_false(condition(element)))
        return [each for each in found if each is not None]

    return project


def _identity(_node: Node) -> Step:
    return lambda value: value


def _literal(node: Node) -> Step:
    constant = node["value"]
    return lambda _value: constant


def _children(node: Node) -> list[Step]:
    return [step_of(child) for child in node["children"]]


def _is_false(value: Any) -> bool:
    # By equality, as JMESPath has it: 0 is true.
    return value is None or value is False or value in ("", [], {})


_BUILDERS: Mapping[str, Callable[[Node], Step]] = {
    "field": _field,
    "index": _index,
    "subexpression": _chain,
    "index_expression": _chain,
    "pipe": _chain,
    "or_expression": _either,
    "and_expression": _both,
    "filter_projection": _filtered,
    "identity": _identity,
    "literal": _literal,
}
