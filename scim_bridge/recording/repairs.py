"""Changes that no sender asked for: each repairs one resource in one lane, and is in the books like any other."""

from collections.abc import Sequence

from scim_bridge.store import ledger, outbox, versions
from scim_bridge.store.engine import Transaction


def owe(
    tx: Transaction,
    lane_id: int,
    resource_ids: Sequence[int],
    *,
    kind: str,
    source: str,
    priority: int,
    correlation_id: str = "",
) -> int:
    """Owe one lane one operation for each resource, and return how many. `kind` says why: readback, repair."""
    before = versions.of(tx, resource_ids)
    numbers: list[tuple[int, int]] = []
    for resource_id, version in before.items():
        number = ledger.append_change(
            tx,
            resource_id=resource_id,
            previous=version,
            kind=kind,
            source=source,
            token_id=None,
            correlation_id=correlation_id,
            request="{}",
            owed=1,
        )
        outbox.owe(tx, change=number, lane_ids=[lane_id], resource_ids=[resource_id], priority=priority)
        numbers.append((resource_id, number))
    versions.advance(tx, numbers)
    return len(numbers)
