"""One tenant with two targets, the real delivery between, and a model of what the targets must hold in the end."""

import contextlib
import dataclasses
import json
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from fakes.dispatcher import RecordingDispatcher
from fakes.target import MAPPING, SIZES, FakeAccount
from model.breaking import BreakingStore, Killed
from model.moods import MoodyTarget
from model.watching import NOT_ABOUT_PEOPLE

from scim_bridge.domain.people import Step
from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.errors import UsageError
from scim_bridge.intake.webhooks import receiving
from scim_bridge.intake.webhooks.events import Event
from scim_bridge.operators import holds, pausing, replay
from scim_bridge.recording.edits import MemberEdit, Membership
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder
from scim_bridge.recording.scopes import scopes_of
from scim_bridge.settings.models import (
    GroupSettings,
    GuardSettings,
    LimitSettings,
    Settings,
    TargetSettings,
    TenantSettings,
)
from scim_bridge.store import directory, lanes, tables
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger
from workers import reconcile
from workers.delivery import round as delivery_round
from workers.delivery.post import LEASE_MS
from workers.runtime import Runtime

LANES = ("rows", "bulk")
"""One target takes 200 new users a call and tells no ids; the other takes anything mixed and tells them."""

COURSES = frozenset({"Tickets"})
REQUIRED_COURSES = frozenset({"Safety"})
WITH_COURSES = "Support"
EACH_GROUP = {
    "*": GroupSettings(group="{displayName}"),
    WITH_COURSES: GroupSettings(
        group="{displayName}", courses=sorted(COURSES), required_courses=sorted(REQUIRED_COURSES)
    ),
}
BY_HAND = "By hand"
ROUNDS_TO_SETTLE = 120
MOST_CALLS_A_SHIFT = 60
OPEN = ("waiting", "sending")
HELD_BACK = frozenset({"guard_held", "deactivation_rejected"})
CHIEFS = 'title eq "Chief"'
CALLS, WIDTH_MS = 3, 10_000
HOUR_MS = 3_600_000


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What the configuration says of both targets."""

    on_conflict: str = "update"
    guard_max: int | None = None
    """So many may leave in an hour unasked; None: the guard never asks."""
    is_limited: bool = False
    """Three calls in ten seconds are all that a target takes."""


@dataclass
class Someone:
    """A user as the senders last had them accepted."""

    scim_id: str
    user_name: str
    title: str
    active: bool = True

    def document(self, who: str) -> dict[str, Any]:
        return {
            "userName": self.user_name,
            "name": {"givenName": who.title(), "familyName": "Person"},
            "emails": [{"value": self.user_name, "primary": True}],
            "title": self.title,
            "active": self.active,
        }


@dataclass
class Team:
    """A group as the senders last had it accepted."""

    scim_id: str
    name: str
    members: set[str] = field(default_factory=set)


class World:
    """What everybody does to one tenant, and what must have become of it."""

    def __init__(self, store: Store, clock: Any, *, tenant: str, policy: Policy) -> None:
        self.store, self.clock, self.tenant, self.policy = store, clock, tenant, policy
        self.scopes: dict[str, str | None] = dict.fromkeys(LANES)
        self.needs_repair = False
        """Something happened that the bridge learns of by comparing only."""
        self.began_at = clock()
        self.asked_for = dict.fromkeys(LANES, 0)
        """How many people an operator let go, or allowed to go."""
        self.returned = 0
        """How often somebody who had left came back."""
        self.bearers: dict[str, set[str]] = {}
        """The SCIM ids of all who ever bore a name."""
        self.people: dict[str, Someone] = {}
        self.groups: dict[str, Team] = {}
        self.targets = {
            "rows": MoodyTarget(clock=clock, pass_time=lambda ms: clock.advance(ms=ms), groups=EACH_GROUP),
            "bulk": MoodyTarget(
                clock=clock,
                pass_time=lambda ms: clock.advance(ms=ms),
                groups=EACH_GROUP,
                mixed=50,
                sizes=dict.fromkeys(SIZES, 50) | {Step.CREATE_GROUP: 1, Step.LOOK_UP: 200},
                tells_ids=True,
                creates_carry_groups=False,
            ),
        }
        for target in self.targets.values():
            target.states_of = self._states_of
        self.settings = self._settings()
        with store.across_tenants("test", write=True) as tx:
            known = [(lane.tenant, lane.target) for lane in lanes.configured(tx)]
            lanes.sync(tx, [*known, *((tenant, name) for name in LANES)])
        self._workers = 0
        self._chance = random.Random(7)
        self.runtime = self._new_worker(store)

    def _settings(self) -> Settings:
        most = self.policy.guard_max
        shared: dict[str, Any] = {
            "kind": "fake",
            "mapping": MAPPING,
            "groups": EACH_GROUP,
            "concurrency": 1,
            "on_conflict": self.policy.on_conflict,
            "guard": GuardSettings(max=10**6, share=1.0, min=10**6)
            if most is None
            else GuardSettings(max=most, share=1.0, min=0, window_s=HOUR_MS // 1000),
            "limits": [LimitSettings(requests=CALLS, per_s=WIDTH_MS / 1000)] if self.policy.is_limited else [],
        }
        targets = [
            TargetSettings(name=name, quota=f"{self.tenant}-{name}", scope=self.scopes[name], **shared)
            for name in LANES
        ]
        return Settings(tenants=[TenantSettings(id=self.tenant, targets=targets)])

    def set_scope(self, lane: str, scope: str | None) -> None:
        """Configure another scope and start again; who is concerned is found by comparing."""
        self.scopes[lane] = scope
        self.settings = self._settings()
        self.runtime = self._new_worker(self.store)
        self.needs_repair = True

    # What senders do

    def record(self, edit: Callable[[Recorder, Any], Any]) -> Any:
        scopes = scopes_of(self.settings.tenants[0])
        with self.store.begin(self.tenant) as tx:
            return edit(Recorder(tx, scopes=scopes, origin=Origin(source="idp", correlation_id="c")), tx)

    def push(self, who: str, *, title: str) -> None:
        someone = self.people.get(who)
        if someone is None:
            someone = Someone(scim_id="", user_name=f"{who}@example.com", title=title)
            document = someone.document(who)
            someone.scim_id = self.record(lambda r, _: r.create(USER, document)).scim_id
            self.people[who] = someone
            self.returned += int(someone.user_name in self.bearers)
            self.bearers.setdefault(someone.user_name, set()).add(someone.scim_id)
        else:
            self.change(who, title=title)

    def change(self, who: str, **values: Any) -> None:
        someone = dataclasses.replace(self.people[who], **values)
        document = someone.document(who)
        self.record(lambda r, tx: r.update(directory.fetch(tx, USER, someone.scim_id), document))
        # Whoever a scope let out may come in again by any change.
        self.returned += int(someone.active and (not self.people[who].active or any(self.scopes.values())))
        self.people[who] = someone
        self.bearers.setdefault(someone.user_name, set()).add(someone.scim_id)

    def delete(self, who: str) -> None:
        scim_id = self.people.pop(who).scim_id
        self.record(lambda r, tx: r.delete(directory.fetch(tx, USER, scim_id)))
        for team in self.groups.values():
            team.members.discard(who)

    def make_group(self, name: str, members: set[str]) -> None:
        ids = [self.people[who].scim_id for who in sorted(members)]
        made = self.record(lambda r, _: r.create(GROUP, {"displayName": name}, member_ids=ids))
        self.groups[name] = Team(scim_id=made.scim_id, name=name, members=set(members))

    def edit_group(self, key: str, *, name: str | None = None, members: set[str] | None = None) -> None:
        team = self.groups[key]
        document = {"displayName": name or team.name}
        edits = []
        if members is not None:
            ids = tuple(self.people[who].scim_id for who in sorted(members))
            edits = [MemberEdit(Membership.ONLY, ids)]
            team.members = set(members)
        self.record(lambda r, tx: r.update(directory.fetch(tx, GROUP, team.scim_id), document, member_edits=edits))
        team.name = document["displayName"]

    def delete_group(self, key: str) -> None:
        team = self.groups.pop(key)
        self.record(lambda r, tx: r.delete(directory.fetch(tx, GROUP, team.scim_id)))

    # What workers do

    def work(self, lane: str) -> None:
        calls = self.targets[lane].calls
        before = len(calls)
        delivery_round.work_lane(self.runtime, self.tenant, lane)
        self._watch(lane)
        steps = [str(call.step) for call in calls[before:]]
        assert len(steps) <= MOST_CALLS_A_SHIFT, (
            f"{len(steps)} calls in one shift for a handful of people: {steps[-9:]}"
        )

    def work_until_broken_off(
        self, lane: str, *, at_step: int, how: str, meanwhile: Callable[[], None], seen: bool
    ) -> None:
        """Work a shift that ends in the middle. With `seen`, a supervisor frees the dead one's lease at once."""
        breaking = BreakingStore(store=self.store, at_step=at_step, how=how, meanwhile=meanwhile)
        broken = self._new_worker(breaking)
        with contextlib.suppress(Killed):
            delivery_round.work_lane(broken, self.tenant, lane)
        self.targets[lane].watch.untold |= self._left_open(lane)
        if breaking.is_dead and seen:
            with self.store.begin(self.tenant) as tx:
                lanes.free_leases(tx, broken.owner)

    def work_overtaken(self, lane: str, meanwhile: Callable[[], None]) -> None:
        """Work a shift in which something changes after the first call was planned."""
        self.targets[lane].meanwhile = meanwhile
        self.work(lane)
        self.targets[lane].meanwhile = None

    def _new_worker(self, store: Any) -> Runtime:
        self._workers += 1
        runtime = Runtime(
            settings=self.settings,
            store=store,
            dispatcher=RecordingDispatcher(),
            fingerprint_key=b"k" * 32,
            clock=self.clock,
            random=self._chance,
            owner=f"worker-{self._workers}",
            targets={(self.tenant, name): target for name, target in self.targets.items()},
        )
        runtime.pause = lambda seconds: self._pause(runtime.owner, seconds)
        return runtime

    def _pause(self, owner: str, seconds: float) -> None:
        """Let time pass for a worker who is alive: whatever keeps its leases goes on doing so."""
        la, until = tables.lane, self.clock() + round(seconds * 1000)
        with self.store.across_tenants("test", write=True) as tx:
            tx.connection.execute(
                sa.update(la)
                .where(la.c.owner == owner, la.c.lease_until > self.clock())
                .values(lease_until=until + LEASE_MS)
            )
        self.clock.advance(ms=round(seconds * 1000))

    # What operators do

    def replay(self) -> None:
        replay.run(self.store, RecordingDispatcher(), who="operator", tenant=self.tenant)

    def reconcile(self, lane: str, *, repair: bool) -> dict[str, Any] | None:
        self.targets[lane].watch.untold.clear()  # it reads the target itself
        try:
            return reconcile.reconcile(self.runtime, self.tenant, lane, repair=repair).to_json()
        except reconcile.CannotReconcile:
            return None

    def pause(self, lane: str, *, paused: bool) -> None:
        where: dict[str, Any] = {"tenant": self.tenant, "target": lane, "who": "operator"}
        with contextlib.suppress(UsageError):
            if paused:
                pausing.pause(self.store, reason="", **where)
            else:
                pausing.resume(self.store, RecordingDispatcher(), **where)

    def release(self, lane: str, *, user: str | None = None, rejected: bool = False) -> int:
        """Let the held (or those whose deactivation was rejected) go; returns how many people these are."""
        told = holds.release(
            self.store,
            RecordingDispatcher(),
            tenant=self.tenant,
            who="operator",
            target=lane,
            user=user,
            rejected=rejected,
        )
        self.asked_for[lane] += told["people"]
        return int(told["people"])

    def reject(self, lane: str) -> None:
        """Keep the accounts of those who are held."""
        holds.reject(
            self.store, RecordingDispatcher(), tenant=self.tenant, who="operator", reason="a mistake", target=lane
        )

    def allow(self, lane: str, *, count: int, for_ms: int) -> None:
        """Allow more people than usual to leave."""
        holds.allow(
            self.store, tenant=self.tenant, target=lane, count=count, for_ms=for_ms, who="operator", reason="planned"
        )
        self.asked_for[lane] += count

    # What people do in a target by hand

    def meddle(self, lane: str, who: str, what: str, *, is_told: bool) -> None:
        """Change an account of ours by hand; the target tells of people who come and go, unless nobody listens."""
        account = self.targets[lane].held(self.people[who].user_name)
        if account is None or account.protected:
            return
        if what == "retitle":
            account.attributes["title"] = "Meddled"
        elif what == "remove":
            del self.targets[lane].accounts[account.account_id]
        else:
            account.active = what == "reactivate"
        if what in {"retitle", "remove"} or not is_told:
            self.needs_repair = True
            return
        name = str(account.attributes["userName"])
        event = Event(kind="user", active=account.active, account_id=account.account_id, names=(name,))
        with self.store.begin(self.tenant) as tx:
            found = receiving._record(tx, lane, event, "c")
        # Of an account that nobody is linked to, a webhook says nothing to the bridge.
        self.needs_repair |= bool(found["unknown"])

    # What must have become of it

    def must_not_have_happened(self) -> list[str]:
        """Return what is wrong whatever the rest of the story would be."""
        seen = [f"{lane}: {wrong}" for lane, target in self.targets.items() for wrong in target.watch.wrongs]
        return [*seen, *self._crowded(), *self._unasked(), *self._priorities_lost(), *self._protected_touched()]

    def _states_of(self, operation_ids: Collection[int]) -> dict[int, str]:
        o = tables.operation
        with self.store.across_tenants("test") as tx:
            query = sa.select(o.c.id, o.c.state).where(o.c.id.in_(operation_ids))
            return {row.id: row.state for row in tx.connection.execute(query)}

    def _left_open(self, lane: str) -> dict[int, int]:
        """Return the operations of calls whose worker ended before it could write what became of them, by resource."""
        b, o, la = tables.batch, tables.operation, tables.lane
        query = (
            sa.select(b.c["items"])
            .join(la, la.c.id == b.c.lane_id)
            .where(la.c.tenant == self.tenant, la.c.target == lane, b.c.status == "open")
            .where(b.c.step.not_in([str(step) for step in NOT_ABOUT_PEOPLE]))
        )
        with self.store.across_tenants("test") as tx:
            ids = [number for row in tx.connection.execute(query) for number in json.loads(row.items)]
            people = sa.select(o.c.id, o.c.resource_id).where(o.c.id.in_(ids))
            return {row.resource_id: row.id for row in tx.connection.execute(people)}

    def _watch(self, lane: str) -> None:
        """Note whose operations stand otherwise than what the target said of them allows."""
        o, la, watch = tables.operation, tables.lane, self.targets[lane].watch
        query = (
            sa.select(o.c.id, o.c.resource_id, o.c.state, o.c.reason, o.c.attempts)
            .join(la, la.c.id == o.c.lane_id)
            .where(la.c.tenant == self.tenant, la.c.target == lane)
        )
        with self.store.across_tenants("test") as tx:
            rows = list(tx.connection.execute(query))
        for row in rows:
            if row.state in ("delivered", "unchanged") and watch.untold.get(row.resource_id) == row.id:
                watch.wrongs.append(f"operation {row.id} is {row.state}, and the target never said so")
            if row.state == "dead" and row.reason == "refused" and row.resource_id not in watch.blamed:
                watch.wrongs.append(f"operation {row.id} is dead for what others were refused for")
            if row.attempts > watch.troubles[row.resource_id]:
                watch.wrongs.append(f"operation {row.id} has {row.attempts} attempts, of which some were others'")

    def _crowded(self) -> list[str]:
        """Return the lanes whose target was called more often than it allows, as it sees it."""
        if not self.policy.is_limited:
            return []
        return [
            f"{lane}: {CALLS + 1} calls arrived within {WIDTH_MS} ms"
            for lane, target in self.targets.items()
            if any(
                later - earlier < WIDTH_MS
                for earlier, later in zip(target.arrivals, target.arrivals[CALLS:], strict=False)
            )
        ]

    def _unasked(self) -> list[str]:
        """Return the lanes where more people were taken out than the guard may let go."""
        if self.policy.guard_max is None or self.clock() - self.began_at >= HOUR_MS:
            return []
        most = {lane: self.policy.guard_max + self.asked_for[lane] + self.returned for lane in LANES}
        return [
            f"{lane}: {len(target.taken_out)} people were deactivated, {most[lane]} may have been"
            for lane, target in self.targets.items()
            if len(target.taken_out) > most[lane]
        ]

    def _priorities_lost(self) -> list[str]:
        """Return operations that are less urgent than what they took the place of."""
        old, new, e = tables.operation.alias("old"), tables.operation.alias("new"), tables.entry
        query = (
            sa.select(new.c.id, new.c.priority, old.c.priority.label("before"))
            .join_from(e, old, e.c.operation_id == old.c.id)
            .join(new, new.c.id == e.c.superseded_by)
            .where(e.c.tenant == self.tenant, e.c.code == "newer_operation", new.c.priority > old.c.priority)
        )
        with self.store.across_tenants("test") as tx:
            return [
                f"operation {row.id} has the priority {row.priority}, what it superseded had {row.before}"
                for row in tx.connection.execute(query)
            ]

    def _protected_touched(self) -> list[str]:
        return [
            f"{lane}: a protected account was changed"
            for lane, target in self.targets.items()
            for account in target.accounts.values()
            if account.protected
            and (not account.active or account.groups != {BY_HAND} or account.attributes.get("title") != "Before")
        ]

    def let_everybody_go(self) -> None:
        """Release whom the guard holds, until it holds nobody."""
        for _ in range(10):
            people = [self.release(lane, rejected=rejected) for lane in LANES for rejected in (False, True)]
            self.settle()
            if not any(people):
                return
        raise AssertionError("the guard asks again and again")

    # What must have become of it

    def calm_down(self) -> None:
        for target in self.targets.values():
            target.calm_down()
        for lane in LANES:
            self.pause(lane, paused=False)

    def settle(self) -> None:
        """Let time pass and workers work until nothing is open."""
        for number in range(ROUNDS_TO_SETTLE):
            for lane in LANES:
                self.work(lane)
            if not self.still_open():
                return
            # A target may have asked for an hour's patience; a quarter of an hour is the longest of our own.
            self.clock.advance(ms=15_000 if number < ROUNDS_TO_SETTLE // 2 else 300_000)
        raise AssertionError(f"stuck: {self.still_open()}")

    def still_open(self) -> list[Any]:
        o = tables.operation
        with self.store.across_tenants("test") as tx:
            query = sa.select(o.c.id, o.c.state, o.c.reason, o.c.due_at, o.c.attempts).where(
                o.c.tenant == self.tenant, o.c.state.in_(OPEN)
            )
            return list(tx.connection.execute(query))

    def books(self) -> dict[str, Any]:
        return verify_ledger(self.store, self.tenant)

    def faults(self, *, excused: frozenset[str]) -> list[str]:
        """Return what is wrong with anybody in any target, save those whom a reason among `excused` stands against."""
        return [f"{lane}: {fault}" for lane in LANES for fault in self._faults_of(lane, excused)]

    def reasons(self, lane: str) -> dict[str, str]:
        """Return why the newest operation of each user ended otherwise than delivered, by SCIM id."""
        o, r, la = tables.operation, tables.resource, tables.lane
        query = (
            sa.select(r.c.scim_id, o.c.state, o.c.reason)
            .join_from(o, r, o.c.resource_id == r.c.id)
            .join(la, la.c.id == o.c.lane_id)
            .where(o.c.tenant == self.tenant, la.c.target == lane, r.c.kind == USER)
            .order_by(o.c.id)
        )
        with self.store.across_tenants("test") as tx:
            newest = {row.scim_id: row for row in tx.connection.execute(query)}
        return {k: row.reason for k, row in newest.items() if row.state in ("dead", "held", "skipped", "discarded")}

    def _faults_of(self, lane: str, excused: frozenset[str]) -> list[str]:
        target, reasons = self.targets[lane], self.reasons(lane)
        faults = []
        wanted_active = {each.user_name for each in self.people.values() if self._is_wanted(lane, each)}
        for who, someone in sorted(self.people.items()):
            reason = reasons.get(someone.scim_id)
            accounts = [a for a in target.accounts.values() if a.attributes["userName"] == someone.user_name]
            wrong = self._wrong_with(lane, who, someone, accounts)
            if wrong and reason not in excused:
                faults.append(f"{someone.user_name}: {wrong} ({reason})")
        for account in target.accounts.values():
            name = account.attributes["userName"]
            if account.active and account.account_id not in target.seeded and name not in wanted_active:
                if excused & {reasons.get(scim_id) for scim_id in self.bearers.get(name, ())}:
                    continue
                faults.append(f"{name} has left, or is called otherwise, and has an active account")
        return faults

    def _is_wanted(self, lane: str, someone: Someone) -> bool:
        return someone.active and (self.scopes[lane] is None or someone.title == "Chief")

    def _wrong_with(self, lane: str, who: str, someone: Someone, accounts: list[FakeAccount]) -> str | None:
        if len(accounts) > 1:
            return f"{len(accounts)} accounts"
        if not self._is_wanted(lane, someone):
            return "still active" if accounts and accounts[0].active else None
        if not accounts:
            return "missing"
        [account] = accounts
        if not account.active:
            return "inactive"
        held = json.dumps({name: account.attributes.get(name) for name in ("email", "firstName", "title")})
        wanted = json.dumps({"email": someone.user_name, "firstName": who.title(), "title": someone.title})
        if held != wanted:
            return f"holds {held}, not {wanted}"
        groups = {team.name for team in self.groups.values() if who in team.members}
        if account.groups - {BY_HAND} != groups:
            return f"is in {sorted(account.groups)}, not {sorted(groups)}"
        if WITH_COURSES in groups and not (account.courses >= COURSES and account.required_courses >= REQUIRED_COURSES):
            return f"has {sorted(account.courses)} and must do {sorted(account.required_courses)}"
        return None
