"""A file that takes long to come in, with an Idempotency-Key, is taken in once."""

import io
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from scim_bridge.intake.hr.imports import receiving
from scim_bridge.intake.hr.imports.door import ImportDoor, Sent
from scim_bridge.intake.scim.idempotency import StillRunning
from scim_bridge.settings.models import TenantSettings
from scim_bridge.settings.sources import SourceSettings
from scim_bridge.store import first_answers, hr_tables, imports
from scim_bridge.store.engine import Store
from scim_bridge.store.tokens import Principal

SOURCE = SourceSettings(name="hr", kind="csv", mapping={"externalId": "id", "userName": "mail"})
FILE = ("id,mail\n" + "".join(f"{number},m{number}@acme.example\n" for number in range(1_200))).encode()
HR = Principal(tenant="acme", token_id="k", scopes=frozenset({"hr"}), source="hr")


class Dawdling(io.BytesIO):
    """A file during whose pieces something else happens."""

    def __init__(self, file: bytes, meanwhile: Callable[[], Any]) -> None:
        super().__init__(file)
        self.meanwhile = meanwhile

    def read1(self, size: int | None = -1, /) -> bytes:
        self.meanwhile()
        return super().read1(size)


@pytest.fixture
def door(store: Store, monkeypatch: pytest.MonkeyPatch) -> ImportDoor:
    monkeypatch.setattr(receiving, "STAGED_AT_ONCE", 100)
    tenants = [TenantSettings(id="acme", sources=[SOURCE])]
    return ImportDoor(tenants, store, secret=b"s" * 32, new_owner=iter("abcdefgh").__next__)


def sent(meanwhile: Callable[[], Any] = lambda: None) -> Sent:
    file = Dawdling(FILE, meanwhile)
    return Sent(principal=HR, query={}, content_type="text/csv", key="K", file=file, correlation_id="c")


def statuses(store: Store) -> list[str]:
    with store.begin("acme", write=False) as tx:
        table = hr_tables.import_
        return list(tx.connection.execute(sa.select(table.c.status).order_by(table.c.id)).scalars())


def test_a_file_that_takes_minutes_keeps_its_key(door: ImportDoor, store: Store, clock: Any) -> None:
    asked = list[int]()

    def ask_again() -> None:
        clock.advance(ms=first_answers.GIVEN_UP_MS // 2)
        with pytest.raises(StillRunning):
            door.take(sent())
        asked.append(clock())

    first = door.take(sent(ask_again))
    assert asked[-1] - asked[0] > first_answers.GIVEN_UP_MS
    assert door.take(sent()).name == first.name
    assert statuses(store) == [imports.WAITING]


def test_a_file_whose_key_was_taken_over_is_not_taken_in(door: ImportDoor, store: Store, clock: Any) -> None:
    others = list[str]()

    def take_over() -> None:
        clock.advance(ms=first_answers.GIVEN_UP_MS)
        others.append(door.take(sent()).name)

    with pytest.raises(StillRunning):
        door.take(sent(take_over))
    assert door.take(sent()).name == others[0]
    assert sorted(statuses(store)) == [imports.RECEIVING, imports.WAITING]
