"""What a PATCH of a group does to its members, told apart from the rest: members change by rows, not by document."""

import re
from collections.abc import Iterator
from typing import Any

from scim2_models import (
    InvalidFilterException,
    InvalidValueException,
    MutabilityException,
    PatchOp,
    PatchOperation,
    Resource,
)
from scim2_models.path import CompareOperator, Comparison, FilterNode, LogicalExpr, LogicalOperator, Path

from scim_bridge.domain.resources import CORE_GROUP
from scim_bridge.recording.edits import MemberEdit, Membership

_SELECT_BY_VALUE = 'Select members by their value, as in members[value eq "2819c223"]'

_PLAIN_PATH = re.compile(
    f'(?:{re.escape(CORE_GROUP)}:)?members(?:\\[ *value +eq +"(?P<id>[^"\\\\]+)" *\\])?', re.IGNORECASE
)
_PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:patchop"
_HOW = {"add": Membership.ADD, "replace": Membership.ONLY}


def split(patch: "PatchOp[Any]") -> tuple[list[MemberEdit], "PatchOp[Any] | None"]:
    """Return the edits of members, in order, and a patch of everything else (None: there is nothing else).

    Raises:
        InvalidFilterException: a filter selects members by something else than their value.
        InvalidValueException: a member has no value.
        MutabilityException: an operation would change a part of a member.
    """
    edits: list[MemberEdit] = []
    rest: list[PatchOperation[Any]] = []
    for operation in patch.operations or []:
        if _concerns_members(operation.path):
            edits += _edits_of(operation)
        else:
            rest.append(operation)
    return edits, patch.model_copy(update={"operations": rest}) if rest else None


def parted(payload: Any) -> tuple[list[MemberEdit], list[Any]]:
    """Return the edits of the plain operations on members in a tolerated PatchOp message, and all other operations.

    A plain one needs no model to be read: identity providers send thousands of them. Of a message that is none, every
    operation is another.

    Raises:
        InvalidValueException: a member has no value.
    """
    operations = payload.get("Operations") if isinstance(payload, dict) else None
    schemas = payload.get("schemas") if isinstance(payload, dict) else None
    if not isinstance(operations, list):
        return [], []
    if not isinstance(schemas, list) or _PATCH_OP not in [str(urn).lower() for urn in schemas]:
        return [], operations
    edits, others = list[MemberEdit](), list[Any]()
    for operation in operations:
        edit = _plain_edit(operation) if isinstance(operation, dict) else None
        if edit is None:
            others.append(operation)
        else:
            edits.append(edit)
    return edits, others


def _plain_edit(operation: dict[str, Any]) -> MemberEdit | None:
    op, path, value = operation.get("op"), operation.get("path"), operation.get("value")
    if not isinstance(path, str):
        return None
    found = _PLAIN_PATH.fullmatch(path)
    if found is None:
        return None
    if found["id"] is not None:
        return MemberEdit(Membership.REMOVE, (found["id"],)) if op == "remove" else None
    if op == "remove":
        return MemberEdit(Membership.ONLY, ()) if value is None else MemberEdit(Membership.REMOVE, member_ids(value))
    if not isinstance(value, list) or op not in _HOW:
        return None
    return MemberEdit(_HOW[op], member_ids(value))


def edits_of(resource: Resource[Any]) -> list[MemberEdit]:
    """Return the edit that a whole group asks for; a group that does not name its members leaves them alone.

    Raises:
        InvalidValueException: a member has no id.
    """
    return [MemberEdit(Membership.ONLY, members_named(resource))] if "members" in resource.model_fields_set else []


def members_named(resource: Resource[Any]) -> tuple[str, ...]:
    """Return the ids of the members of a whole group.

    Raises:
        InvalidValueException: a member has no id.
    """
    return member_ids([{"value": each.value} for each in getattr(resource, "members", None) or []])


def member_ids(value: Any) -> tuple[str, ...]:
    """Return the ids in a list of members, in whatever form senders give them.

    Raises:
        InvalidValueException: a member has no id.
    """
    if value is None:
        return ()
    found: dict[str, None] = {}
    for item in value if isinstance(value, list) else [value]:
        scim_id = item
        if isinstance(item, dict):
            scim_id = next((part for key, part in item.items() if str(key).lower() == "value"), None)
        if not isinstance(scim_id, str) or not scim_id:
            raise InvalidValueException(detail='A member needs the id of a user: {"value": "2819c223"}')
        found[scim_id] = None
    return tuple(found)


def _concerns_members(path: Path[Any] | None) -> bool:
    if path is None:
        return False
    binding = path.resolve()
    return binding is not None and binding.field_name == "members"


def _edits_of(operation: PatchOperation[Any]) -> Iterator[MemberEdit]:
    path = operation.path
    assert path is not None  # noqa: S101 - only operations with a path get here
    binding = path.resolve()
    if binding is not None and binding.sub_field_name is not None:
        if binding.sub_field_name == "display":
            return
        raise MutabilityException(attribute="members", detail="A member cannot be changed, only added and removed")
    selected = None if path.value_filter is None else _selected(path.value_filter)
    if operation.op == PatchOperation.Op.remove:
        if selected is not None:
            yield MemberEdit(Membership.REMOVE, selected)
        elif operation.value is None:
            yield MemberEdit(Membership.ONLY, ())
        else:
            yield MemberEdit(Membership.REMOVE, member_ids(operation.value))
        return
    if selected is not None:
        raise InvalidFilterException(detail="Add members with the path 'members'; a filter is for removing them")
    how = Membership.ADD if operation.op == PatchOperation.Op.add else Membership.ONLY
    yield MemberEdit(how, member_ids(operation.value))


def _selected(node: FilterNode) -> tuple[str, ...]:
    if isinstance(node, LogicalExpr) and node.op == LogicalOperator.or_:
        return tuple(scim_id for term in node.terms for scim_id in _selected(term))
    if (
        isinstance(node, Comparison)
        and node.op == CompareOperator.eq
        and node.attr_path.attr.lower() == "value"
        and isinstance(node.value, str)
    ):
        return (node.value,)
    raise InvalidFilterException(detail=_SELECT_BY_VALUE)
