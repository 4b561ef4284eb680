"""Giving dead operations up, in the caller's transaction."""

from collections.abc import Mapping

from scim_bridge.domain.states import State
from scim_bridge.store import ledger, outbox, versions
from scim_bridge.store.engine import Transaction

DISCARDED = "discarded"
"""The code of what an operator gave up."""


def give_up(tx: Transaction, operations: Mapping[int, int], *, who: str, reason: str) -> list[int]:
    """Discard operations (id -> resource) that are dead still, with an entry each, and return their ids."""
    # A replay locks people before their operations: taking the same lock first, neither waits for the other.
    versions.of(tx, sorted(set(operations.values())))
    values = {"state": State.DISCARDED.value, "reason": DISCARDED}
    gone = sorted(outbox.move(tx, sorted(operations), before=State.DEAD, values=values))
    if gone:
        ledger.append_alike(
            tx, gone, outcome=State.DISCARDED.value, code=DISCARDED, detail=reason, batch_id=None, who=who
        )
    return gone
