"""Many lanes share few workers: each gets its turn, leavers' lanes first, and nobody waits for another's quota."""

import collections
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from fakes.target import MAPPING, SIZES, FakeTarget

from scim_bridge import dispatch
from scim_bridge.domain.people import Step
from scim_bridge.domain.replies import Answer
from scim_bridge.domain.resources import USER
from scim_bridge.planning.calls import Call
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder
from scim_bridge.recording.scopes import scopes_of
from scim_bridge.settings.models import LimitSettings, Settings, TargetSettings, TenantSettings
from scim_bridge.store import directory, lanes
from scim_bridge.store.engine import Store
from workers import jobs
from workers import runtime as workers_runtime
from workers.delivery.post import LEASE_MS
from workers.delivery.round import TURN_S
from workers.delivery.submitting import LEASE_SPARE_MS
from workers.relay import wakes
from workers.runtime import Runtime

CALL_MS = 250
"""What a call of a target takes here."""

MANY = 8


@dataclass
class Queues:
    """Both queues in memory: first in, first out, wakes thinned until their job begins, as RQ's are."""

    waiting: dict[str, collections.deque[tuple[str, str]]] = field(
        default_factory=lambda: {name: collections.deque() for name in dispatch.QUEUES}
    )
    thinned: set[tuple[str, str, str]] = field(default_factory=set)

    def wake(self, tenant: str, target: str, *, urgent: bool) -> None:
        queue = dispatch.LEAVERS if urgent else dispatch.LANES
        if (queue, tenant, target) not in self.thinned:
            self.thinned.add((queue, tenant, target))
            self.waiting[queue].append((tenant, target))

    def wake_errand(self, tenant: str, number: int) -> None:
        """No operator wants anything here."""

    def heard(self, tenant: str, target: str, *, queue: str) -> None:
        self.thinned.discard((queue, tenant, target))

    def be_heard(self, process: str, name: str, *, now: int) -> None:
        """Nobody asks here who is alive."""

    def has_waiting(self) -> bool:
        return any(self.waiting.values())

    def take(self) -> tuple[str, str, str] | None:
        """Give the next job, as a worker takes it: of the first queue that has one."""
        for queue in dispatch.QUEUES:
            if self.waiting[queue]:
                return (*self.waiting[queue].popleft(), queue)
        return None


@dataclass
class Floor:
    """A bridge with many lanes and one worker, who works off the queues job by job. `turns` are the jobs it did."""

    store: Store
    clock: Any
    runtime: Runtime
    queues: Queues
    turns: list[tuple[str, str]] = field(default_factory=list)
    took_ms: list[int] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)

    def push(self, tenant: str, *names: str, **changes: Any) -> None:
        """Record people, and wake the tenant's lanes as the front door does."""
        settings = self.runtime.settings.tenant(tenant)
        with self.store.begin(tenant) as tx:
            recorder = Recorder(tx, scopes=scopes_of(settings), origin=Origin(source="idp", correlation_id="c"))
            for name in names:
                document = {"userName": f"{name}@example.com", "externalId": name, "active": True, **changes}
                if name in self.ids:
                    recorder.update(directory.fetch(tx, USER, self.ids[name]), document)
                else:
                    self.ids[name] = recorder.create(USER, document).scim_id
        for target in settings.targets:
            self.queues.wake(tenant, target.name, urgent="active" in changes)

    def work(self, *, jobs_at_most: int = 10_000) -> None:
        """Do one job after the other until none waits."""
        for _ in range(jobs_at_most):
            taken = self.queues.take()
            if taken is None:
                return
            began = self.clock.now
            jobs.deliver(*taken)
            self.turns.append(taken[:2])
            self.took_ms.append(self.clock.now - began)

    def relay(self) -> None:
        """Wake what is due, as the relay does."""
        wakes.run_once(self.runtime, self.clock.now)


@pytest.fixture
def make_floor(sqlite_url: str, clock: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    store = Store.open(sqlite_url, clock=clock, use_database_clock=False)

    def make(tenants: dict[str, int], **options: Any) -> Floor:
        """Make tenants with so many targets each; a call takes CALL_MS and creates one person."""
        settings = Settings(
            tenants=[
                TenantSettings(
                    id=tenant,
                    targets=[
                        TargetSettings(name=f"lms{n}", kind="fake", mapping=MAPPING, concurrency=1, **options)
                        for n in range(count)
                    ],
                )
                for tenant, count in tenants.items()
            ]
        )
        pairs = [(tenant.id, target.name) for tenant in settings.tenants for target in tenant.targets]
        with store.across_tenants("test", write=True) as tx:
            lanes.sync(tx, pairs)
        queues = Queues()

        def take_time(_: Call) -> Answer | None:
            clock.advance(ms=CALL_MS)
            return None

        fakes = {pair: FakeTarget(sizes={**SIZES, Step.CREATE: 1}) for pair in pairs}
        for fake in fakes.values():
            fake.on_call = take_time
        runtime = Runtime(
            settings=settings,
            store=store,
            dispatcher=queues,
            fingerprint_key=b"k" * 32,
            clock=clock,
            random=random.Random(7),
            targets=dict(fakes),
        )
        runtime.monotonic_s = lambda: clock.now / 1000
        monkeypatch.setitem(workers_runtime._current, "runtime", runtime)
        floor = Floor(store=store, clock=clock, runtime=runtime, queues=queues)

        def pause(seconds: float) -> None:
            clock.advance(ms=round(seconds * 1000))
            floor.relay()

        runtime.pause = pause
        return floor

    yield make
    store.close()


def people(count: int, prefix: str = "p") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def test_every_lane_has_its_turn_beside_one_with_an_endless_backlog(make_floor: Any) -> None:
    floor = make_floor({"hog": 1, "many": MANY})
    floor.push("hog", *people(16))
    floor.push("many", "ann")
    floor.work()
    firsts = [floor.turns.index(("many", f"lms{n}")) for n in range(MANY)]
    assert max(firsts) <= MANY, "the hog has one turn, then each of the others has one"
    assert max(floor.took_ms[:MANY]) <= TURN_S * 1000 + 2 * CALL_MS
    assert len(floor.runtime.targets["hog", "lms0"].accounts) == 16


def test_a_lane_alone_works_on_without_giving_way(make_floor: Any) -> None:
    floor = make_floor({"hog": 1})
    # Longer than a turn, and shorter than a lease: who renews it keeps real time.
    alone = 14
    assert TURN_S * 1000 < alone * CALL_MS < LEASE_MS - LEASE_SPARE_MS
    floor.push("hog", *people(alone))
    floor.work(jobs_at_most=1)
    assert len(floor.runtime.targets["hog", "lms0"].accounts) == alone


def test_lanes_with_leavers_come_first_though_they_were_woken_last(make_floor: Any) -> None:
    floor = make_floor({"many": MANY, "leaver": 1})
    floor.push("leaver", "bob")
    floor.work()
    floor.turns.clear()
    floor.push("many", "ann")
    floor.push("leaver", "bob", active=False)
    floor.work()
    assert floor.turns[0] == ("leaver", "lms0")
    assert not any(each.active for each in floor.runtime.targets["leaver", "lms0"].accounts.values())


def test_lanes_whose_leavers_never_end_let_the_others_have_their_turn(make_floor: Any) -> None:
    """A lane that was woken for its leavers does not go on with everybody else's work before others have theirs."""
    floor = make_floor({"hog": 1, "many": MANY})
    floor.push("hog", *people(3, "leaver"))
    floor.work()
    floor.turns.clear()
    floor.push("hog", *people(20))
    floor.push("many", "ann")
    for number in range(3):
        floor.push("hog", f"leaver{number}", active=False)
        floor.work(jobs_at_most=2)
    held = floor.runtime.targets["hog", "lms0"].accounts.values()
    assert sum(not each.active for each in held) == 3
    assert sum(each != ("hog", "lms0") for each in floor.turns) >= 2
    assert len(held) <= 3 + TURN_S * 1000 // CALL_MS + 1


def test_a_lane_that_waits_for_quota_holds_no_worker(make_floor: Any) -> None:
    """Five lanes of one call in 0.6 seconds each: they wait side by side, not one after the other."""
    floor = make_floor({"many": 5}, limits=[LimitSettings(requests=1, per_s=0.6)])
    floor.push("many", *people(4))
    began = floor.clock.now
    while any(len(each.accounts) < 4 for each in floor.runtime.targets.values()):
        floor.work()
        floor.clock.advance(ms=20)
        floor.relay()
        assert floor.clock.now < began + 30_000
    # One worker can make no more than four calls in a second here.
    assert floor.clock.now - began < 5 * 4 * CALL_MS * 1.3


def test_a_lane_wakes_when_there_is_room_again(make_floor: Any) -> None:
    floor = make_floor({"many": 3}, limits=[LimitSettings(requests=1, per_s=10.0)])
    floor.push("many", *people(2))
    floor.work()
    with floor.store.begin("many", write=False) as tx:
        wake_at = [lane.wake_at for lane in lanes.configured(tx)]
    assert all(at is not None and at > floor.clock.now + 5_000 for at in wake_at)
    floor.relay()
    assert not floor.queues.has_waiting()
    floor.clock.now = max(wake_at) - wakes.EARLY_MS
    floor.relay()
    floor.work()
    assert all(len(each.accounts) == 2 for each in floor.runtime.targets.values())


def test_the_relay_rests_longer_than_it_looks_and_wakes_beforehand_who_is_due_meanwhile(make_floor: Any) -> None:
    floor = make_floor({"many": 2})
    floor.push("many", "ann")
    floor.queues.waiting[dispatch.LANES].clear()
    floor.queues.thinned.clear()
    with floor.store.begin("many") as tx:
        for lane, due_in_ms in zip(lanes.configured(tx), (90, 110), strict=True):
            lanes.note(tx, lane.id, wake_at=floor.clock.now + due_in_ms)
    looking_takes_20_ms = itertools.count(0, 0.02)
    floor.runtime.monotonic_s = lambda: next(looking_takes_20_ms)
    assert wakes.run_once(floor.runtime, floor.clock.now) == floor.clock.now + 80
    assert not floor.queues.has_waiting()
    floor.relay()
    assert list(floor.queues.waiting[dispatch.LANES]) == [("many", "lms0")]
