"""One tenant with two targets, the real delivery between, and a model of what the targets must hold in the end."""

import contextlib
import dataclasses
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from fakes.dispatcher import RecordingDispatcher
from fakes.target import MAPPING, SIZES, FakeAccount
from model.breaking import BreakingStore, Killed
from model.moods import MoodyTarget

from scim_bridge.domain.people import Step
from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.operators import replay
from scim_bridge.recording.edits import MemberEdit, Membership
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder
from scim_bridge.recording.scopes import scopes_of
from scim_bridge.settings.models import GroupSettings, GuardSettings, Settings, TargetSettings, TenantSettings
from scim_bridge.store import directory, lanes, tables
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger
from workers import reconcile
from workers.delivery import round as delivery_round
from workers.runtime import Runtime

LANES = ("rows", "bulk")
"""One target takes 200 new users a call and tells no ids; the other takes anything mixed and tells them."""

EACH_GROUP = {"*": GroupSettings(group="{displayName}")}
BY_HAND = "By hand"
ROUNDS_TO_SETTLE = 80
OPEN = ("waiting", "sending")


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

    def __init__(self, store: Store, clock: Any, *, tenant: str, on_conflict: str) -> None:
        self.store, self.clock, self.tenant = store, clock, tenant
        self.on_conflict = on_conflict
        self.people: dict[str, Someone] = {}
        self.groups: dict[str, Team] = {}
        self.targets = {
            "rows": MoodyTarget(clock=clock, groups=EACH_GROUP),
            "bulk": MoodyTarget(
                clock=clock,
                groups=EACH_GROUP,
                mixed=50,
                sizes=dict.fromkeys(SIZES, 50) | {Step.CREATE_GROUP: 1, Step.LOOK_UP: 200},
                tells_ids=True,
                creates_carry_groups=False,
            ),
        }
        shared: dict[str, Any] = {
            "kind": "fake",
            "mapping": MAPPING,
            "groups": EACH_GROUP,
            "concurrency": 1,
            "on_conflict": on_conflict,
            "guard": GuardSettings(max=10**6, share=1.0, min=10**6),
        }
        self.settings = Settings(
            tenants=[TenantSettings(id=tenant, targets=[TargetSettings(name=name, **shared) for name in LANES])]
        )
        with store.across_tenants("test", write=True) as tx:
            known = [(lane.tenant, lane.target) for lane in lanes.configured(tx)]
            lanes.sync(tx, [*known, *((tenant, name) for name in LANES)])
        self._workers = 0
        self._chance = random.Random(7)
        self.runtime = self._new_worker(store)

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
        else:
            self.change(who, title=title)

    def change(self, who: str, **values: Any) -> None:
        someone = dataclasses.replace(self.people[who], **values)
        document = someone.document(who)
        self.record(lambda r, tx: r.update(directory.fetch(tx, USER, someone.scim_id), document))
        self.people[who] = someone

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
        delivery_round.work_lane(self.runtime, self.tenant, lane)

    def work_until_broken_off(
        self, lane: str, *, at_step: int, how: str, meanwhile: Callable[[], None], seen: bool
    ) -> None:
        """Work a shift that ends in the middle. With `seen`, a supervisor frees the dead one's lease at once."""
        breaking = BreakingStore(store=self.store, at_step=at_step, how=how, meanwhile=meanwhile)
        broken = self._new_worker(breaking)
        with contextlib.suppress(Killed):
            delivery_round.work_lane(broken, self.tenant, lane)
        if breaking.is_dead and seen:
            with self.store.begin(self.tenant) as tx:
                lanes.free_leases(tx, broken.owner)

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
        runtime.pause = lambda seconds: self.clock.advance(ms=round(seconds * 1000))
        return runtime

    # What operators do

    def replay(self) -> None:
        replay.run(self.store, RecordingDispatcher(), who="operator", tenant=self.tenant)

    def reconcile(self, lane: str, *, repair: bool) -> dict[str, Any] | None:
        try:
            return reconcile.reconcile(self.runtime, self.tenant, lane, repair=repair).to_json()
        except reconcile.CannotReconcile:
            return None

    def pause(self, lane: str, *, paused: bool) -> None:
        with self.store.begin(self.tenant) as tx:
            found = lanes.by_target(tx, lane)
            assert found is not None
            lanes.note(tx, found.id, paused_at=tx.now if paused else None, paused_by="operator" if paused else None)

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
        return [
            f"{lane}: {fault}"
            for lane, target in self.targets.items()
            for fault in self._faults_of(target, self.reasons(lane), excused)
        ]

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

    def _faults_of(self, target: MoodyTarget, reasons: dict[str, str], excused: frozenset[str]) -> list[str]:
        faults = []
        wanted_active = {each.user_name for each in self.people.values() if each.active}
        for who, someone in sorted(self.people.items()):
            reason = reasons.get(someone.scim_id)
            accounts = [a for a in target.accounts.values() if a.attributes["userName"] == someone.user_name]
            wrong = self._wrong_with(who, someone, accounts)
            if wrong and reason not in excused:
                faults.append(f"{someone.user_name}: {wrong} ({reason})")
        for account in target.accounts.values():
            name = account.attributes["userName"]
            if account.active and account.account_id not in target.seeded and name not in wanted_active:
                faults.append(f"{name} has left, or is called otherwise, and has an active account")
        return faults

    def _wrong_with(self, who: str, someone: Someone, accounts: list[FakeAccount]) -> str | None:
        if len(accounts) > 1:
            return f"{len(accounts)} accounts"
        if not someone.active:
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
        return None
