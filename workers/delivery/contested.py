"""Puts repairs off that another system undoes again and again, and says so."""

import dataclasses
from collections.abc import Collection, Sequence

import structlog

from scim_bridge.domain.replies import Outcome
from scim_bridge.store import drifts
from scim_bridge.store.engine import Transaction
from workers.delivery.post import Post
from workers.policy import contradictions

log = structlog.get_logger(__name__)


def put_off(tx: Transaction, post: Post, outcomes: Sequence[Outcome], *, leaving: Collection[int]) -> list[Outcome]:
    """Return the outcomes of a look-up, with the repair of every drift due when it is its time; others as they are.

    `leaving` are the resources of people who should be out.
    """
    drifted = [outcome.resource_id for outcome in outcomes if outcome.code == "drift"]
    if not drifted:
        return list(outcomes)
    earlier = drifts.seen(tx, post.lane_id, drifted, since=tx.now - contradictions.WINDOW_MS)
    return [
        _when(post, each, earlier.get(each.resource_id, 0), is_leaver=each.resource_id in leaving)
        if each.code == "drift"
        else each
        for each in outcomes
    ]


def _when(post: Post, outcome: Outcome, earlier: int, *, is_leaver: bool) -> Outcome:
    wait_ms = contradictions.wait_ms(earlier, is_leaver=is_leaver)
    if not wait_ms:
        return outcome
    log.warning(
        "drift_contested",
        tenant=post.tenant,
        target=post.target_name,
        operation=outcome.operation_id,
        drifts=earlier + 1,
        repaired_in_s=wait_ms // 1000,
    )
    told = f"{outcome.detail}; drift {earlier + 1} in a day, so it is repaired in {wait_ms // 60_000} min"
    return dataclasses.replace(outcome, due_at=post.now() + wait_ms, detail=told)
