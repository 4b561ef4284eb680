"""The functions that the queue names. Each may run twice and changes nothing the second time."""

from collections.abc import Callable

from scim_bridge import dispatch
from workers import errands, runtime
from workers.delivery import round as delivery_round


def deliver(tenant: str, target: str, woken_by: str) -> None:
    """Drain one lane for a while."""
    runtime.current().dispatcher.heard(tenant, target, queue=woken_by)
    delivery_round.work_lane(runtime.current(), tenant, target, for_leavers=woken_by == dispatch.LEAVERS)


def errand(tenant: str, number: int) -> None:
    """Begin to carry an operator's errand out."""
    errands.start(runtime.current(), tenant, number)


JOBS: dict[str, Callable[..., None]] = {dispatch.DELIVER: deliver, dispatch.ERRAND: errand}
"""Everything that the queue may name."""
