"""What an edit does to a group's members, and what may be written down about an edit."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Membership(StrEnum):
    """One way of changing who is in a group."""

    ADD = "add"
    REMOVE = "remove"
    ONLY = "only"


@dataclass(frozen=True, slots=True)
class MemberEdit:
    """One edit of a group's members by the SCIM ids of users. ONLY makes the group hold exactly these."""

    how: Membership
    scim_ids: tuple[str, ...]


def net(edits: Iterable[MemberEdit]) -> list[MemberEdit]:
    """Return what edits come down to when they are applied in order: at most one of each kind, and none in common.

    Who is in a group in the end is told by the last edit that names them, so thousands of edits cost no more than two.
    """
    is_only = False
    joins: dict[str, bool] = {}
    for edit in edits:
        if edit.how is Membership.ONLY:
            is_only = True
            joins.clear()
        joins.update(dict.fromkeys(edit.scim_ids, edit.how is not Membership.REMOVE))
    joining = tuple(scim_id for scim_id, joined in joins.items() if joined)
    if is_only:
        return [MemberEdit(Membership.ONLY, joining)]
    leaving = tuple(scim_id for scim_id, joined in joins.items() if not joined)
    return [
        *([MemberEdit(Membership.ADD, joining)] if joining else []),
        *([MemberEdit(Membership.REMOVE, leaving)] if leaving else []),
    ]


def touched(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the names of the attributes that differ, those of extensions by their URN. No values."""
    names: list[str] = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if unordered(old) == unordered(new):
            continue
        if name.startswith("urn:"):
            names += [f"{name}:{inner}" for inner in touched(old or {}, new or {})]
        elif name != "schemas":
            names.append(name)
    return names


def unordered(value: Any) -> Any:
    """Return a form that is equal for documents that differ only in the order of values (RFC 7643 section 2.4)."""
    if isinstance(value, Mapping):
        return {key: unordered(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted((unordered(item) for item in value), key=repr)
    return value
