"""Operations that nobody's edit caused: a read-back after a late answer, or a repair that an operator asked for."""

from collections.abc import Iterable

from scim_bridge.domain.people import Doubt, Priority
from scim_bridge.recording import repairs
from scim_bridge.store import due, links
from scim_bridge.store.engine import Transaction


def owe_read_back(tx: Transaction, lane_id: int, operation_ids: Iterable[int]) -> None:
    """Make each person of a batch that was answered too late due for a read-back."""
    resource_ids = sorted({person.resource_id for person in due.people_of(tx, operation_ids)})
    links.raise_doubt(tx, lane_id, resource_ids, Doubt.LATE)
    repairs.owe(tx, lane_id, resource_ids, kind="readback", source="bridge", priority=Priority.LEAVER)
