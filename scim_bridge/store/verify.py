"""Proves the books: the two sides are compared row by row, never counted from one column."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.states import CLOSED, OPEN, State, is_legal
from scim_bridge.store import seals, tables
from scim_bridge.store.engine import Store, Transaction

_BOOKS = (tables.change, tables.operation, tables.entry, tables.batch, tables.closed)


def verify_ledger(store: Store, tenant: str | None = None) -> dict[str, Any]:
    """Compare the books of one tenant, or of all, and return the result in the form of `ledger verify --json`."""
    with store.across_tenants("verify the ledger") as tx:
        names = [tenant] if tenant else _tenants(tx)
        reports = [_verify_tenant(tx, name) for name in names]
    return {"balanced": all(report["balanced"] for report in reports), "tenants": reports}


def _tenants(tx: Transaction) -> list[str]:
    found: set[str] = set()
    for table in (tables.tenant, tables.resource, *_BOOKS):
        found |= {row.tenant for row in tx.connection.execute(sa.select(table.c.tenant).distinct())}
    return sorted(found)


def _verify_tenant(tx: Transaction, tenant: str) -> dict[str, Any]:
    books = _Books(tx, tenant)
    faults = [*books.check_seals(), *books.check_changes(), *books.check_operations(), *books.check_batches()]
    states = Counter(row["state"] for row in books.operations.values())
    open_changes = {row["change_number"] for row in books.operations.values() if State(row["state"]) in OPEN}
    stuck = {row["change_number"] for row in books.operations.values() if State(row["state"]) not in OPEN | CLOSED}
    unfinished = len(open_changes | stuck)
    return {
        "tenant": tenant,
        "changes": {"accepted": len(books.changes), "open": unfinished, "closed": len(books.changes) - unfinished},
        "operations": {state.value: states.get(state.value, 0) for state in State},
        "faults": faults,
        "balanced": not faults,
    }


class _Books:
    """One tenant's books, read once."""

    def __init__(self, tx: Transaction, tenant: str) -> None:
        def rows(table: sa.Table, *order: Any) -> list[dict[str, Any]]:
            query = sa.select(table).where(table.c.tenant == tenant).order_by(*order)
            return [dict(row) for row in tx.connection.execute(query).mappings()]

        self.changes = {row["number"]: row for row in rows(tables.change, tables.change.c.number)}
        self.operations = {row["id"]: row for row in rows(tables.operation, tables.operation.c.id)}
        self.entries = rows(tables.entry, tables.entry.c.id)
        self.batches = {row["id"]: row for row in rows(tables.batch, tables.batch.c.id)}
        self.closed = rows(tables.closed, tables.closed.c.id)
        self.lanes = rows(tables.lane, tables.lane.c.id)
        resource = tables.resource.c
        query = sa.select(resource.id, resource.version).where(resource.tenant == tenant)
        self.versions = {row.id: row.version for row in tx.connection.execute(query)}

    def check_seals(self) -> Iterator[str]:
        """Name rows whose values are not those that were written."""
        books: tuple[tuple[sa.Table, str, Any], ...] = (
            (tables.change, "number", self.changes.values()),
            (tables.operation, "id", self.operations.values()),
            (tables.entry, "id", self.entries),
            (tables.batch, "id", self.batches.values()),
            (tables.closed, "id", self.closed),
        )
        for table, key, rows in books:
            for row in rows:
                if seals.seal_of(table, row) != row["seal"]:
                    yield f"{table.name} {row[key]}: altered (its seal does not fit)"

    def check_changes(self) -> Iterator[str]:
        """Compare what each change owes with the operations that name it, and follow each resource's chain."""
        owed = Counter(row["change_number"] for row in self.operations.values())
        closed = Counter({row["ref"]: row["count"] for row in self.closed if row["kind"] == "operations"})
        for number, change in self.changes.items():
            if owed[number] + closed[number] != change["owed"]:
                yield (
                    f"change {number}: owes {change['owed']} operations, "
                    f"{owed[number]} name it and {closed[number]} are closed"
                )
        for number in sorted(owed.keys() - self.changes.keys()):
            ids = [str(row["id"]) for row in self.operations.values() if row["change_number"] == number]
            yield f"change {number}: missing, named by operation {', '.join(ids[:5])}"
        for number in sorted(closed.keys() - self.changes.keys()):
            yield f"change {number}: missing, named by a closed row"
        yield from self._check_chains()

    def _check_chains(self) -> Iterator[str]:
        last: dict[int, int] = {}
        for number, change in self.changes.items():
            resource_id = change["resource_id"]
            before = last.get(resource_id, 0)
            if change["previous"] != before:
                yield (
                    f"change {number}: follows change {change['previous']} of its resource, "
                    f"the books have {before or 'none'} before it"
                )
            last[resource_id] = number
        for resource_id, version in self.versions.items():
            if last.get(resource_id) != version:
                yield f"change {version}: last of resource {resource_id} by its version, the books end with another"
        for resource_id in sorted(last.keys() - self.versions.keys()):
            yield f"change {last[resource_id]}: its resource {resource_id} is missing"

    def check_operations(self) -> Iterator[str]:
        """Replay each operation's entries through the table of transitions and compare where it ends."""
        replayed = dict.fromkeys(self.operations, State.WAITING)
        last: dict[int, dict[str, Any]] = {}
        for entry in self.entries:
            operation_id, outcome = entry["operation_id"], entry["outcome"]
            if operation_id not in replayed:
                yield f"operation {operation_id}: missing, named by entry {entry['id']}"
                continue
            if outcome not in State or not is_legal(replayed[operation_id], State(outcome)):
                before = replayed[operation_id]
                yield f"entry {entry['id']}: operation {operation_id} cannot go from {before} to {outcome}"
                continue
            replayed[operation_id] = State(outcome)
            last[operation_id] = entry
        for operation_id, operation in self.operations.items():
            if operation["state"] != replayed[operation_id]:
                said = replayed[operation_id]
                yield f"operation {operation_id}: stands as {operation['state']}, its entries say {said}"
            elif operation_id in last:
                yield from self._check_end(operation, last[operation_id])

    def _check_end(self, operation: dict[str, Any], entry: dict[str, Any]) -> Iterator[str]:
        name = f"operation {operation['id']}"
        batch = self.batches.get(entry["batch_id"])
        if operation["state"] == State.DELIVERED and (batch is None or batch["status"] != "finished"):
            yield f"{name}: delivered without a finished batch"
        if operation["state"] == State.SENDING and (batch is None or batch["status"] != "open"):
            yield f"{name}: sending without an open batch"
        if operation["state"] == State.SUPERSEDED:
            newer = self.operations.get(entry["superseded_by"])
            known = any(row["kind"] == "operations" for row in self.closed) and newer is None
            if not known and not _is_newer(newer, operation):
                yield f"{name}: superseded by no newer operation of its lane and resource"

    def check_batches(self) -> Iterator[str]:
        """Compare the batches with the entries that name them, and their numbers with the lane's count."""
        named: dict[int, set[int]] = {}
        for entry in self.entries:
            if entry["batch_id"] is not None:
                named.setdefault(entry["batch_id"], set()).add(entry["operation_id"])
        for batch_id, batch in self.batches.items():
            items = set(json.loads(batch["items"])) & self.operations.keys()
            odd = named.pop(batch_id, set()) ^ items
            if odd:
                yield f"batch {batch_id}: its items and the entries that name it differ at operation {min(odd)}"
        for batch_id, ids in sorted(named.items()):
            yield f"batch {batch_id}: missing, named by the entries of operation {min(ids)}"
        yield from self._check_numbers()

    def _check_numbers(self) -> Iterator[str]:
        for lane in self.lanes:
            name = f"{lane['tenant']}/{lane['target']}"
            present = Counter(row["number"] for row in self.batches.values() if row["lane_id"] == lane["id"])
            for row in self.closed:
                if row["kind"] == "batches" and row["ref"] == lane["id"]:
                    present.update(range(row["first"], row["first"] + row["count"]))
            for number in range(1, lane["batches"] + 1):
                if present[number] != 1:
                    yield f"batch number {number} of lane {name}: found {present[number]} times"
            for number in sorted(number for number in present if number > lane["batches"]):
                yield f"batch number {number} of lane {name}: beyond the lane's count"


def _is_newer(newer: dict[str, Any] | None, operation: dict[str, Any]) -> bool:
    return (
        newer is not None
        and newer["id"] > operation["id"]
        and (newer["lane_id"], newer["resource_id"]) == (operation["lane_id"], operation["resource_id"])
    )
