"""A whole resource to put back where there is no PATCH: what the target shows, with only our own parts changed."""

import copy
from collections.abc import Mapping
from typing import Any

from scim_bridge.domain.people import Step
from workers.targets.scim import attributes
from workers.targets.scim.mapping import ACTIVE_AFTER, MEMBERSHIPS, Operation

_NOT_OURS_TO_SEND = ("meta", "groups")
"""Attributes that only the target writes (RFC 7643 sections 3.1 and 4.1.2)."""


def document_for(operation: Operation, shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return the user or group that a PUT sends, from the one that was read just before (RFC 7644 section 3.5.1).

    A PUT wipes what it does not name, so everything that others have written goes back as it came.
    """
    document = {name: copy.deepcopy(value) for name, value in shown.items() if name not in _NOT_OURS_TO_SEND}
    if operation.items[0].step in MEMBERSHIPS:
        document["members"] = _members(operation, document.get("members"))
        return document
    (item,) = operation.items
    active = ACTIVE_AFTER.get(item.step)
    if active is not None:
        document["active"] = active
    for name, value in item.changes.items():
        attributes.put_value(document, name, value)
    return document


def condition_for(shown: Mapping[str, Any]) -> dict[str, str]:
    """Return the header by which a target with versions refuses to overwrite a change since (RFC 7644 section 3.14)."""
    meta = shown.get("meta")
    version = meta.get("version") if isinstance(meta, dict) else None
    return {"If-Match": version} if isinstance(version, str) and version.isascii() and version.isprintable() else {}


def _members(operation: Operation, shown: Any) -> list[dict[str, Any]]:
    held = [each for each in shown if isinstance(each, dict)] if isinstance(shown, list) else []
    leaving = {item.account_id for item in operation.items if item.step is Step.LEAVE}
    staying = [each for each in held if each.get("value") not in leaving]
    there = {each.get("value") for each in staying}
    joining = dict.fromkeys(item.account_id for item in operation.items if item.step is Step.JOIN)
    return staying + [{"value": account_id} for account_id in joining if account_id not in there]
