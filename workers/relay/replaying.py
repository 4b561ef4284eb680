"""Puts back the people of approved replays, a portion each time round; how far it has come stands in the store."""

import structlog

from scim_bridge.domain.instants import Millis
from scim_bridge.store import plan_items, plans
from scim_bridge.store.engine import Contended, StoreUnavailable
from scim_bridge.store.plans import Plan
from workers.runtime import Runtime

_log = structlog.get_logger(__name__)

EVERY_MS = 250
"""An approved replay begins this soon; looking for one is a small query."""

PEOPLE_A_TRANSACTION = 1_000
"""Short enough that senders never wait long, and a whole number of calls of every size that targets take."""


def run_once(runtime: Runtime, now: Millis) -> Millis:
    """Put back a portion of each running replay and return when to come again: at once when there may be more."""
    with runtime.store.across_tenants("relay: replays that run") as tx:
        running = plans.running(tx)
    # Each has its turn: a long one keeps nobody else's.
    is_done = [_work(runtime, plan) for plan in running]
    return now + EVERY_MS if all(is_done) else now


def _work(runtime: Runtime, plan: Plan) -> bool:
    """Put back a portion of a replay; tell whether it can rest now."""
    try:
        return _put_back(runtime, plan)
    except Contended:
        # Somebody else was there at the same moment; the next round does it.
        return False
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - one tenant's replay must not keep those of the others
        _log.warning("replay_put_off", tenant=plan.tenant, replay=plan.id, kind=type(error).__name__)
        return True


def _put_back(runtime: Runtime, plan: Plan) -> bool:
    with runtime.store.begin(plan.tenant, write=False) as tx:
        turn = plan_items.next_people(tx, plan.id, most=PEOPLE_A_TRANSACTION)
    with runtime.store.begin(plan.tenant) as tx:
        if turn is None:
            plan_items.finish(tx, plan.id)
            return True
        lane_id, people = turn
        replayed = plan_items.put_back(tx, plan.id, lane_id, people)
    _log.info("replay_went_on", tenant=plan.tenant, replay=plan.id, operations=len(replayed.waiting))
    for target, urgent in replayed.wakes.items():
        runtime.dispatcher.wake(plan.tenant, target, urgent=urgent)
    return False
