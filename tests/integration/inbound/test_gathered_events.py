"""Deliveries of one source that come at once are recorded together, and each is answered for itself."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.dispatcher import RecordingDispatcher
from flask import Flask
from pydantic import SecretStr
from running import hr_senders
from running.crowds import together, transactions
from werkzeug.test import TestResponse

from scim_bridge.settings.models import TargetSettings, TenantSettings
from scim_bridge.settings.sources import SourceSettings
from scim_bridge.store import directory_users, hr_events, tables
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger

MAPPING = {
    "externalId": "id",
    "userName": "email",
    "name.givenName": "firstName",
    "name.familyName": "lastName",
    "emails": "email",
    "title": "title",
}
CREW = 8


@pytest.fixture
def tenant_settings(tenant_settings: TenantSettings) -> TenantSettings:
    """A tenant with one source of events."""
    source = SourceSettings(
        name="generic", kind="generic", secret=SecretStr(hr_senders.secret_of("generic")), mapping=MAPPING
    )
    targets = [TargetSettings(name="everybody", kind="fake")]
    return TenantSettings(id=tenant_settings.id, sources=[source], targets=targets)


class Crew:
    """Sends deliveries over connections of their own."""

    def __init__(self, app: Flask, store: Store, tenant: str) -> None:
        self.app, self.store, self.tenant = app, store, tenant

    def sending(self, number: int, **changes: Any) -> Callable[[], TestResponse]:
        """Return a delivery about one person."""
        given = {"firstName": "Ann", "lastName": "Lee", "email": f"p{number}@example.com", "title": "Clerk"}
        fields = {**given, **changes.pop("fields", {})}
        event = {"event": "saved", "id": str(number), "fields": fields, **changes}
        body = json.dumps(event).encode()
        headers = hr_senders.SIGNERS["generic"](body, at_s=self.store.clock() / 1000)
        client, address = self.app.test_client(), f"/hr/v1/events/{self.tenant}/generic"
        return lambda: client.post(address, data=body, headers=headers, content_type="application/json")

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Keep everybody else from recording for the source."""
        with self.store.begin(self.tenant) as tx:
            directory_users.take_turns(tx, "generic")
            yield

    def at_once(self, *jobs: Callable[[], TestResponse]) -> list[Any]:
        return together(jobs, self.busy())

    def told_by(self) -> dict[str, str]:
        """Return which request each person's change names, by userName."""
        change, resource = tables.change, tables.resource
        query = (
            sa.select(resource.c.unique_key, change.c.correlation_id)
            .join(resource, resource.c.id == change.c.resource_id)
            .where(change.c.tenant == self.tenant)
        )
        with self.store.begin(self.tenant, write=False) as tx:
            return {row.unique_key: row.correlation_id for row in tx.connection.execute(query)}

    def changes(self) -> list[Any]:
        change = tables.change
        query = sa.select(change).where(change.c.tenant == self.tenant).order_by(change.c.number)
        with self.store.begin(self.tenant, write=False) as tx:
            return list(tx.connection.execute(query))


@pytest.fixture
def crew(app: Flask, shared_store: Store, tenant_settings: TenantSettings) -> Crew:
    return Crew(app, shared_store, tenant_settings.id)


def outcomes(answers: list[TestResponse]) -> list[str]:
    return [event["outcome"] for answer in answers for event in answer.json["events"]]


def test_deliveries_that_wait_share_a_transaction(crew: Crew, dispatcher: RecordingDispatcher) -> None:
    answers = crew.at_once(*(crew.sending(number) for number in range(CREW)))
    assert outcomes(answers) == ["created"] * CREW
    # The first may have begun before the others came.
    assert transactions(crew.changes()) <= 2
    assert 1 <= len(dispatcher.wakes) <= 2
    assert verify_ledger(crew.store)["balanced"]


def test_each_change_tells_the_delivery_that_brought_it(crew: Crew) -> None:
    answers = crew.at_once(*(crew.sending(number) for number in range(CREW)))
    sent = {f"p{number}@example.com": answer.headers["X-Request-ID"] for number, answer in enumerate(answers)}
    assert crew.told_by() == sent


def test_each_stranger_is_told_of_by_their_own_delivery(crew: Crew) -> None:
    answers = crew.at_once(*(crew.sending(number, event="deleted") for number in range(CREW)))
    assert outcomes(answers) == ["unchanged"] * CREW
    changes = crew.changes()
    assert len(changes) == CREW
    assert {each.correlation_id for each in changes} == {answer.headers["X-Request-ID"] for answer in answers}


def test_each_delivery_is_answered_for_itself(crew: Crew) -> None:
    assert outcomes([crew.sending(number)() for number in (1, 3)]) == ["created"] * 2
    jobs = [
        *(crew.sending(0), crew.sending(1), crew.sending(2), crew.sending(3, event="deleted")),
        crew.sending(4, fields={"email": ""}),
    ]
    assert outcomes(crew.at_once(*jobs)) == ["created", "duplicate", "created", "deactivated", "refused"]


def test_an_event_without_a_time_is_said_when_it_came(crew: Crew) -> None:
    """Or what was recorded while it waited, and was said before it, would count as the later news."""
    came_at: list[int] = []

    def much_later(_held: Any) -> None:
        crew.store.clock.advance(ms=60_000)  # type: ignore[attr-defined]
        came_at.append(crew.store.clock())

    together([crew.sending(number) for number in range(CREW)], crew.busy(), then=much_later)
    query = sa.select(tables.contribution.c.said_at).where(tables.contribution.c.tenant == crew.tenant)
    with crew.store.begin(crew.tenant, write=False) as tx:
        said = list(tx.connection.execute(query).scalars())
    assert len(said) == CREW
    assert min(said) >= came_at[0]


def test_news_of_one_person_are_taken_one_by_one(crew: Crew) -> None:
    for title in ("Clerk", "Lead"):
        assert crew.sending(1, fields={"title": title})().status_code == 200
    answers = crew.at_once(*(crew.sending(1, fields={"title": f"Head {number}"}) for number in range(CREW)))
    assert outcomes(answers) == ["updated"] * CREW
    assert len(crew.changes()) == 2 + CREW


def test_one_event_that_comes_several_times_at_once_is_taken_once(crew: Crew) -> None:
    answers = crew.at_once(*(crew.sending(1, event_id="e-1") for _ in range(CREW)))
    assert sorted(outcomes(answers)) == ["created", *["duplicate"] * (CREW - 1)]
    assert len(crew.changes()) == 1


def test_a_refused_event_is_its_senders_alone(crew: Crew) -> None:
    bad = crew.sending(100, fields={"email": ""})
    answers = crew.at_once(*(crew.sending(number) for number in range(CREW)), bad)
    assert outcomes(answers) == [*["created"] * CREW, "refused"]
    with crew.store.begin(crew.tenant, write=False) as tx:
        (kept,) = hr_events.of_state(tx, "generic", hr_events.REFUSED, limit=10)
    assert kept.correlation_id == answers[-1].headers["X-Request-ID"]
