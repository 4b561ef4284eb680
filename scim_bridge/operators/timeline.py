"""One person's history: every change, what it made us owe each target, and what became of that."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from scim_bridge.domain.catalogue import CATALOGUE
from scim_bridge.domain.instants import Millis, to_iso
from scim_bridge.domain.states import State
from scim_bridge.operators import inbox, mapped
from scim_bridge.recording import merging, words
from scim_bridge.recording.merging import Owns
from scim_bridge.settings.models import Settings
from scim_bridge.store import histories
from scim_bridge.store.engine import Store

Row = Mapping[str, Any]


def show(
    store: Store,
    who: str,
    tenant: str | None = None,
    *,
    owns: Mapping[str, Owns] | None = None,
    settings: Settings | None = None,
) -> dict[str, Any]:
    """Return the histories of the people that `who` may mean, in the form of `user show --json`.

    `owns` names by tenant the attributes that each source decides; without it, all have a say in everything. With
    `settings`, `mapped` tells what each target should hold of them by today's mapping.

    `who` is a userName, an e-mail address, an externalId, a SCIM id or an account id in a target. Several people may
    bear one: of several tenants, or one who was deleted and came again. `people` is empty when there is nobody.
    """
    door = store.across_tenants("show a person's history") if tenant is None else store.begin(tenant, write=False)
    with door as tx:
        found = [histories.history_of(tx, number) for number in histories.find_people(tx, who)]
        now = tx.now
    return {"people": [_person(each, owns or {}, settings, now) for each in found]}


def _person(
    history: Mapping[str, Any], owns: Mapping[str, Owns], settings: Settings | None, now: Millis
) -> dict[str, Any]:
    resource = history["resource"]
    operations = _operations(history)
    return {
        "tenant": resource["tenant"],
        "id": resource["scim_id"],
        "user": histories.label_of(resource["document"]),
        "external_id": resource["external_id"],
        "active": bool(resource["active"]),
        "held_inactive_by": _holders(history, owns.get(resource["tenant"], {}), now),
        "deleted_at": _iso(resource["deleted_at"]),
        "groups": sorted(history["groups"]),
        "holds": [_hold(hold) for hold in history["holds"]],
        "mapped": [] if settings is None else mapped.by_target(history, settings),
        "sources": [
            {
                "source": said.source,
                "active": said.is_active_at(now),
                "said_at": to_iso(said.said_at),
                "deleted_at": _iso(said.ended_at),
                "attributes": sorted(merging.attributes_of(said.document)),
            }
            for said in history["said"]
        ],
        "links": [
            {
                "target": link["target"],
                "account": link["account_id"],
                "active": None if link["active"] is None else bool(link["active"]),
                "known_at": _iso(link["known_at"]),
                "doubt": link["doubt"],
                "known": _known(link),
            }
            for link in history["links"]
        ],
        "changes": [
            _change(change, operations.get(change["number"], []), history["tokens"]) for change in history["changes"]
        ],
        "batches": [_batch(batch, {row["id"] for row in history["operations"]}) for batch in history["batches"]],
    }


def _holders(history: Mapping[str, Any], owns: Owns, now: Millis) -> list[str]:
    """Return which sources hold a person inactive: nobody, if they are active or deleted for all."""
    resource = history["resource"]
    if resource["active"] or resource["deleted_at"] is not None:
        return []
    if history["said"]:
        said = {each.source: words.word_of(each, now=now) for each in history["said"]}
        return list(merging.merged(said, owns).held_inactive_by)
    # One source speaks, or one did until now: whoever said last whether they are active.
    own = [change for change in history["changes"] if change["resource_id"] == resource["id"]]
    return [change["source"] for change in own if "active" in json.loads(change["request"]).get("attributes", ())][-1:]


def _hold(hold: Row) -> dict[str, Any]:
    return {
        "target": hold["target"],
        "status": hold["status"],
        "reason": hold["reason"],
        "since": to_iso(hold["opened_at"]),
        "decided_by": hold["closed_by"],
    }


def _known(link: Row) -> dict[str, Any] | None:
    """Return what an account was last known to hold, None when nothing is known of it."""
    if link["active"] is None:
        return None
    parts = {name: json.loads(link[name] or "[]") for name in ("groups", "courses", "required_courses")}
    return {"active": bool(link["active"]), "attributes": json.loads(link["attributes"] or "{}"), **parts}


def _change(change: Row, operations: Sequence[dict[str, Any]], tokens: Mapping[str, str]) -> dict[str, Any]:
    return {
        "number": change["number"],
        "kind": change["kind"],
        "source": change["source"],
        "token_id": change["token_id"],
        "token_name": tokens.get(change["token_id"], ""),
        "received_at": to_iso(change["received_at"]),
        "correlation_id": change["correlation_id"],
        "request": json.loads(change["request"]),
        "operations": list(operations),
    }


def _operations(history: Mapping[str, Any]) -> dict[int, list[dict[str, Any]]]:
    """Return the person's operations by the number of the change that caused them."""
    entries: dict[int, list[Row]] = {}
    for entry in history["entries"]:
        entries.setdefault(entry["operation_id"], []).append(entry)
    by_id = {row["id"]: row for row in history["operations"]}
    found: dict[int, list[dict[str, Any]]] = {}
    for row in history["operations"]:
        notes = [inbox.told(remark) for remark in history["remarks"].get(row["id"], ())]
        found.setdefault(row["change_number"], []).append({**_operation(row, entries, by_id), "notes": notes})
    return found


def _operation(row: Row, entries: Mapping[int, Sequence[Row]], by_id: Mapping[int, Row]) -> dict[str, Any]:
    own = entries.get(row["id"], ())
    code = str(own[-1]["code"]) if own else ""
    fate = _fate(row["id"], entries, by_id)
    return {
        "operation": row["id"],
        "target": row["target"],
        "state": row["state"],
        "code": code,
        "advice": CATALOGUE[code].advice if code in CATALOGUE else "",
        "attempts": row["attempts"],
        "calls": sum(entry["outcome"] == State.SENDING for entry in own),
        "replayed": [{"who": entry["who"], "at": to_iso(entry["at"])} for entry in own if entry["code"] == "replayed"],
        "due_at": _iso(row["due_at"]) if row["state"] == State.WAITING else None,
        "carried_by": None if fate["id"] == row["id"] else fate["id"],
        "fate": fate["state"],
        "entries": [
            {
                "at": to_iso(entry["at"]),
                "outcome": entry["outcome"],
                "code": entry["code"],
                "detail": entry["detail"],
                "batch": entry["batch_id"],
                "superseded_by": entry["superseded_by"],
                "who": entry["who"],
            }
            for entry in own
        ],
    }


def _fate(operation_id: int, entries: Mapping[int, Sequence[Row]], by_id: Mapping[int, Row]) -> Row:
    """Return the operation whose end is also this one's: itself, or the last of those that took its place."""
    row = by_id[operation_id]
    seen: set[int] = set()
    while row["state"] == State.SUPERSEDED and row["id"] not in seen:
        seen.add(row["id"])
        # Retention may have removed the newer one; then this is as far as the books tell.
        newer = next((e["superseded_by"] for e in reversed(entries.get(row["id"], ())) if e["superseded_by"]), None)
        row = by_id.get(newer, row) if newer is not None else row
    return row


def _batch(batch: Row, operations: Collection[int]) -> dict[str, Any]:
    items = json.loads(batch["items"])
    return {
        "batch": batch["id"],
        "number": batch["number"],
        "target": batch["target"],
        "step": batch["step"],
        "method": batch["method"],
        "path": batch["path"],
        "people": len(items),
        "position": next((place for place, each in enumerate(items, 1) if each in operations), None),
        "request": json.loads(batch["request"]),
        "answer": None if batch["answer"] is None else json.loads(batch["answer"]),
        "status": batch["status"],
        "http_status": batch["http_status"],
        "opened_at": to_iso(batch["opened_at"]),
        "settled_at": _iso(batch["settled_at"]),
    }


def _iso(instant: Millis | None) -> str | None:
    return None if instant is None else to_iso(instant)
