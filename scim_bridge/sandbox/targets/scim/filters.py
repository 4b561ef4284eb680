"""The small part of RFC 7644 3.4.2.2 that a simulated SCIM service understands: `eq`, joined by `or` and `and`."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

_TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|([A-Za-z][\w:.\-]*(?:\[[^\]]*\])?(?:\.\w+)?)|(\S))')
_EXACT = frozenset({"id", "externalId"})
_KNOWN = ("id", "externalId", "userName", "displayName", "emails.value", "active")


class FilterError(ValueError):
    """The filter is not understood: scimType invalidFilter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Alternatives, of which one must hold: single comparisons by attribute, and conjunctions of several."""

    values: Mapping[str, frozenset[str]]
    conjunctions: tuple[Mapping[str, str], ...]

    def matches(self, document: Mapping[str, Any]) -> bool:
        """Say whether a resource is meant; userName, emails and displayName compare without letter case."""
        for attribute, wanted in self.values.items():
            if not wanted.isdisjoint(_values_of(document, attribute)):
                return True
        return any(
            all(value in _values_of(document, attribute) for attribute, value in each.items())
            for each in self.conjunctions
        )


def parse_filter(text: str, *, joins: Literal["or", "eq", "none"]) -> Filter:
    """Read a filter; `joins` says how much of the language there is. Raises FilterError."""
    if joins == "none":
        raise FilterError("filters are not supported")
    tokens = _tokens(text)
    alternatives: list[list[tuple[str, str]]] = [[]]
    while True:
        alternatives[-1].append(_comparison(tokens))
        if not tokens:
            break
        word = tokens.pop(0).lower()
        if word not in {"or", "and"} or joins == "eq":
            raise FilterError(f"{word[:20]!r} is not supported here")
        if word == "or":
            alternatives.append([])
    values: dict[str, set[str]] = {}
    for alternative in alternatives:
        if len(alternative) == 1:
            attribute, value = alternative[0]
            values.setdefault(attribute, set()).add(value)
    return Filter(
        values={attribute: frozenset(wanted) for attribute, wanted in values.items()},
        conjunctions=tuple(dict(each) for each in alternatives if len(each) > 1),
    )


def _tokens(text: str) -> list[str]:
    tokens = [next(part for part in match.groups() if part) for match in _TOKEN.finditer(text.strip())]
    if not tokens:
        raise FilterError("the filter is empty")
    return tokens


def _comparison(tokens: list[str]) -> tuple[str, str]:
    if len(tokens) < 3:
        raise FilterError("a comparison reads ATTRIBUTE eq VALUE")
    attribute, operator, literal = _attribute(tokens.pop(0)), tokens.pop(0).lower(), tokens.pop(0)
    if operator != "eq":
        raise FilterError("only eq is supported")
    try:
        value = json.loads(literal)
    except ValueError as exc:
        raise FilterError("a value is a JSON string, true or false") from exc
    if attribute == "active":
        if not isinstance(value, bool):
            raise FilterError("active compares with true or false")
        return attribute, str(value)
    if not isinstance(value, str):
        raise FilterError(f"{attribute} compares with a string")
    return attribute, value if attribute in _EXACT else value.casefold()


def _attribute(token: str) -> str:
    name = re.sub(r'^emails(\[type eq "\w+"\])?(\.value)?$', "emails.value", token, flags=re.IGNORECASE)
    for known in _KNOWN:
        if name.casefold() == known.casefold():
            return known
    raise FilterError(f"{token[:40]} cannot be filtered on")


def _values_of(document: Mapping[str, Any], attribute: str) -> frozenset[str]:
    if attribute == "emails.value":
        return frozenset(str(each.get("value", "")).casefold() for each in document.get("emails", ()))
    value = document.get(attribute)
    if value is None:
        return frozenset()
    text = str(value)
    return frozenset({text if attribute in _EXACT or attribute == "active" else text.casefold()})
