"""Bounds and bends the text of a filter before it is parsed."""

import re
from typing import Any

from scim2_models import InvalidFilterException, ScimFilter
from scim2_models.path import AttrPath, Comparison, FilterNode, LogicalExpr, Not, Present, ValuePath

from scim_bridge.domain.resources import DELIVERY, USER
from scim_bridge.intake.scim import payloads
from scim_bridge.intake.scim.attributes import MANAGER, attributes_of, core_schema

MAX_LENGTH = 8000
MAX_NESTING = 40
"""The parser accepts thousands of parentheses; no sender means that."""

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"?')

_VALUE = re.compile(
    r""""(?:[^"\\]|\\.)*+"?"""
    r"""|(?P<operator>(?<=\s)(?:eq|ne|co|sw|ew|gt|ge|lt|le)\s+)(?P<word>[^\s"'\\()\[\]][^\s"\\()\[\]]*)""",
    re.IGNORECASE,
)
"""A quoted text, to be passed over, or an operator with a bare word after it."""

_LITERALS = frozenset({"true", "false", "null"})


def tolerate(kinds: list[str], text: Any) -> Any:
    """Return a filter as the grammar asks for it.

    Names that senders leave unqualified are spelled out (Entra: `manager eq "2819c223"`), and values that they leave
    unquoted are quoted (Microsoft's reference collection: `userName sw O`; authentik before 2025.10).

    Raises:
        InvalidFilterException: it is too long or nested too deeply, or asks for what is not searched.
        InvalidValueException: it holds a character that no database text can hold.
    """
    if not isinstance(text, str):
        return text
    if len(text) > MAX_LENGTH:
        raise InvalidFilterException(
            detail=f"The filter is longer than {MAX_LENGTH} characters; ask in several requests"
        )
    if _nesting(text) > MAX_NESTING:
        raise InvalidFilterException(
            detail=f"The filter nests parentheses and brackets deeper than {MAX_NESTING}; ask in several requests"
        )
    payloads.check_text(text, where="The filter")
    if DELIVERY.lower() in text.lower() and DELIVERY.lower() in _QUOTED.sub("", text).lower():
        raise InvalidFilterException(
            detail=f"{DELIVERY} can be read and not searched. Read it with attributes={DELIVERY}; "
            "`scim-bridge failed list` lists whom a target has refused."
        )
    text = with_quotes(text)
    if kinds != [USER] or not _may_need_bending(text):
        return text
    return str(_bent(ScimFilter(text).ast))


def _nesting(text: str) -> int:
    """Return how deep parentheses and brackets nest, those within quotes left out."""
    if text.count("(") + text.count("[") <= MAX_NESTING:
        return 0
    depth = deepest = 0
    for character in _QUOTED.sub("", text):
        if character in "([":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]":
            depth -= 1
    return deepest


def with_quotes(text: str) -> str:
    """Return a filter, or a path that holds one, with quotes around its bare values. What is no filter stays none."""
    return _VALUE.sub(_quoted, text)


def _quoted(found: re.Match[str]) -> str:
    word = found["word"]
    if word is None or word.lower() in _LITERALS:
        return found[0]
    return f'{found["operator"]}"{word}"'


def _may_need_bending(text: str) -> bool:
    folded = text.lower()
    return any(name in folded for name, attribute in attributes_of(USER).items() if attribute.urn != core_schema(USER))


def _bent(node: FilterNode) -> FilterNode:
    if isinstance(node, Comparison):
        return Comparison(_comparable(_qualified(node.attr_path)), node.op, node.value)
    if isinstance(node, Present):
        return Present(_qualified(node.attr_path))
    if isinstance(node, Not):
        return Not(_bent(node.expr))
    if isinstance(node, LogicalExpr):
        return LogicalExpr(node.op, tuple(_bent(term) for term in node.terms))
    if isinstance(node, ValuePath):
        return ValuePath(_qualified(node.attr_path), node.val_filter, node.sub_attr)
    return node


def _qualified(path: AttrPath) -> AttrPath:
    attribute = attributes_of(USER).get(path.attr.lower())
    if path.uri is not None or attribute is None or attribute.urn == core_schema(USER):
        return path
    return AttrPath(attr=attribute.name, sub_attr=path.sub_attr, uri=attribute.urn)


def _comparable(path: AttrPath) -> AttrPath:
    """Compare a manager by its value, as Entra means it."""
    if path.sub_attr is None and f"{path.uri}:{path.attr}".lower() == MANAGER.lower():
        return AttrPath(attr=path.attr, sub_attr="value", uri=path.uri)
    return path
