"""The door for HR events: who is let in, what becomes of each event, and what never gets any further."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from fakes.dispatcher import RecordingDispatcher
from flask import Flask
from pydantic import SecretStr
from running import hr_senders
from running.door import Ticking
from werkzeug.test import TestResponse

from scim_bridge import metrics
from scim_bridge.errors import UsageError
from scim_bridge.intake.hr.receiving import MOST_EVENTS, doors_of
from scim_bridge.settings.models import TargetSettings, TenantSettings
from scim_bridge.settings.sources import SourceSettings
from scim_bridge.store import hr_events, tables
from scim_bridge.store.engine import Store, StoreUnavailable

MAPPING = {
    "externalId": "id",
    "userName": "email || workEmail || work_email",
    "name.givenName": "firstName || first_name",
    "name.familyName": "lastName || surname || last_name",
    "emails": "email || workEmail || work_email",
    "title": "title || jobTitle || work.title",
    "active": "status || employment_status",
    "endDate": "endDate",
}
SECRETS = ("987-65-4321", "1990-02-03", "1234567890", "1990-11-10")
"""What stands in the deliveries and nowhere else afterwards."""


def source(name: str, kind: str | None = None, **more: Any) -> SourceSettings:
    kind = kind or name
    return SourceSettings(
        name=name,
        kind=kind,  # type: ignore[arg-type]
        secret=SecretStr(hr_senders.secret_of(kind)),
        mapping=MAPPING,
        active_values=["active"],
        inactive_values=["inactive"],
        **more,
    )


@pytest.fixture
def tenant_settings(tenant_settings: TenantSettings) -> TenantSettings:
    """A tenant with a source of each kind, one that is paused, and one that sends files only."""
    return TenantSettings(
        id=tenant_settings.id,
        sources=[
            *(source(kind) for kind in sorted(hr_senders.SIGNERS)),
            source("resting", "generic", paused=True),
            SourceSettings(name="files", kind="csv", mapping=MAPPING),
            SourceSettings(name="idp"),
        ],
        targets=[TargetSettings(name="everybody", kind="fake")],
    )


class Knocker:
    """Sends deliveries to the sources' doors."""

    def __init__(self, app: Flask, store: Store, tenant: str) -> None:
        self.client, self.store, self.tenant = app.test_client(), store, tenant

    def send(
        self,
        body: bytes | dict[str, Any] | list[Any],
        *,
        source: str = "generic",
        kind: str | None = None,
        tenant: str | None = None,
        off_s: float = 0,
        headers: dict[str, str] | None = None,
        content_type: str = "application/json",
        **how: Any,
    ) -> TestResponse:
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        signer = hr_senders.SIGNERS[kind or source]
        given = signer(body, at_s=self.store.clock() / 1000 + off_s, **how) if headers is None else headers
        address = f"/hr/v1/events/{tenant or self.tenant}/{source}"
        return self.client.post(address, data=body, headers={"Content-Type": content_type, **given})

    def outcomes(self, body: Any, **how: Any) -> list[str]:
        answer = self.send(body, **how)
        assert answer.status_code == 200, answer.text
        return [event["outcome"] for event in answer.json["events"]]

    def people(self) -> dict[str, tuple[bool, dict[str, Any]]]:
        """Return everybody of the tenant by userName, with whether they are active."""
        query = sa.select(tables.resource.c.document, tables.resource.c.active).where(
            tables.resource.c.tenant == self.tenant, tables.resource.c.deleted_at.is_(None)
        )
        with self.store.begin(self.tenant, write=False) as tx:
            found = [(json.loads(row.document), bool(row.active)) for row in tx.connection.execute(query)]
        return {document["userName"]: (active, document) for document, active in found}

    def kept(self, state: str, source: str = "generic") -> list[hr_events.Kept]:
        with self.store.begin(self.tenant, write=False) as tx:
            return hr_events.of_state(tx, source, state, limit=100)

    def all_that_is_stored(self) -> str:
        """Return every text of every row, whoever's."""
        with self.store.across_tenants("test") as tx:
            return "\n".join(
                str(tuple(row))
                for table in tables.metadata.sorted_tables
                for row in tx.connection.execute(sa.select(table))
            )


@pytest.fixture
def knocker(app: Flask, shared_store: Store, tenant_settings: TenantSettings) -> Knocker:
    return Knocker(app, shared_store, tenant_settings.id)


def saved(number: int | str = 1, **fields: Any) -> dict[str, Any]:
    """Return an event that tells all of a person."""
    given = {"firstName": "Ann", "lastName": "Lee", "email": f"ann{number}@example.com", "status": "active", **fields}
    return {"event": "saved", "id": str(number), "fields": given}


def test_a_new_person_is_created(knocker: Knocker, dispatcher: RecordingDispatcher) -> None:
    answer = knocker.send(saved())
    assert (answer.status_code, answer.json) == (
        200,
        {"status": "taken", "events": [{"position": 1, "outcome": "created"}]},
    )
    active, document = knocker.people()["ann1@example.com"]
    assert active
    assert document["name"] == {"givenName": "Ann", "familyName": "Lee"}
    assert dispatcher.wakes == [(knocker.tenant, "everybody", False)]


def test_a_leaver_is_urgent(knocker: Knocker, dispatcher: RecordingDispatcher) -> None:
    knocker.send(saved())
    assert knocker.outcomes({"id": "1", "event": "changed", "fields": {"status": "inactive"}}) == ["deactivated"]
    assert not knocker.people()["ann1@example.com"][0]
    assert dispatcher.wakes[-1] == (knocker.tenant, "everybody", True)


def test_a_leaver_with_a_last_day_ahead_stays_until_it_is_over(knocker: Knocker) -> None:
    knocker.send(saved())
    ahead = datetime.fromtimestamp(knocker.store.clock() / 1000 + 3 * 86_400, UTC).date().isoformat()
    leaving = {"id": "1", "event": "changed", "fields": {"status": "inactive", "endDate": ahead}}
    assert knocker.outcomes(leaving) == ["scheduled"]
    assert knocker.people()["ann1@example.com"][0]
    knocker.send({"id": "1", "event": "changed", "fields": {"endDate": ""}})
    with knocker.store.across_tenants("test") as tx:
        query = sa.select(tables.contribution.c.due_at).where(tables.contribution.c.tenant == knocker.tenant)
        assert [row.due_at for row in tx.connection.execute(query)] == [None]
    assert knocker.people()["ann1@example.com"][0]
    assert knocker.outcomes({**leaving, "fields": {"status": "inactive"}}) == ["deactivated"]


def test_who_is_deleted_is_deactivated(knocker: Knocker) -> None:
    knocker.send(saved())
    assert knocker.outcomes({"id": "1", "event": "deleted"}) == ["deactivated"]
    assert not knocker.people()["ann1@example.com"][0]


def test_who_is_deleted_without_having_been_known_is_nobody(knocker: Knocker) -> None:
    assert knocker.outcomes({"id": "1", "event": "deleted"}) == ["unchanged"]


def test_what_an_event_does_not_name_stays(knocker: Knocker) -> None:
    knocker.send(saved(title="Engineer"))
    assert knocker.outcomes({"id": "1", "event": "changed", "fields": {"lastName": "Ray"}}) == ["updated"]
    active, document = knocker.people()["ann1@example.com"]
    assert (active, document["title"], document["name"]["familyName"]) == (True, "Engineer", "Ray")


def test_older_news_changes_nothing(knocker: Knocker) -> None:
    now_s = knocker.store.clock() / 1000
    assert knocker.outcomes({**saved(title="new"), "occurred_at": now_s - 60}) == ["created"]
    assert knocker.outcomes({**saved(title="old"), "occurred_at": now_s - 120}) == ["unchanged"]
    assert knocker.people()["ann1@example.com"][1]["title"] == "new"


def test_news_of_the_future_keeps_no_later_news_out(knocker: Knocker) -> None:
    ahead_s = knocker.store.clock() / 1000 + 86_400
    knocker.send({**saved(title="early"), "occurred_at": ahead_s})
    assert knocker.outcomes({**saved(title="late"), "occurred_at": ahead_s + 1}) == ["updated"]
    assert knocker.outcomes(saved(title="later")) == ["updated"]


def test_one_bad_event_holds_no_other_up(knocker: Knocker) -> None:
    answer = knocker.send(
        [
            saved(1),
            {"event": "saved", "fields": {"email": "x@example.com"}},
            "nonsense",
            saved(2),
            saved(3, status="gone?"),
        ]
    )
    assert answer.json["status"] == "taken"
    assert [(each["outcome"], each.get("code")) for each in answer.json["events"]] == [
        ("created", None),
        ("refused", "row_without_id"),
        ("refused", "invalid_value"),
        ("created", None),
        ("refused", "unknown_status"),
    ]
    assert all(each["advice"] for each in answer.json["events"] if each["outcome"] == "refused")
    assert sorted(knocker.people()) == ["ann1@example.com", "ann2@example.com"]
    assert [kept.refusal.code for kept in knocker.kept(hr_events.REFUSED) if kept.refusal] == [
        "row_without_id",
        "invalid_value",
        "unknown_status",
    ]


def test_two_events_about_one_person_are_applied_in_their_order(knocker: Knocker) -> None:
    events = [saved(title="one"), {"id": "1", "event": "changed", "fields": {"title": "two"}}]
    assert knocker.outcomes(events)[0] == "created"
    assert knocker.people()["ann1@example.com"][1]["title"] == "two"


def test_a_refused_event_may_be_sent_again_once_it_is_mended(knocker: Knocker) -> None:
    event = {**saved(status="gone?"), "event_id": "e-1"}
    assert knocker.outcomes(event) == ["refused"]
    event["fields"]["status"] = "active"
    assert knocker.outcomes(event) == ["created"]
    assert knocker.outcomes(event) == ["duplicate"]


def test_an_event_that_comes_again_is_taken_once(knocker: Knocker, dispatcher: RecordingDispatcher) -> None:
    event = {**saved(), "event_id": "e-1"}
    knocker.send(event)
    dispatcher.wakes.clear()
    answer = knocker.send({**event, "fields": {**event["fields"], "status": "left"}}, off_s=10)
    assert answer.json == {"status": "duplicate", "events": [{"position": 1, "outcome": "duplicate"}]}
    assert knocker.people()["ann1@example.com"][0]
    assert dispatcher.wakes == []


def test_a_leaver_is_taken_under_an_id_that_came_with_other_news(knocker: Knocker) -> None:
    """Some scripts number their runs, and not their events."""
    event = {**saved(), "event_id": "run-1"}
    assert knocker.outcomes([event]) == ["created"]
    assert knocker.outcomes([{**event, "event": "deleted"}]) == ["deactivated"]


def test_of_a_delivery_only_what_is_new_is_taken(knocker: Knocker) -> None:
    first, second = ({**saved(number), "event_id": f"e-{number}"} for number in (1, 2))
    assert knocker.outcomes([first]) == ["created"]
    assert knocker.outcomes([first, second, second]) == ["duplicate", "created"]


def test_a_delivery_without_ids_is_known_by_its_signature(knocker: Knocker) -> None:
    body = json.dumps(saved()).encode()
    headers = hr_senders.generic(body, at_s=knocker.store.clock() / 1000)
    assert [knocker.send(body, headers=headers).json["status"] for _ in range(2)] == ["taken", "duplicate"]


def test_all_who_are_not_let_in_are_answered_the_same(knocker: Knocker) -> None:
    answers = [
        knocker.send(saved(), tenant="nobody"),
        knocker.send(saved(), source="nothing", kind="generic"),
        knocker.send(saved(), source="idp", kind="generic"),
        knocker.send(saved(), source="files", kind="generic"),
        knocker.send(saved(), tenant="x" * 5_000),
        knocker.send(saved(), source="%00%ff", kind="generic"),
        knocker.send(saved(), secret="another"),
        knocker.send(saved(), source="bamboohr", kind="generic"),
        knocker.send(saved(), headers={}),
        knocker.send(b""),
        knocker.send(b"{", secret="another"),
        knocker.send(saved(), off_s=-3_600, secret="another"),
        *(knocker.send(saved(), source=kind, headers={}) for kind in hr_senders.SIGNERS),
    ]
    answers.pop(9)
    assert {(answer.status_code, answer.data) for answer in answers} == {(401, answers[0].data)}
    assert knocker.people() == {}


def test_a_stale_delivery_is_refused(knocker: Knocker) -> None:
    answer = knocker.send(saved(), off_s=-301)
    assert (answer.status_code, "5 minutes" in answer.json["detail"]) == (401, True)
    assert knocker.people() == {}


def test_a_stale_delivery_that_was_taken_is_a_duplicate(knocker: Knocker) -> None:
    body = json.dumps(saved()).encode()
    headers = hr_senders.generic(body, at_s=knocker.store.clock() / 1000)
    knocker.send(body, headers=headers)
    assert isinstance(knocker.store.clock, Ticking)
    knocker.store.clock.advance(ms=3_600_000)
    answer = knocker.send(body, headers=headers)
    assert (answer.status_code, answer.json["status"]) == (200, "duplicate")


@pytest.mark.parametrize("kind", sorted(hr_senders.EXAMPLES))
def test_an_example_of_each_sender_is_taken_once(knocker: Knocker, kind: str) -> None:
    body = hr_senders.payload(hr_senders.EXAMPLES[kind])
    assert knocker.send(body, source=kind).json["status"] == "taken"
    knocker.store.clock.advance(ms=1_000)  # type: ignore[attr-defined]
    again = knocker.outcomes(body, source=kind)
    # Of ours one event is about somebody who is not known: that is refused, and may come again. Paylocity's tell
    # neither an id nor a time: whether they are new nobody knows.
    assert again.count("duplicate") == len(again) - (kind in {"generic", "paylocity"})


def test_an_event_that_tells_no_time_is_never_taken_for_another(knocker: Knocker) -> None:
    """Or whatever happens to somebody within 90 days of their hire would be looked at by nobody."""
    body = hr_senders.payload(hr_senders.EXAMPLES["paylocity"])
    for _ in range(2):
        assert knocker.outcomes(body, source="paylocity") == ["needs_fetch"]
        with knocker.store.begin(knocker.tenant) as tx:
            hr_events.drop(tx, [kept.number for kept in hr_events.of_state(tx, "paylocity", hr_events.FETCH, limit=9)])
        knocker.store.clock.advance(ms=1_000)  # type: ignore[attr-defined]
    assert knocker.outcomes(body, source="paylocity") == ["needs_fetch"]
    assert len(knocker.kept(hr_events.FETCH, "paylocity")) == 1


def test_one_id_for_events_about_two_people_is_two_events(knocker: Knocker) -> None:
    events = [{**saved(number), "event_id": "e-1"} for number in (1, 2)]
    assert knocker.outcomes(events) == ["created", "created"]
    assert knocker.outcomes(events) == ["duplicate", "duplicate"]


@pytest.mark.parametrize("kind", ["finch", "gusto", "hibob", "paylocity", "personio", "bamboohr"])
def test_an_event_without_data_is_something_to_fetch(knocker: Knocker, kind: str) -> None:
    assert knocker.outcomes(hr_senders.payload(hr_senders.EXAMPLES[kind]), source=kind) == ["needs_fetch"]
    [kept] = knocker.kept(hr_events.FETCH, kind)
    assert kept.row.external_id
    assert knocker.people() == {}


def test_an_event_without_data_blanks_nobody(knocker: Knocker) -> None:
    knocker.send(saved(title="Engineer"))
    before = knocker.people()
    assert knocker.outcomes({"id": "1", "event": "touched"}) == ["needs_fetch"]
    assert knocker.people() == before


def test_however_often_something_changed_there_is_one_fetch(knocker: Knocker) -> None:
    for number in range(3):
        knocker.send({"id": "1", "event": "touched", "event_id": f"e-{number}"})
    [kept] = knocker.kept(hr_events.FETCH)
    assert kept.row.external_id == "1"


def test_events_of_a_paused_source_are_kept(knocker: Knocker, dispatcher: RecordingDispatcher) -> None:
    events = [saved(), {"id": "1", "event": "deleted"}, {"id": "2", "event": "touched"}, {"event": "deleted"}]
    assert knocker.outcomes(events, source="resting", kind="generic") == ["kept", "kept", "kept", "refused"]
    assert knocker.people() == {}
    assert dispatcher.wakes == []
    created, deleted = knocker.kept(hr_events.WAITING, "resting")
    assert (created.row.external_id, created.row.fields["email"], created.row.is_whole) == (
        "1",
        "ann1@example.com",
        True,
    )
    assert (deleted.row.external_id, deleted.row.is_gone) == ("1", True)
    assert [kept.row.external_id for kept in knocker.kept(hr_events.FETCH, "resting")] == ["2"]


def test_only_what_the_mapping_reads_is_kept(knocker: Knocker, caplog: pytest.LogCaptureFixture) -> None:
    with structlog.testing.capture_logs() as lines:
        knocker.send(hr_senders.payload("bamboohr/field_based.json"), source="bamboohr")
        knocker.send(hr_senders.payload("merge/employee_changed.json"), source="merge")
        knocker.send([saved(ssn="987-65-4321"), saved(2, status="?", ssn="987-65-4321")])
        knocker.send([saved(3, dateOfBirth="1990-02-03")], source="resting", kind="generic")
        knocker.send(b'{"ssn": "987-65-4321"', source="generic")
    assert "zoe.nunez@example.com" in map(str.lower, knocker.people())
    everything = knocker.all_that_is_stored() + repr(lines) + caplog.text
    assert "dirna@example.com" in everything
    assert [value for value in SECRETS if value in everything] == []


def test_no_line_of_the_log_names_anybody(knocker: Knocker) -> None:
    with structlog.testing.capture_logs() as lines:
        knocker.send([saved(), saved(2, status="?")])
    [line] = [line for line in lines if line["event"] == "hr_events_taken"]
    assert (line["created"], line["refused"]) == (1, 1)
    assert "ann" not in repr(lines)


@pytest.mark.parametrize("body", [b"Ping test", b'{"text":"Ping test"}'])
def test_a_ping_is_answered_at_every_address(knocker: Knocker, body: bytes) -> None:
    answers = [knocker.send(body, source=name, kind="generic", headers={}) for name in ("hibob", "nothing")]
    assert {(answer.status_code, answer.json["status"]) for answer in answers} == {(200, "pong")}


def test_what_is_about_nobody_is_ignored(knocker: Knocker) -> None:
    answer = knocker.send(hr_senders.payload("merge/common_model_synced.json"), source="merge")
    assert (answer.status_code, answer.json) == (200, {"status": "ignored", "events": []})


def test_a_body_that_is_no_json_is_refused_whole(knocker: Knocker) -> None:
    assert knocker.send(b'{"id": ').status_code == 400


def test_a_body_that_is_too_long_is_refused_before_it_is_digested(knocker: Knocker) -> None:
    answer = knocker.send(b" " * 100_001, headers={})
    assert answer.status_code == 413


def test_a_packed_body_is_refused(knocker: Knocker) -> None:
    assert knocker.send(saved(), headers={"Content-Encoding": "gzip"}).status_code == 415


def test_too_many_events_are_sent_on_to_the_imports(knocker: Knocker) -> None:
    answer = knocker.send([{}] * (MOST_EVENTS + 1))
    assert (answer.status_code, "/hr/v1/imports" in answer.json["detail"]) == (413, True)


@pytest.mark.parametrize(
    "event",
    [
        {"id": "a\x00b", "fields": {"firstName": "x"}},
        {"id": "x" * 321, "fields": {"firstName": "x"}},
        {"id": "1", "fields": {"email": "a\x00b@example.com", "firstName": "x"}, "event": "saved"},
        {"id": "1", "fields": {"email": ["a"], "firstName": {"b": 1}}, "event": "saved"},
        {"id": {"a": 1}, "fields": {"firstName": "x"}},
        {"id": True, "fields": {"firstName": "x"}},
        {"id": "1", "fields": {"email": "x" * 50_000, "firstName": "x"}, "event": "saved"},
        {"id": "1", "fields": {"firstName": "x"}, "event": "saved"},
        {"id": "1", "fields": {"email": "x@example.com"}, "event": "saved"},
    ],
)
def test_values_that_cannot_be_kept_are_refused_alone(knocker: Knocker, event: dict[str, Any]) -> None:
    good = {"event": "saved", "id": "7", "fields": saved(7)["fields"]}
    assert knocker.outcomes([event, good]) == ["refused", "created"]


def test_what_is_counted_names_the_source(knocker: Knocker) -> None:
    knocker.send([saved(1), saved(2)])
    knocker.send(saved(), secret="another")
    counted = {
        outcome: metrics.HR_EVENTS.labels(tenant=knocker.tenant, source="generic", outcome=outcome)._value.get()
        for outcome in ("created", "status_401")
    }
    assert counted == {"created": 2, "status_401": 1}


def test_a_store_that_fails_asks_for_another_try(knocker: Knocker, monkeypatch: pytest.MonkeyPatch) -> None:
    def begin(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("locked")

    monkeypatch.setattr(Store, "begin", begin)
    answer = knocker.send(saved())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def test_a_secret_that_is_no_key_stops_the_start() -> None:
    bad = SourceSettings(name="f", kind="finch", secret=SecretStr("no base64!"), mapping=MAPPING)
    with pytest.raises(UsageError, match="source f of tenant acme must be the base64 text"):
        doors_of([TenantSettings(id="acme", sources=[bad])])


def test_the_same_person_from_ten_deliveries_at_once_is_one(knocker: Knocker) -> None:
    bodies = [{**saved(title=str(number)), "event_id": f"e-{number}"} for number in range(10)]
    knockers = [Knocker(knocker.client.application, knocker.store, knocker.tenant) for _ in bodies]
    with ThreadPoolExecutor(len(bodies)) as pool:
        answers = list(pool.map(lambda one, body: one.send(body), knockers, bodies))
    assert {answer.status_code for answer in answers} == {200}
    assert list(knocker.people()) == ["ann1@example.com"]
    assert [answer.json["events"][0]["outcome"] for answer in answers].count("created") == 1


def test_a_hundred_events_take_few_statements(knocker: Knocker) -> None:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    sa.event.listen(knocker.store.engine, "before_cursor_execute", note)
    try:
        knocker.send([saved(number) for number in range(100)])
    finally:
        sa.event.remove(knocker.store.engine, "before_cursor_execute", note)
    assert len(knocker.people()) == 100
    assert len(seen) < 40
