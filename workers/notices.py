"""What people are told at once, because they must decide: a line in the log and a metric. Ids and numbers only."""

import structlog

from scim_bridge import metrics

_log = structlog.get_logger(__name__)

OPERATIONS_NAMED = 20
"""So many operations stand in the line of a hold; `hold list` names them all."""


def tell_held(tenant: str, target: str, operations: list[int], *, most: int, window_s: int) -> None:
    """Tell that the guard holds people's deactivations: more than `most` in the window."""
    metrics.HELD.labels(tenant=tenant, target=target).inc(len(operations))
    _log.warning(
        "deactivations_held",
        tenant=tenant,
        target=target,
        people=len(operations),
        most=most,
        window_s=window_s,
        operations=operations[:OPERATIONS_NAMED],
    )


def tell_still_held(tenant: str, target: str, people: int) -> None:
    """Tell that nobody has decided about held people for a long time."""
    _log.warning("deactivations_still_held", tenant=tenant, target=target, people=people)
