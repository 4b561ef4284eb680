"""The functions that the queue names. Each may run twice and changes nothing the second time."""

from workers import queue, runtime
from workers.delivery import round as delivery_round


def deliver(tenant: str, target: str, woken_by: str) -> None:
    """Drain one lane for a while."""
    queue.forget_wake(woken_by, tenant, target)
    delivery_round.work_lane(runtime.current(), tenant, target)
