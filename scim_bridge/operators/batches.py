"""One call to a target: what was sent and answered, redacted, and what became of each person in it."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from scim_bridge.domain.catalogue import CATALOGUE
from scim_bridge.domain.instants import Millis, to_iso
from scim_bridge.errors import NotThere
from scim_bridge.store import evidence, histories
from scim_bridge.store.engine import Store

Row = Mapping[str, Any]


def show(store: Store, tenant: str | None, number: int) -> dict[str, Any]:
    """Return a batch by its id, in the form of `batch show --json`; `tenant` is None for any tenant's.

    Request and answer are empty once their time of keeping is over.

    Raises:
        NotThere: there is no such batch, or not for this tenant.
    """
    door = store.across_tenants("show a batch") if tenant is None else store.begin(tenant, write=False)
    with door as tx:
        found = evidence.batch_of(tx, number)
        people = {} if found is None else evidence.people_of(tx, found)
    if found is None:
        raise NotThere(f"there is no batch {number}")
    told = [_person(place, each, people.get(each)) for place, each in enumerate(found["items"], 1)]
    settled_at = found["settled_at"]
    return {
        "batch": found["id"],
        "tenant": found["tenant"],
        "target": found["target"],
        "number": found["number"],
        "step": found["step"],
        "method": found["method"],
        "path": found["path"],
        "status": found["status"],
        "http_status": found["http_status"],
        "late": bool(found["late"]),
        "opened_at": to_iso(found["opened_at"]),
        "deadline_at": to_iso(found["deadline_at"]),
        "settled_at": _iso(settled_at),
        "took_ms": None if settled_at is None else settled_at - found["opened_at"],
        "request": json.loads(found["request"]),
        "answer": None if found["answer"] is None else json.loads(found["answer"]),
        "outcomes": dict(sorted(Counter(each["outcome"] or "open" for each in told).items())),
        "people": told,
    }


def _person(place: int, operation_id: int, row: Row | None) -> dict[str, Any]:
    """Return one of a batch; of whom retention has removed the operation, only that they were in it."""
    code = CATALOGUE.get(row["code"]) if row is not None else None
    return {
        "position": place,
        "operation": operation_id,
        "id": None if row is None else row["scim_id"],
        "user": None if row is None else histories.label_of(histories.document_of(row["document"])),
        "kind": None if row is None else row["kind"],
        "outcome": None if row is None else row["outcome"],
        "code": None if row is None else row["code"],
        "detail": None if row is None else row["detail"],
        "advice": "" if code is None else code.advice,
        "state": None if row is None else row["state"],
    }


def _iso(instant: Millis | None) -> str | None:
    return None if instant is None else to_iso(instant)
