"""A resource as senders see it: the stored document with id, memberships and meta, and what of it was asked for."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from scim2_models import Resource, ResponseParameters

from scim_bridge.domain.instants import to_iso
from scim_bridge.domain.models import MODELS
from scim_bridge.domain.resources import DELIVERY, ENTERPRISE_USER, GROUP, USER
from scim_bridge.intake.scim import projection
from scim_bridge.store import members, standing
from scim_bridge.store.directory import Stored
from scim_bridge.store.engine import Transaction, compact_json
from scim_bridge.store.members import Membership
from scim_bridge.store.standing import Standing

MEMBERSHIPS = {USER: "groups", GROUP: "members"}
"""The attribute in which each resource type shows who belongs to what."""

ENDPOINTS = {USER: "Users", GROUP: "Groups"}
"""The endpoint of each resource type."""

_NOWHERE: Mapping[int, Sequence[Standing]] = MappingProxyType({})


class Shown(NamedTuple):
    """A stored resource, its memberships (None: they were not asked for and not loaded) and where it stands."""

    stored: Stored
    memberships: Sequence[Membership] | None = None
    standings: Sequence[Standing] = ()
    """Where it stands in its targets, if that was asked for."""

    @property
    def id(self) -> str:
        """Return the SCIM id, as the library's bulk plan asks for it."""
        return self.stored.scim_id

    @property
    def path(self) -> str:
        """Return where the resource is, relative to the SCIM root."""
        return f"{ENDPOINTS[self.stored.kind]}/{self.stored.scim_id}"


def load(
    tx: Transaction, resources: Sequence[Stored], parameters: ResponseParameters[Any] | None = None
) -> list[Shown]:
    """Return resources with what is shown of them: three statements at most, however many resources."""
    found: dict[int, list[Membership]] = {}
    loaded = {kind for kind in MEMBERSHIPS if wants_memberships(kind, parameters)}
    groups = [stored.id for stored in resources if stored.kind == GROUP and GROUP in loaded]
    users = [stored.id for stored in resources if stored.kind == USER and USER in loaded]
    found |= members.members_of(tx, groups)
    found |= members.groups_of(tx, users)
    followed = {kind for kind in MEMBERSHIPS if wants_standings(kind, parameters)}
    standings = standing.of_resources(tx, [stored.id for stored in resources if stored.kind in followed])
    return together(resources, found, parameters, standings=standings)


def together(
    resources: Sequence[Stored],
    memberships: Mapping[int, Sequence[Membership]],
    parameters: ResponseParameters[Any] | None,
    *,
    standings: Mapping[int, Sequence[Standing]] = _NOWHERE,
) -> list[Shown]:
    """Return resources with what was read of each by its number, as far as it is shown."""
    loaded = {kind for kind in MEMBERSHIPS if wants_memberships(kind, parameters)}
    return [
        Shown(
            stored=stored,
            memberships=memberships.get(stored.id, []) if stored.kind in loaded else None,
            standings=standings.get(stored.id, ()),
        )
        for stored in resources
    ]


def wants_memberships(kind: str, parameters: ResponseParameters[Any] | None) -> bool:
    """Tell whether a response shows the memberships, so that they must be loaded."""
    kept = projection.of(kind, parameters)
    name = MEMBERSHIPS[kind]
    return kept is None or kept.shows(name)


def wants_standings(kind: str, parameters: ResponseParameters[Any] | None) -> bool:
    """Tell whether a response shows where resources stand in their targets."""
    kept = projection.of(kind, parameters)
    asked = None if kept is None else kept.extensions.get(DELIVERY)
    return asked is not None and bool(asked.whole or asked.parts)


def text_of(shown: Shown, *, base_url: str, parameters: ResponseParameters[Any] | None = None) -> str:
    """Return a resource as the JSON text that senders get. What is stored is handed on as it is, never read."""
    return texts_of([shown], base_url=base_url, parameters=parameters)


def texts_of(resources: Iterable[Shown], *, base_url: str, parameters: ResponseParameters[Any] | None = None) -> str:
    """Return resources as `text_of` does, with commas between them."""
    projections = {kind: projection.of(kind, parameters) for kind in MEMBERSHIPS}
    # A quotation mark inside a JSON text is always escaped, so that only a reference itself looks like this.
    base = _escaped(base_url)
    texts = []
    for shown in resources:
        kept = projections[shown.stored.kind]
        if kept is None:
            texts.append(_whole_text(shown, base))
        else:
            texts.append(compact_json(kept.cut(document_of(shown, base_url=base_url, with_meta=kept.shows("meta")))))
    return ",".join(texts)


def _whole_text(shown: Shown, base: str) -> str:
    stored = shown.stored
    kind, scim_id = stored.kind, stored.scim_id
    located = stored.text.replace('"$ref":"Users/', f'"$ref":"{base}/Users/')
    memberships = ""
    ends = shown.memberships
    if ends or (ends is not None and kind == GROUP):
        shown_end = _member_text if kind == GROUP else _group_text
        memberships = f',"{MEMBERSHIPS[kind]}":[{",".join([shown_end(end, base) for end in ends])}]'
    created = modified = to_iso(stored.created_at)
    if stored.modified_at != stored.created_at:
        modified = to_iso(stored.modified_at)
    return (
        f'{{"id":"{scim_id}",{located[1:-1]}{memberships},"meta":{{"resourceType":"{kind}",'
        f'"created":"{created}","lastModified":"{modified}","location":"{base}/{ENDPOINTS[kind]}/{scim_id}",'
        f'"version":"W/\\"{stored.version}\\""}}}}'
    )


def document_of(shown: Shown, *, base_url: str | None = None, with_meta: bool = True) -> dict[str, Any]:
    """Return the whole resource as SCIM JSON. Without a base URL, references are relative and there is no location."""
    stored = shown.stored
    document = dict(stored.document)
    whole: dict[str, Any] = {"schemas": document.pop("schemas", []), "id": stored.scim_id, **document}
    if base_url is not None:
        _locate_manager(whole, base_url)
    if shown.standings:
        whole["schemas"] = [*whole["schemas"], DELIVERY]
        whole[DELIVERY] = {"targets": [_standing(each) for each in shown.standings]}
    if shown.memberships or (shown.memberships is not None and stored.kind == GROUP):
        # An empty group says so: authentik adds nobody to a group without the key.
        whole[MEMBERSHIPS[stored.kind]] = [_membership(stored.kind, each, base_url) for each in shown.memberships]
    if with_meta:
        whole["meta"] = _meta(shown, base_url)
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


@lru_cache(maxsize=64)
def _escaped(text: str) -> str:
    """Return a text as it stands between the quotation marks of JSON."""
    return compact_json(text)[1:-1]


def _meta(shown: Shown, base_url: str | None) -> dict[str, Any]:
    stored = shown.stored
    return {
        "resourceType": stored.kind,
        "created": to_iso(stored.created_at),
        "lastModified": to_iso(stored.modified_at),
        **({} if base_url is None else {"location": f"{base_url}/{shown.path}"}),
        "version": stored.etag,
    }


def _membership(kind: str, end: Membership, base_url: str | None) -> dict[str, Any]:
    other, type_ = (USER, USER) if kind == GROUP else (GROUP, "direct")
    reference = f"{ENDPOINTS[other]}/{end.scim_id}"
    shown = {"value": end.scim_id, "$ref": reference if base_url is None else f"{base_url}/{reference}"}
    if kind == USER:
        shown["display"] = json.loads(end.document).get("displayName", "")
    return {**shown, "type": type_}


def _member_text(end: Membership, base: str) -> str:
    return f'{{"value":"{end.scim_id}","$ref":"{base}/{ENDPOINTS[USER]}/{end.scim_id}","type":"{USER}"}}'


@lru_cache(maxsize=1024)
def _group_text(end: Membership, base: str) -> str:
    """Return a group as its members show it. Many people of a page are in the same groups."""
    display = compact_json(json.loads(end.document).get("displayName", ""))
    reference = f"{base}/{ENDPOINTS[GROUP]}/{end.scim_id}"
    return f'{{"value":"{end.scim_id}","$ref":"{reference}","display":{display},"type":"direct"}}'


def _standing(each: Standing) -> dict[str, Any]:
    code = {} if each.code is None else {"code": each.code}
    return {"target": each.target, "state": each.state.value, **code, "time": to_iso(each.at)}


def _locate_manager(whole: dict[str, Any], base_url: str) -> None:
    manager = (whole.get(ENTERPRISE_USER) or {}).get("manager") or {}
    reference = manager.get("$ref")
    if isinstance(reference, str) and reference.startswith("Users/"):
        located = {**manager, "$ref": f"{base_url}/{reference}"}
        whole[ENTERPRISE_USER] = {**whole[ENTERPRISE_USER], "manager": located}
