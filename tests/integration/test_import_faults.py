"""Files with a row at which the bridge fails, and a store that fails at one file: the others go on."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import structlog
from fakes.hr import Company

from scim_bridge.recording import rows
from scim_bridge.settings.models import TenantSettings
from scim_bridge.settings.sources import SourceSettings
from scim_bridge.store import imports as store
from scim_bridge.store.engine import StoreUnavailable
from scim_bridge.store.imports import Staged
from workers.relay import imports

MAPPING = {"externalId": "id", "userName": "id", "name.familyName": "id", "active": "status"}


@dataclass
class Office:
    """A tenant whose HR system sends files."""

    bench: Any

    def __post_init__(self) -> None:
        self.company = Company(store=self.bench.store)
        source = SourceSettings(
            name="hr",
            kind="csv",
            mapping=MAPPING,
            active_values=["active"],
            inactive_values=["left"],
            smallest_share=0,
        )
        self.bench.runtime.settings = self.bench.settings.model_copy(
            update={"tenants": [TenantSettings(id="acme", sources=[source])]}
        )

    def send(self, name: str, *people: str, status: str = "active", is_snapshot: bool = False) -> None:
        """Stage a file with a row for each of the people."""
        self.bench.clock.advance(ms=1_000)
        with self.bench.store.begin("acme") as tx:
            found = store.begin(
                tx,
                source="hr",
                name=name,
                is_snapshot=is_snapshot,
                is_dry_run=False,
                is_whole=True,
                token_id=None,
                correlation_id="c",
                said_at=tx.now,
                rows=len(people),
            )
            staged = [
                Staged(position=place, external_id=each, fields=json.dumps({"id": each, "status": status}))
                for place, each in enumerate(people, 1)
            ]
            store.stage(tx, found.id, staged)
            store.note(tx, found.id, status=store.WAITING)

    def relay(self, rounds: int = 20) -> list[str]:
        """Let the relay work and return what the log tells of."""
        with structlog.testing.capture_logs() as lines:
            for _ in range(rounds):
                self.bench.clock.advance(ms=1)
                imports.run_once(self.bench.runtime, self.bench.clock())
        return [line["event"] for line in lines]

    def told(self, name: str) -> list[str]:
        """Return what became of the rows of a file that is done."""
        with self.bench.store.begin("acme", write=False) as tx:
            found = store.named(tx, name)
            assert found is not None
            assert found.status == store.DONE
            after = store.rows_after(tx, found.id, 0, limit=99)
        return [f"{each.external_id} {each.outcome} {each.code or ''}".strip() for each in after]


@pytest.fixture
def office(make_bench: Callable[..., Any]) -> Office:
    return Office(make_bench())


def fail_of(monkeypatch: pytest.MonkeyPatch, external_id: str, error: Exception) -> None:
    """Let rows of one person fail, whoever is recorded beside them."""
    record = rows.record

    def fail(tx: Any, said: Any, **how: Any) -> Any:
        if external_id in {each.external_id for each in said}:
            raise error
        return record(tx, said, **how)

    monkeypatch.setattr(rows, "record", fail)


def test_a_row_at_which_the_bridge_fails_is_refused_alone(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.send("first", "ann", "bob", "cyd")
    office.relay()
    office.send("second", "ann", "bob", "cyd", status="left")
    fail_of(monkeypatch, "bob", ZeroDivisionError())
    assert office.relay() == ["import_row_refused"]
    assert office.told("second") == ["ann deactivated", "bob refused bug", "cyd deactivated"]
    assert office.company.active() == {"ann": False, "bob": True, "cyd": False}


def test_one_missing_person_at_whom_the_bridge_fails_keeps_no_other_leaver(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.send("first", "ann", "bob", "cyd", "dan")
    office.relay()
    office.send("second", "dan", is_snapshot=True)
    fail_of(monkeypatch, "bob", ZeroDivisionError())
    office.relay()
    assert office.told("second")[2] == "bob refused bug"
    assert office.company.active() == {"ann": False, "bob": True, "cyd": False, "dan": True}


def test_a_file_at_which_the_store_fails_lets_others_go_first(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.send("first", "bob")
    office.send("second", "ann")
    fail_of(monkeypatch, "bob", StoreUnavailable("a value that it cannot read"))
    with pytest.raises(StoreUnavailable):
        office.relay(rounds=1)
    office.relay(rounds=1)
    assert list(office.company.people()) == ["ann"]
