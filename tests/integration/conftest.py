"""A lane with a directory before it and a target in memory behind it; the clock is the test's."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.dispatcher import RecordingDispatcher
from fakes.target import MAPPING, FakeTarget

from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.recording.edits import MemberEdit, Membership
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder
from scim_bridge.recording.scopes import scopes_of
from scim_bridge.settings.models import GroupSettings, Settings, TargetSettings, TenantSettings
from scim_bridge.store import directory, lanes, tables
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger
from workers.delivery import round as delivery_round
from workers.runtime import Runtime

TENANT = "acme"


@dataclass
class Bench:
    """One tenant, one lane 'lms', one fake target."""

    store: Store
    clock: Any
    target: FakeTarget
    runtime: Runtime
    settings: Settings
    ids: dict[str, str] = field(default_factory=dict)

    def record(self, edit: Callable[[Recorder, Any], Any]) -> Any:
        with self.store.begin(TENANT) as tx:
            recorder = Recorder(
                tx, scopes=scopes_of(self.settings.tenant(TENANT)), origin=Origin(source="idp", correlation_id="c")
            )
            return edit(recorder, tx)

    def push(self, who: str, **changes: Any) -> None:
        """Create or change a user by userName."""
        document = {
            "userName": f"{who}@example.com",
            "name": {"givenName": who.title(), "familyName": "Person"},
            "emails": [{"value": f"{who}@example.com", "primary": True}],
            "active": True,
            **changes,
        }

        def edit(recorder: Recorder, tx: Any) -> None:
            if who in self.ids:
                recorder.update(directory.fetch(tx, USER, self.ids[who]), document)
            else:
                self.ids[who] = recorder.create(USER, document).scim_id

        self.record(edit)

    def group(self, name: str, members: tuple[str, ...] = ()) -> None:
        ids = [self.ids[member] for member in members]
        self.ids[name] = self.record(lambda r, _: r.create(GROUP, {"displayName": name}, member_ids=ids)).scim_id

    def join(self, name: str, *members: str) -> None:
        edit = MemberEdit(Membership.ADD, tuple(self.ids[member] for member in members))

        def add(recorder: Recorder, tx: Any) -> None:
            group = directory.fetch(tx, GROUP, self.ids[name])
            recorder.update(group, group.document, member_edits=[edit])

        self.record(add)

    def rename_group(self, name: str, new_name: str) -> None:
        self.record(lambda r, tx: r.update(directory.fetch(tx, GROUP, self.ids[name]), {"displayName": new_name}))

    def return_after_deletion(self, name: str, **changes: Any) -> None:
        """Create a deleted user anew, as another resource with the same userName."""
        del self.ids[name]
        self.push(name, **changes)

    def delete(self, name: str) -> None:
        self.record(lambda r, tx: r.delete(directory.fetch(tx, USER, self.ids[name])))

    def work(self, *, shifts: int = 1) -> None:
        """Let a worker work, with time going on between its shifts."""
        for _ in range(shifts):
            delivery_round.work_lane(self.runtime, TENANT, "lms")
            self.clock.advance(ms=2_500)

    def lane(self) -> lanes.Lane:
        with self.store.begin(TENANT, write=False) as tx:
            found = lanes.by_target(tx, "lms")
        assert found is not None
        return found

    def operations(self) -> list[Any]:
        """Return the rows of all operations, oldest first."""
        with self.store.across_tenants("test") as tx:
            return list(tx.connection.execute(sa.select(tables.operation).order_by(tables.operation.c.id)))

    def states(self) -> dict[str, int]:
        """Return how many operations stand in each state, after proving the books."""
        report = verify_ledger(self.store)
        assert report["balanced"], report
        return {state: count for state, count in report["tenants"][0]["operations"].items() if count}


@pytest.fixture
def make_bench(store: Store, clock: Any) -> Callable[..., Bench]:
    def make(
        *, groups: Mapping[str, GroupSettings] | None = None, target: FakeTarget | None = None, **options: Any
    ) -> Bench:
        lane = TargetSettings(name="lms", kind="fake", mapping=MAPPING, groups=dict(groups or {}), **options)
        settings = Settings(tenants=[TenantSettings(id=TENANT, targets=[lane])])
        fake = target or FakeTarget(groups=groups)
        with store.across_tenants("test", write=True) as tx:
            lanes.sync(tx, [(TENANT, "lms")])
        runtime = Runtime(
            settings=settings,
            store=store,
            dispatcher=RecordingDispatcher(),
            fingerprint_key=b"k" * 32,
            clock=clock,
            random=random.Random(7),
            targets={(TENANT, "lms"): fake},
        )
        runtime.pause = lambda seconds: clock.advance(ms=round(seconds * 1000))
        return Bench(store=store, clock=clock, target=fake, runtime=runtime, settings=settings)

    return make


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()
