"""The functions that the queue names. Each may run twice and changes nothing the second time."""

from collections.abc import Callable

from scim_bridge import dispatch
from workers import runtime
from workers.delivery import round as delivery_round


def deliver(tenant: str, target: str, woken_by: str) -> None:
    """Drain one lane for a while."""
    runtime.current().dispatcher.heard(tenant, target, queue=woken_by)
    delivery_round.work_lane(runtime.current(), tenant, target, for_leavers=woken_by == dispatch.LEAVERS)


JOBS: dict[str, Callable[..., None]] = {dispatch.DELIVER: deliver}
"""Everything that the queue may name."""
