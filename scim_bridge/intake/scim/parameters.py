"""Bends what a request asks of its answer (filter, sorting, attributes) before it is read."""

import re
from collections.abc import Mapping
from typing import Any

from scim2_models import InvalidValueException

from scim_bridge.domain.resources import USER
from scim_bridge.intake.scim import bounds, filter_text
from scim_bridge.intake.scim.attributes import attributes_of, core_schema

_PROJECTING = ("attributes", "excludedattributes")
_VALUE_FILTER = re.compile(r"\[[^\]]*\]")


def tolerate(kinds: list[str], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return query parameters, or the members of a SearchRequest, as the models read them.

    Raises:
        InvalidFilterException: the filter is too long or nested too deeply.
        InvalidValueException: both `attributes` and `excludedAttributes` are given (RFC 7644 section 3.9), or the
            filter holds what no database text can hold.
    """
    bent: dict[str, Any] = {}
    for key, value in asked.items():
        folded = str(key).lower()
        if folded == "filter":
            bent[key] = filter_text.tolerate(kinds, value)
        elif folded in _PROJECTING:
            bent[key] = _names(kinds, value)
        elif folded == "sortby" and isinstance(value, str):
            bent[key] = _name(kinds, value)
        elif folded == "sortorder" and isinstance(value, str):
            bent[key] = value.lower()
        else:
            bent[key] = value
    if all(any(str(key).lower() == name and value for key, value in bent.items()) for name in _PROJECTING):
        raise InvalidValueException(detail="Name 'attributes' or 'excludedAttributes', not both")
    return bent


def _names(kinds: list[str], value: Any) -> Any:
    """Return the names of a list, or of a text with commas between them. What is neither is left to be refused."""
    bounds.check_names(value)
    if isinstance(value, str):
        return ",".join(_name(kinds, name) for name in _VALUE_FILTER.sub("", value).split(","))
    if isinstance(value, list):
        return [_name(kinds, _VALUE_FILTER.sub("", name)) if isinstance(name, str) else name for name in value]
    return value


def _name(kinds: list[str], name: str) -> str:
    """Return an attribute's name, qualified where a sender leaves the URN of the extension out.

    Microsoft's reference collection asks for `emails[type eq "work"]`: all values of the attribute are shown then.
    """
    name = name.strip()
    if kinds != [USER] or ":" in name:
        return name
    head, dot, sub = name.partition(".")
    attribute = attributes_of(USER).get(head.lower())
    if attribute is None or attribute.urn == core_schema(USER):
        return name
    return f"{attribute.urn}:{attribute.name}{dot}{sub}"
