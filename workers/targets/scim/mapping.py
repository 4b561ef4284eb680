"""From our words to SCIM's: the record as a service holds it, and the SCIM operations of each step."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from scim_bridge.domain.people import Account, Record, Step
from scim_bridge.planning.calls import Call, Item
from workers.policy.conflicts import fold
from workers.targets.scim import attributes

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
MATCHING = {"externalId": "externalId", "email": attributes.EMAIL, "userName": "userName"}
"""Our attribute names by matching attribute."""

FILTERED = {"externalId": "externalId", "email": "emails.value", "userName": "userName"}
"""What a filter calls a matching attribute."""

MEMBERSHIPS = frozenset({Step.JOIN, Step.LEAVE})

ACTIVE_AFTER = {Step.DEACTIVATE: False, Step.REACTIVATE: True}
"""What `active` becomes by the steps that change it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One SCIM request, to go alone or within a bulk request, and the items that it is for."""

    method: str
    path: str
    data: Mapping[str, Any] = field(repr=False)
    """Empty for a PUT: what is put back is made from what the target shows at that moment."""
    items: tuple[Item, ...]


def finish(record: Record) -> Record:
    """Return a mapped record with numbers as text, as SCIM's string attributes want them."""
    texts = {
        name: str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
        for name, value in record.attributes.items()
    }
    return replace(record, attributes=texts)


def matching_of(values: Mapping[str, Any], match_by: Iterable[str]) -> dict[str, str]:
    """Return the folded values by which an account can be recognised, in configured order."""
    return {
        attribute: fold(attribute, str(value))
        for attribute in match_by
        if attribute in MATCHING and (value := values.get(MATCHING[attribute]))
    }


def account_of(resource: Any, *, mapped: Collection[str], protect: Collection[str]) -> Account | None:
    """Return a SCIM User as an account, None for what is none. Only mapped attributes that it shows are known.

    `protect` names user types and roles, in any letter case.
    """
    if not isinstance(resource, dict) or not isinstance(resource.get("id"), str):
        return None
    shown = {name: attributes.value_in(resource, name) for name in {*mapped, *MATCHING.values()}}
    present = {name: value for name, value in shown.items() if value not in (None, "", [], {})}
    roles = [each.get("value") for each in _objects(resource.get("roles"))]
    kinds = {str(kind).casefold() for kind in (resource.get("userType"), *roles) if kind}
    groups = [each.get("display") for each in _objects(resource.get("groups"))]
    return Account(
        account_id=resource["id"],
        known=Record(
            active=resource.get("active", True) is not False,
            attributes={name: value for name, value in present.items() if name in mapped},
            groups=frozenset(name for name in groups if isinstance(name, str)),
        ),
        matching=matching_of(present, MATCHING),
        protected=not kinds.isdisjoint(name.casefold() for name in protect),
    )


def operations_of(
    items: Sequence[Item], *, group_ids: Mapping[str, str], patches: bool, unfolded: Collection[str] = ()
) -> list[Operation]:
    """Return the requests for some items: one for each person, and one for each group whose members change.

    `patches` False: the target knows no PATCH, so that users and groups are replaced whole. Groups among `unfolded` get
    a request for each member, so that one bad member does not spoil the others. A member who is made by another of the
    requests is named by its bulkId (RFC 7644 section 3.7.2).
    """
    operations = [_of_user(item, patches=patches) for item in items if item.step not in MEMBERSHIPS]
    made = {
        each.items[0].person.operation_id: f"bulkId:{bulk_id(place)}"
        for place, each in enumerate(operations)
        if each.items[0].step is Step.CREATE
    }
    by_group: dict[tuple[str, int], list[Item]] = {}
    for place, item in enumerate(items):
        if item.step in MEMBERSHIPS and item.group is not None:
            by_group.setdefault((item.group, place if item.group in unfolded else -1), []).append(item)
    return operations + [
        _of_group(group_ids[name], together, made, patches=patches) for (name, _), together in by_group.items()
    ]


def bulk_id(place: int) -> str:
    """Return the bulkId of the request at a place of a bulk request."""
    return f"op{place}"


def filter_for(items: Sequence[Item]) -> str:
    """Return a filter that finds the account of each item, by id and by every matching value."""
    terms: dict[str, None] = {}
    for item in items:
        if item.account_id is not None:
            terms[f"id eq {_quoted(item.account_id)}"] = None
        for attribute, value in item.matching.items():
            terms[f"{FILTERED[attribute]} eq {_quoted(value)}"] = None
    return " or ".join(terms)


def single_filters_for(item: Item) -> list[str]:
    """Return comparisons that find an item's account one at a time, for a target that joins none; surest first."""
    ordered = [attribute for attribute in ("userName", *item.matching) if attribute in item.matching]
    return [f"{FILTERED[each]} eq {_quoted(item.matching[each])}" for each in dict.fromkeys(ordered)]


def group_filter_for(names: Iterable[str]) -> str:
    """Return a filter that finds groups by name."""
    return " or ".join(f"displayName eq {_quoted(name)}" for name in names)


def in_path(identifier: str) -> str:
    """Return an id as a step of a path: it is the target's own text, and may hold anything."""
    return quote(identifier, safe="!$&'()*+,;=:@~")


def redacted_of(call: Call) -> dict[str, object]:
    """Return what may be kept of a request: how many of which step, which fields and groups; no value of a person."""
    steps = [str(item.step) for item in call.items]
    fields = {
        name
        for item in call.items
        if item.step in {Step.CREATE, Step.UPDATE}
        for name in (item.changes or getattr(item.desired, "attributes", {}))
    }
    kept: dict[str, object] = {
        "steps": {step: steps.count(step) for step in dict.fromkeys(steps)},
        "fields": sorted(fields),
        "groups": list(call.groups),
    }
    return {name: value for name, value in kept.items() if value}


def _of_user(item: Item, *, patches: bool) -> Operation:
    desired = item.desired.attributes if item.desired is not None else {}
    if item.step is Step.CREATE:
        data = {**attributes.resource_of(desired), "active": True}
        return Operation(method="POST", path="/Users", data=data, items=(item,))
    path = f"/Users/{in_path(item.account_id or '')}"
    if not patches:
        return Operation(method="PUT", path=path, data={}, items=(item,))
    active = ACTIVE_AFTER.get(item.step)
    if active is not None:
        return Operation(
            method="PATCH",
            path=path,
            data=_patch([{"op": "replace", "path": "active", "value": active}]),
            items=(item,),
        )
    changes = [_change(item, *each) for each in item.changes.items()]
    return Operation(method="PATCH", path=path, data=_patch(changes), items=(item,))


def _change(item: Item, name: str, value: Any) -> dict[str, Any]:
    if name == attributes.EMAIL:
        return _change_of_email(item, value)
    if value is None:
        return {"op": "remove", "path": name}
    return {"op": "replace", "path": name, "value": value}


def _change_of_email(item: Item, value: Any) -> dict[str, Any]:
    """Change our own address, picked by its value, so that others which the account has stay as they are."""
    known = item.person.link.known
    held = known.attributes.get(attributes.EMAIL) if known is not None else None
    if held is None:
        # RFC 7644 section 3.5.2.1: what is added to a list comes beside what it holds.
        return {"op": "add", "path": "emails", "value": [] if value is None else attributes.emails_of(value)}
    picked = f"emails[value eq {_quoted(str(held))}]"
    if value is None:
        return {"op": "remove", "path": picked}
    return {"op": "replace", "path": f"{picked}.value", "value": value}


def _of_group(group_id: str, items: Sequence[Item], made: Mapping[int, str], *, patches: bool) -> Operation:
    if not patches:
        return Operation(method="PUT", path=f"/Groups/{in_path(group_id)}", data={}, items=tuple(items))
    joining = [
        {"value": item.account_id or made.get(item.person.operation_id)} for item in items if item.step is Step.JOIN
    ]
    leaving = [item.account_id for item in items if item.step is Step.LEAVE and item.account_id is not None]
    changes: list[dict[str, Any]] = [{"op": "add", "path": "members", "value": joining}] if joining else []
    changes += [{"op": "remove", "path": f"members[value eq {_quoted(account_id)}]"} for account_id in leaving]
    return Operation(method="PATCH", path=f"/Groups/{in_path(group_id)}", data=_patch(changes), items=tuple(items))


def _patch(operations: list[dict[str, Any]]) -> dict[str, Any]:
    return {"schemas": [PATCH_OP], "Operations": operations}


def _quoted(value: str) -> str:
    # RFC 7644 section 3.4.2.2: values in filters are JSON.
    return json.dumps(value, ensure_ascii=False)


def _objects(listed: Any) -> list[dict[str, Any]]:
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
