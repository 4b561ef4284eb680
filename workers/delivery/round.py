"""One shift at one lane: choose, open, submit, settle, until nothing is due or somebody else's turn comes."""

import concurrent.futures
import time

import structlog

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.people import Step
from scim_bridge.planning.calls import Call
from scim_bridge.store import batches, due, lanes
from scim_bridge.store.engine import Contended, StoreUnavailable
from scim_bridge.store.settlement import NotAsExpected
from workers.delivery import choosing, dry_run, gate, grouping, pacing, probing, readback, settle, submitting
from workers.delivery.lease import LeaseKeeper
from workers.delivery.post import LEASE_MS, Post
from workers.runtime import Runtime
from workers.seen_groups import SeenGroups

log = structlog.get_logger(__name__)

SHIFT_S = 20.0
"""After this long a lane makes room for others and is woken again."""

TURN_S = 2.0
"""So long a lane is worked on while others wait for a worker."""

GIVES_WAY_MS = 250
"""A wait longer than this is left to the relay while other lanes wait for a worker."""

LONGEST_WAIT_MS = 1_000
"""A wait longer than this is the relay's, not a worker's."""

MOST_AHEAD_MS = 500
"""So long before a call may go it is planned at the earliest: then it need not wait for its plan."""

SETTLE_ATTEMPTS = 6
CONTENDED_MS = 50

Future = concurrent.futures.Future[submitting.Ended]


def work_lane(runtime: Runtime, tenant: str, target_name: str, *, for_leavers: bool = False) -> None:
    """Drain one lane for a while; returns at once when another worker has it or nothing is due.

    `for_leavers`: it goes before all other lanes, so it works only as long as leavers are due; the rest takes its turn.
    """
    try:
        post = take_post(runtime, tenant, target_name)
    except StoreUnavailable as error:
        log.warning("lane_not_taken", tenant=tenant, target=target_name, reason=str(error))
        return
    if post is None:
        return
    wake_at: Millis | None = None
    try:
        with LeaseKeeper(runtime.store, tenant=tenant, lane_id=post.lane_id, epoch=post.epoch) as keeper:
            wake_at = _Shift(post, keeper, for_leavers=for_leavers).work()
    except StoreUnavailable as error:
        # Nothing is lost with the shift: what was out stays open in the books, and the relay wakes the lane again.
        log.warning("shift_broken_off", tenant=tenant, target=target_name, reason=str(error))
        wake_at = post.now() + LONGEST_WAIT_MS
    finally:
        leave_post(post, wake_at)


def take_post(runtime: Runtime, tenant: str, target_name: str, *, patience_s: float = 0) -> Post | None:
    """Take a lane's lease; None when the lane is not configured, or another worker keeps it for `patience_s`."""
    settings = runtime.target_settings(tenant, target_name)
    if settings is None:
        log.warning("lane_not_configured", tenant=tenant, target=target_name)
        return None
    with runtime.store.begin(tenant, write=False) as tx:
        lane = lanes.by_target(tx, target_name)
    if lane is None:
        return None
    epoch, waited_s = None, 0.0
    while epoch is None:
        with runtime.store.begin(tenant) as tx:
            epoch = lanes.take_lease(tx, lane.id, owner=runtime.owner, lease_ms=LEASE_MS)
        if epoch is None:
            if waited_s >= patience_s:
                return None
            runtime.pause(0.2)
            waited_s += 0.2
    seen = runtime.seen_groups.setdefault((tenant, target_name), SeenGroups())
    grouping.catch_up(runtime.store, tenant, lane_id=lane.id, seen=seen)
    return Post(
        runtime=runtime,
        tenant=tenant,
        target_name=target_name,
        lane_id=lane.id,
        epoch=epoch,
        target=runtime.target(tenant, target_name),
        settings=settings,
        scope=runtime.scope(tenant, target_name),
        began_at=runtime.clock(),
        seen_groups=seen,
    )


def leave_post(post: Post, not_before: Millis | None) -> None:
    """Give the lane back, and tell the workers when there is more to do at once.

    `not_before` is when gate or quota let the next call through. What is due when, the relay reads for itself: so a
    change that comes a moment later never waits for something else's hour.
    """
    try:
        with post.store.begin(post.tenant) as tx:
            lanes.release_lease(tx, post.lane_id, epoch=post.epoch, wake_at=not_before)
            lane = lanes.by_target(tx, post.target_name)
            if lane is not None and lane.epoch == post.epoch:
                post.seen_groups.batches = lane.batches
            # Who is due on a paused lane waits for a person, who wakes it.
            is_stopped = lane is None or lane.paused_at is not None
            due_at = None if is_stopped else due.next_due(tx, post.lane_id)
            now = tx.now
    except StoreUnavailable:
        # The lease runs out by itself.
        return
    if due_at is not None and max(due_at, not_before or 0) <= now and not post.runtime.stopping.is_set():
        post.runtime.dispatcher.wake(post.tenant, post.target_name, urgent=False)


class _Shift:
    """The loop's state: what is out, and when the shift ends."""

    def __init__(self, post: Post, keeper: LeaseKeeper, *, for_leavers: bool) -> None:
        self._post = post
        self._keeper = keeper
        self._for_leavers = for_leavers
        self._out: dict[Future, submitting.Opened] = {}
        self._began_at = post.runtime.monotonic_s()
        self._is_ended = False
        self._ahead_ms = 0
        self._is_overtaken = False
        self._pace = pacing.Pace(post)

    def work(self) -> Millis | None:
        """Work until the shift is over and return when the lane has work again."""
        with concurrent.futures.ThreadPoolExecutor(
            self._post.settings.concurrency, thread_name_prefix=f"calls-{self._post.lane_id}"
        ) as pool:
            wake_at: Millis | None = None
            try:
                while not self._is_over():
                    wake_at = self._round_or_again(pool)
                    if wake_at is None and not self._out:
                        break
                    if wake_at is not None and not self._wait(wake_at):
                        break
            finally:
                # Whatever ends the shift, the answers of the calls that are out are settled.
                self._drain()
        return None if wake_at is None else wake_at - self._ahead_ms

    def _round_or_again(self, pool: concurrent.futures.Executor) -> Millis | None:
        """Do one round; one that the database broke off in favour of another writer is begun again."""
        try:
            return self._one_round(pool)
        except Contended:
            return self._post.now() + CONTENDED_MS

    def _is_over(self) -> bool:
        if self._is_ended or self._keeper.is_lost or self._post.runtime.stopping.is_set():
            return True
        lasted_s = self._post.runtime.monotonic_s() - self._began_at
        return lasted_s > SHIFT_S or (lasted_s > TURN_S and self._post.runtime.dispatcher.has_waiting())

    def _one_round(self, pool: concurrent.futures.Executor) -> Millis | None:
        """Settle what has come back, send what may go; return when to look again (None: nothing is due)."""
        post = self._post
        self._settle_finished(wait_s=0)
        readback.recover(post)
        with post.store.begin(post.tenant, write=False) as tx:
            lane = lanes.by_target(tx, post.target_name)
            now = tx.now
        if lane is None:
            return None
        if post.is_dry_run:
            # Whatever else may stop a lane is about calls.
            return None if lane.paused_at is not None else dry_run.rehearse(post)
        state = gate.look(lane, now)
        wants_probe = state.needs_probe or (state.state == "open" and post.target.needs_probe())
        if wants_probe and self._out:
            # One probe decides, and only once nothing else is on its way.
            self._settle_finished(wait_s=LONGEST_WAIT_MS / 1000)
            return post.now()
        if state.needs_probe:
            return probing.probe(post)
        if state.state != "open":
            return state.opens_at
        if wants_probe:
            # Asking what the target can do is a call like any other, and is counted as one.
            return probing.probe(post)
        if any(opened.call.urgent and opened.call.step is Step.LOOK_UP for opened in self._out.values()):
            # The next call is for the leaver whose id is being looked up; nothing may take its slot.
            self._settle_finished(wait_s=LONGEST_WAIT_MS / 1000)
            return post.now()
        return self._send_what_is_due(pool)

    def _send_what_is_due(self, pool: concurrent.futures.Executor) -> Millis | None:
        post = self._post
        plan = self._choose()
        if self._for_leavers and not self._is_for_leavers(plan):
            self._is_ended = True
            return post.now() if plan.calls else None
        again_at: Millis | None = None
        for call in plan.calls:
            if self._is_about_groups_that_are_out(call):
                continue
            if len(self._out) >= post.settings.concurrency:
                break
            blocked_until = self._send(pool, call, plan)
            if blocked_until is not None:
                again_at = blocked_until if again_at is None else min(again_at, blocked_until)
                if call.full or call.urgent:
                    break
                # A call that waits for company does not hold up the full ones behind it.
                continue
            if call.urgent and call.step is Step.LOOK_UP:
                break
        if again_at is not None:
            return again_at
        if self._out:
            self._settle_finished(wait_s=LONGEST_WAIT_MS / 1000)
            return post.now()
        return post.now() if plan.calls else None

    def _is_for_leavers(self, plan: choosing.Plan) -> bool:
        """Tell whether leavers are due, or others only wait for a worker who has nothing else to do."""
        return bool(plan.leavers) or plan.leavers is None or not self._post.runtime.dispatcher.has_waiting()

    def _choose(self) -> choosing.Plan:
        """Plan the next calls, and note how long that takes: the next plan is to be there in time."""
        if self._is_overtaken:
            self._is_overtaken = False
            # Who has just left must not wait until everybody else is planned; where all go together, they are one call.
            plan = choosing.choose(self._post, only_urgent=not self._post.target.abilities().mixed)
            if plan.calls:
                return plan
        began_at = time.monotonic()
        plan = choosing.choose(self._post)
        self._ahead_ms = min(MOST_AHEAD_MS, round((time.monotonic() - began_at) * 1000 * 1.5))
        return plan

    def _is_about_groups_that_are_out(self, call: Call) -> bool:
        """Tell whether a listing or making of groups is out already: a group is made once, however many want it."""
        if not _is_about_groups(call):
            return False
        return any(
            _is_about_groups(opened.call) and (opened.call.step is not call.step or opened.call.groups == call.groups)
            for opened in self._out.values()
        )

    def _send(self, pool: concurrent.futures.Executor, call: Call, plan: choosing.Plan) -> Millis | None:
        """Open a call and let it go out; return when to try again when it cannot go now."""
        is_paced = self._pace.is_long(plan)
        try:
            opened = submitting.open_call(self._post, call, is_paced=is_paced, leavers=plan.leavers)
            if isinstance(opened, int) and (call.full or call.urgent) and self._is_ahead_of(opened):
                # Whoever must go before it by then is found out when it is opened.
                self._post.runtime.pause((opened - self._post.now()) / 1000)
                opened = submitting.open_call(self._post, call, is_paced=is_paced, leavers=plan.leavers)
        except batches.Overtaken:
            self._is_overtaken = True
            return self._post.now()
        except submitting.LeaseGone:
            self._is_ended = True
            return self._post.now()
        if isinstance(opened, int):
            return opened
        grouping.note_opened(self._post, call)
        self._out[pool.submit(submitting.make_call, self._post, opened, plan.group_ids)] = opened
        return None

    def _is_ahead_of(self, instant: Millis) -> bool:
        return 0 < instant - self._post.now() <= self._ahead_ms

    def _settle_finished(self, *, wait_s: float) -> None:
        if not self._out:
            return
        finished, _ = concurrent.futures.wait(self._out, timeout=wait_s, return_when=concurrent.futures.FIRST_COMPLETED)
        for future in finished:
            del self._out[future]
            if not self._settle(future.result()):
                self._is_ended = True

    def _settle(self, ended: submitting.Ended) -> bool:
        """Write what became of a call; a store that cannot just now is asked again, for an answer cannot be."""
        for attempt in range(SETTLE_ATTEMPTS):
            try:
                return settle.settle(self._post, ended)
            except StoreUnavailable as error:
                log.warning("settle_put_off", batch=ended.opened.batch.id, attempt=attempt, reason=str(error))
                self._post.runtime.pause(min(2.0, 0.1 * 2**attempt))
            except NotAsExpected:
                if not attempt:
                    raise
                # The attempt before was committed; only the word that it was is lost.
                if ended.failure is not None:
                    grouping.note_failure(self._post, ended.opened.call, ended.failure)
                return True
        # The batch stays open: once its deadline has passed, its people are read back.
        return False

    def _wait(self, until: Millis) -> bool:
        """Wait for an instant, or for an answer; False when it is further off than a worker waits."""
        left_ms = until - self._post.now()
        if left_ms > self._ahead_ms:
            left_ms -= self._ahead_ms
        if self._out:
            self._settle_finished(wait_s=max(0.0, min(left_ms, LONGEST_WAIT_MS)) / 1000)
            return True
        if left_ms > LONGEST_WAIT_MS:
            return False
        while left_ms > 0:
            if left_ms > GIVES_WAY_MS and self._post.runtime.dispatcher.has_waiting():
                return False
            self._post.runtime.pause(min(left_ms, GIVES_WAY_MS) / 1000)
            left_ms -= GIVES_WAY_MS
        return True

    def _drain(self) -> None:
        while self._out:
            self._settle_finished(wait_s=1.0)


def _is_about_groups(call: Call) -> bool:
    return call.step is Step.CREATE_GROUP or (call.step is Step.LOOK_UP and not call.items)
