"""A resource as senders see it: the stored document with id, memberships and meta, and what of it was asked for."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from scim2_models import Resource, ResponseParameters

from scim_bridge.domain.instants import to_iso
from scim_bridge.domain.resources import ENTERPRISE_USER, GROUP, MODELS, USER
from scim_bridge.store import members
from scim_bridge.store.directory import Stored
from scim_bridge.store.engine import Transaction
from scim_bridge.store.members import Membership

MEMBERSHIPS = {USER: "groups", GROUP: "members"}
"""The attribute in which each resource type shows who belongs to what."""

ENDPOINTS = {USER: "Users", GROUP: "Groups"}
"""The endpoint of each resource type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A stored resource and its memberships; None: they were not asked for and not loaded."""

    stored: Stored
    memberships: Sequence[Membership] | None = field(default=None, repr=False)

    @property
    def path(self) -> str:
        """Return where the resource is, relative to the SCIM root."""
        return f"{ENDPOINTS[self.stored.kind]}/{self.stored.scim_id}"


def load(
    tx: Transaction, resources: Sequence[Stored], parameters: ResponseParameters[Any] | None = None
) -> list[Shown]:
    """Return resources with their memberships: two statements at most, however many resources."""
    found: dict[int, list[Membership]] = {}
    loaded = {kind for kind in MEMBERSHIPS if wants_memberships(kind, parameters)}
    groups = [stored.id for stored in resources if stored.kind == GROUP and GROUP in loaded]
    users = [stored.id for stored in resources if stored.kind == USER and USER in loaded]
    found |= members.members_of(tx, groups)
    found |= members.groups_of(tx, users)
    return [
        Shown(stored=stored, memberships=found.get(stored.id, []) if stored.kind in loaded else None)
        for stored in resources
    ]


def wants_memberships(kind: str, parameters: ResponseParameters[Any] | None) -> bool:
    """Tell whether a response shows the memberships, so that they must be loaded."""
    if parameters is None:
        return True
    name = MEMBERSHIPS[kind]
    if parameters.attributes:
        return any(_head(path) == name for path in parameters.attributes)
    return name not in [_short(path) for path in parameters.excluded_attributes or []]


def document_of(shown: Shown, *, base_url: str | None = None) -> dict[str, Any]:
    """Return the whole resource as SCIM JSON. Without a base URL, references are relative and there is no location."""
    stored = shown.stored
    document = dict(stored.document)
    whole: dict[str, Any] = {"schemas": document.pop("schemas", []), "id": stored.scim_id, **document}
    if base_url is not None:
        _locate_manager(whole, base_url)
    if shown.memberships or (shown.memberships is not None and stored.kind == GROUP):
        # An empty group says so: authentik adds nobody to a group without the key.
        whole[MEMBERSHIPS[stored.kind]] = [_membership(stored.kind, each, base_url) for each in shown.memberships]
    whole["meta"] = {
        "resourceType": stored.kind,
        "created": to_iso(stored.created_at),
        "lastModified": to_iso(stored.modified_at),
        **({} if base_url is None else {"location": f"{base_url}/{shown.path}"}),
        "version": stored.etag,
    }
    return whole


def model_of(shown: Shown) -> Resource[Any]:
    """Return the resource as the library's model, without location. An empty group has no members at all."""
    document = document_of(shown)
    if not document.get("members", True):
        del document["members"]
    return MODELS[shown.stored.kind].model_validate(document)


def document_to_store(resource: Resource[Any]) -> dict[str, Any]:
    """Return what is kept of a resource: nothing that the server makes, no memberships, no password."""
    document = resource.model_dump()
    for name in ("id", "meta", "groups", "members", "password"):
        document.pop(name, None)
    return document


def _membership(kind: str, end: Membership, base_url: str | None) -> dict[str, Any]:
    other, type_ = (USER, USER) if kind == GROUP else (GROUP, "direct")
    reference = f"{ENDPOINTS[other]}/{end.scim_id}"
    shown = {"value": end.scim_id, "$ref": reference if base_url is None else f"{base_url}/{reference}"}
    if kind == USER:
        shown["display"] = json.loads(end.document).get("displayName", "")
    return {**shown, "type": type_}


def _locate_manager(whole: dict[str, Any], base_url: str) -> None:
    manager = (whole.get(ENTERPRISE_USER) or {}).get("manager") or {}
    reference = manager.get("$ref")
    if isinstance(reference, str) and reference.startswith("Users/"):
        located = {**manager, "$ref": f"{base_url}/{reference}"}
        whole[ENTERPRISE_USER] = {**whole[ENTERPRISE_USER], "manager": located}


def _short(path: str) -> str:
    return path.lower().rsplit(":", 1)[-1]


def _head(path: str) -> str:
    return _short(path).split(".", 1)[0]
