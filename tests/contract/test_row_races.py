"""Rows of an HR source that meet another door's change at the same moment; only PostgreSQL lets both write at once."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fakes.hr import Company, person

from scim_bridge.domain.instants import Clock
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder
from scim_bridge.recording.scopes import TargetScope
from scim_bridge.store import directory_users
from scim_bridge.store.directory import NameTaken
from scim_bridge.store.engine import Store, Transaction
from scim_bridge.store.verify import verify_ledger

pytestmark = pytest.mark.postgres


class Scopes(dict[str, TargetScope]):
    """Settings that are looked at once everybody is read and nobody is written: then something else happens."""

    def __init__(self, scopes: Any, happening: Callable[[], None]) -> None:
        super().__init__(scopes)
        self._happenings = [happening]

    def get(self, target: str, default: Any = None) -> Any:
        if self._happenings:
            self._happenings.pop()()
        return super().get(target, default)


@pytest.fixture
def acme(postgres_url: str, clock: Clock) -> Iterator[Company]:
    opened = Store.open(postgres_url, clock=clock)
    yield Company(store=opened)
    opened.close()


def test_a_name_that_somebody_else_took_at_the_same_moment_is_told_as_such(acme: Company) -> None:
    def take() -> None:
        acme.scopes = scopes
        with acme.store.begin("acme") as tx:
            origin = Origin(source="idp", correlation_id="c")
            Recorder(tx, scopes=scopes, origin=origin).create("User", {"userName": "ANN@acme.example"})

    scopes = acme.scopes
    acme.scopes = Scopes(scopes, take)
    with pytest.raises(NameTaken):
        acme.tell(person("2", "bob"), person("1", "ann"))
    assert list(acme.people()) == ["ANN"]
    # Said again, the two are one person, as if the row had come later.
    assert acme.outcomes(person("2", "bob"), person("1", "ann")) == ["created", "updated"]
    report = verify_ledger(acme.store)
    assert report["balanced"], report


def locks_held(tx: Transaction) -> int:
    query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted"
    return int(tx.connection.exec_driver_sql(query).scalar_one())


def test_a_turn_that_was_undone_is_taken_again(acme: Company) -> None:
    with acme.store.begin("acme") as tx:
        with pytest.raises(KeyError), tx.savepoint():
            directory_users.take_turns(tx, "hr")
            raise KeyError
        assert locks_held(tx) == 0
        directory_users.take_turns(tx, "hr")
        assert locks_held(tx) == 1
        directory_users.take_turns(tx, "hr")
        assert locks_held(tx) == 1
