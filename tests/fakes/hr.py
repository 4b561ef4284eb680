"""An HR source as tests need it: rows in, what became of them and the directory out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.rows import Person, Refusal
from scim_bridge.recording import rows
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.rows import Became, Recorded, Said
from scim_bridge.recording.scopes import TargetScope
from scim_bridge.store import lanes, tables
from scim_bridge.store.engine import Store

DAY_MS = 86_400_000


def person(number: str, name: str = "", **more: Any) -> Person:
    """Return whom a whole row describes; `document` overrides what is made up."""
    name = name or f"person{number}"
    given = more.pop("document", {})
    document = {
        "userName": f"{name}@acme.example",
        "externalId": number,
        "name": {"givenName": name.title(), "familyName": "Example"},
        "emails": [{"value": f"{name}@acme.example", "type": "work", "primary": True}],
        **given,
    }
    return Person(external_id=number, document=document, **more)


@dataclass(slots=True, kw_only=True)
class Company:
    """One tenant with an HR source and two targets."""

    store: Store
    source: str = "hr"
    tenant: str = "acme"
    owns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    scopes: Mapping[str, TargetScope] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with self.store.across_tenants("lanes for the test", write=True) as tx:
            lanes.sync(tx, [(self.tenant, "one"), (self.tenant, "two")])

    def record(self, *said: Said, source: str | None = None) -> Recorded:
        with self.store.begin(self.tenant) as tx:
            return rows.record(
                tx,
                said,
                source=source or self.source,
                owns=self.owns,
                scopes=self.scopes,
                origin=Origin(source=source or self.source, correlation_id="import"),
            )

    def tell(self, *what: Person | Refusal, at: int | None = None, **more: Any) -> list[Became]:
        """Record whole rows that were all said at one instant."""
        said = [
            Said(
                position=position,
                external_id=each.external_id if isinstance(each, Person) else "",
                what=each,
                said_at=at,
                **more,
            )
            for position, each in enumerate(what, 1)
        ]
        return list(self.record(*said).became)

    def outcomes(self, *what: Person | Refusal, at: int | None = None, **more: Any) -> list[str]:
        """Record whole rows and return in a word each what became of them."""
        return [f"{each.outcome} {each.code}".strip() for each in self.tell(*what, at=at, **more)]

    def end(self, number: str) -> list[Became]:
        """Record that the source holds an id no more."""
        return list(self.record(Said(position=1, external_id=number, what=None)).became)

    def people(self) -> dict[str, dict[str, Any]]:
        """Return the living users' documents by userName, each with `active` as the directory has it."""
        resource = tables.resource
        with self.store.begin(self.tenant, write=False) as tx:
            found = tx.connection.execute(
                sa.select(resource).where(
                    resource.c.tenant == self.tenant, resource.c.deleted_at.is_(None), resource.c.kind == "User"
                )
            ).mappings()
            documents = [{**json.loads(row["document"]), "active": bool(row["active"])} for row in found]
        return {each["userName"].partition("@")[0]: each for each in documents}

    def active(self) -> dict[str, bool]:
        """Return who is active, by name."""
        return {name: each["active"] for name, each in sorted(self.people().items())}

    def waiting(self) -> list[tuple[str, int]]:
        """Return of the operations that wait the target and the priority."""
        operation, lane = tables.operation, tables.lane
        with self.store.begin(self.tenant, write=False) as tx:
            query = (
                sa.select(lane.c.target, operation.c.priority)
                .join(lane, lane.c.id == operation.c.lane_id)
                .where(operation.c.state == "waiting", operation.c.tenant == self.tenant)
                .order_by(operation.c.id)
            )
            return [(row.target, row.priority) for row in tx.connection.execute(query)]

    def changes(self) -> int:
        """Return how many changes the books hold."""
        with self.store.begin(self.tenant, write=False) as tx:
            query = sa.select(sa.func.count()).where(tables.change.c.tenant == self.tenant)
            return int(tx.connection.execute(query).scalar_one())
