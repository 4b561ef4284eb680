"""Attributes by flat names, as [mapping] has them, in and out of SCIM resources.

A name is a SCIM path: `userName`, `name.givenName`, or an extension's, `urn:...:User:department` (RFC 7644 section
3.10). `email` stands for the one address in `emails`.
"""

from collections.abc import Mapping
from typing import Any

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
EMAIL = "email"


def resource_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a SCIM User with these attributes."""
    resource: dict[str, Any] = {"schemas": [CORE]}
    for name, value in attributes.items():
        if name == EMAIL:
            resource["emails"] = emails_of(value)
            continue
        place = resource
        *parents, last = _steps(name)
        for parent in parents:
            place = place.setdefault(parent, {})
            if parent.startswith("urn:") and parent not in resource["schemas"]:
                resource["schemas"].append(parent)
        place[last] = value
    return resource


def value_in(resource: Mapping[str, Any], name: str) -> Any:
    """Return what a resource holds under a flat name, None when nothing. The primary address comes before others."""
    if name == EMAIL:
        listed = resource.get("emails")
        found = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        found.sort(key=lambda each: each.get("primary") is not True)
        return found[0].get("value") if found else None
    place: Any = resource
    for step in _steps(name):
        if not isinstance(place, Mapping):
            return None
        place = place.get(step)
    return place


def put_value(resource: dict[str, Any], name: str, value: Any) -> None:
    """Set a flat name in a resource that is the caller's to change, None takes it out; everything else stays.

    Of several addresses the primary one, else the first, is ours.
    """
    if name == EMAIL:
        _put_email(resource, value)
        return
    place = resource
    *parents, last = _steps(name)
    for parent in parents:
        held = place.get(parent)
        if not isinstance(held, dict):
            if value is None:
                return
            place[parent] = held = {}
        place = held
        if parent.startswith("urn:") and parent not in resource.setdefault("schemas", [CORE]):
            resource["schemas"] = [*resource["schemas"], parent]
    if value is None:
        place.pop(last, None)
    else:
        place[last] = value


def most_bytes(attributes: Mapping[str, Any]) -> int | None:
    """Return how many bytes a resource with these attributes has as JSON, at the most; None for other than text."""
    size = 0
    for name, value in attributes.items():
        if not isinstance(value, str):
            return None
        # A character outside of ASCII is written as one or two escapes of six bytes; a URN also stands in `schemas`.
        size += (len(value) if value.isascii() and value.isprintable() else 12 * len(value)) + value.count('"')
        size += value.count("\\") + 2 * len(name) + 80
    return size


def emails_of(address: Any) -> list[dict[str, Any]]:
    """Return the value of `emails` for one address."""
    return [{"value": address, "type": "work", "primary": True}]


def _put_email(resource: dict[str, Any], value: Any) -> None:
    listed = resource.get("emails")
    held = [dict(each) for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    ours = next((each for each in held if each.get("primary") is True), held[0] if held else None)
    if value is None:
        resource["emails"] = [each for each in held if each is not ours]
    elif ours is None:
        resource["emails"] = emails_of(value)
    else:
        ours["value"] = value
        resource["emails"] = held


def _steps(name: str) -> list[str]:
    if not name.startswith("urn:"):
        return name.split(".")
    # The URN itself has colons and dots; the attribute follows its last colon.
    urn, _, path = name.rpartition(":")
    return [urn, *path.split(".")]
