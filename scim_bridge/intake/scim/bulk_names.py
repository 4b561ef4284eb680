"""Whom a bulk request names, so that all of them can be locked before its first step."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from scim2_models import BulkOperation, PatchOp, Resource, SCIMException
from scim2_server.bulk import BULK_ID_PREFIX

from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.domain.texts import is_storable
from scim_bridge.intake.scim import group_patch
from scim_bridge.recording.edits import MemberEdit, Membership


@dataclass(slots=True, kw_only=True)
class Named:
    """SCIM ids. `emptied` are those of groups that may lose any member, or a name that concerns all of them."""

    groups: set[str] = field(default_factory=set)
    emptied: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)


def named_by(operations: Iterable[BulkOperation[Resource[Any]]], kind_at: Callable[[str], str | None]) -> Named:
    """Return whom operations name; `kind_at` tells the resource type at an endpoint. Who cannot be read is nobody."""
    named = Named()
    for operation in operations:
        endpoint, _, scim_id = (operation.path or "").strip("/").partition("/")
        kind = kind_at(endpoint)
        if kind == USER:
            _add(named.users, [scim_id])
        elif kind == GROUP:
            edits, is_plain = _member_edits(operation.data)
            _add(named.users, [member for edit in edits for member in edit.scim_ids])
            _add(named.groups, [scim_id])
            if not is_plain:
                _add(named.emptied, [scim_id])
    return named


def _member_edits(data: Any) -> tuple[list[MemberEdit], bool]:
    """Return what an operation on a group does to its members, and whether it does no more than add and remove some."""
    try:
        if isinstance(data, PatchOp):
            edits, rest = group_patch.split(data)
            return edits, rest is None and all(edit.how is not Membership.ONLY for edit in edits)
        return group_patch.edits_of(data) if isinstance(data, Resource) else [], False
    except SCIMException:
        # The step will fail, and say why.
        return [], False


def _add(found: set[str], scim_ids: Iterable[str]) -> None:
    found.update(each for each in scim_ids if each and not each.startswith(BULK_ID_PREFIX) and is_storable(each))
