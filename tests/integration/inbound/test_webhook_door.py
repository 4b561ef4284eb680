"""The door for targets' webhooks: who is let in, what is said to the others, and that nothing is done twice."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.dispatcher import RecordingDispatcher
from flask import Flask
from pydantic import SecretStr
from running.door import Sender, Ticking
from running.signing import SECRET, event, signed
from werkzeug.test import TestResponse

from scim_bridge import metrics
from scim_bridge.domain.people import Record
from scim_bridge.intake.webhooks.receiving import MOST_BYTES
from scim_bridge.settings.models import TargetSettings, TenantSettings
from scim_bridge.store import directory, lanes, links, tables
from scim_bridge.store.engine import Store

ACCOUNT = "mtu-00000001"


@pytest.fixture
def tenant_settings(tenant_settings: TenantSettings) -> TenantSettings:
    """A tenant with two targets that may call us, and one that may not."""
    secrets = {"webhook_secret": SecretStr(SECRET)}
    return TenantSettings(
        id=tenant_settings.id,
        targets=[
            TargetSettings(name="mt", kind="fake", secrets=secrets, options={"webhook_scheme": "A"}),
            TargetSettings(name="either", kind="fake", secrets=secrets, options={"webhook_scheme": "any"}),
            TargetSettings(name="silent", kind="fake"),
        ],
    )


class Knocker:
    """Sends webhooks to one target's door."""

    def __init__(self, app: Flask, store: Store, tenant: str) -> None:
        self.client, self.store, self.tenant = app.test_client(), store, tenant

    @property
    def now_s(self) -> float:
        return self.store.clock() / 1000

    def send(
        self,
        body: bytes,
        *,
        target: str = "mt",
        tenant: str | None = None,
        off_s: float = 0,
        headers: dict[str, str] | None = None,
        **how: Any,
    ) -> TestResponse:
        given = signed(body, at_s=self.now_s + off_s, **how) if headers is None else headers
        return self.client.post(f"/webhooks/{tenant or self.tenant}/{target}", data=body, headers=given)


@pytest.fixture
def knocker(app: Flask, shared_store: Store, tenant_settings: TenantSettings) -> Knocker:
    return Knocker(app, shared_store, tenant_settings.id)


@pytest.fixture
def person(sender: Sender, shared_store: Store) -> int:
    """Somebody whose account is known to be active, since an hour ago, with nothing on its way."""
    made = sender.user("ann")
    link_to(shared_store, sender.tenant, number := number_of(shared_store, sender.tenant, made["id"]))
    return number


def number_of(store: Store, tenant: str, scim_id: str) -> int:
    with store.begin(tenant, write=False) as tx:
        return directory.fetch(tx, "User", scim_id).id


def link_to(store: Store, tenant: str, number: int, *, account_id: str = ACCOUNT, active: bool = True) -> None:
    """Let an hour go by since the account was last known, and end all that is open."""
    with store.begin(tenant) as tx:
        for target in ("mt", "either", "silent"):
            lane = lanes.by_target(tx, target)
            assert lane is not None
            known = Record(active=active, attributes={})
            links.save(tx, lane.id, {number: {"account_id": account_id, "known": known, "doubt": None}})
        tx.connection.execute(sa.delete(tables.operation).where(tables.operation.c.resource_id == number))
    assert isinstance(store.clock, Ticking)
    store.clock.advance(ms=3_600_000)


def owed(store: Store, tenant: str) -> list[tuple[str, str]]:
    """Return target and state of each operation of a read-back."""
    query = (
        sa.select(tables.lane.c.target, tables.operation.c.state)
        .join(tables.lane, tables.lane.c.id == tables.operation.c.lane_id)
        .join(tables.change, tables.change.c.number == tables.operation.c.change_number)
        .where(tables.change.c.kind == "readback", tables.change.c.tenant == tenant)
        .order_by(tables.operation.c.id)
    )
    with store.begin(tenant, write=False) as tx:
        return [(row.target, row.state) for row in tx.connection.execute(query)]


def marks(store: Store, tenant: str) -> int:
    with store.begin(tenant, write=False) as tx:
        query = sa.select(sa.func.count()).where(tables.webhook.c.tenant == tenant)
        return int(tx.connection.execute(query).scalar_one())


def counted(tenant: str, outcome: str, *, target: str = "mt") -> float:
    return metrics.WEBHOOKS.labels(tenant=tenant, target=target, outcome=outcome)._value.get()


@pytest.mark.usefixtures("person")
def test_a_signed_event_owes_a_read_back(
    knocker: Knocker, shared_store: Store, dispatcher: RecordingDispatcher
) -> None:
    dispatcher.wakes.clear()
    answer = knocker.send(event())
    assert (answer.status_code, answer.json) == (200, {"status": "taken"})
    assert owed(shared_store, knocker.tenant) == [("mt", "waiting")]
    assert dispatcher.wakes == [(knocker.tenant, "mt", False)]
    assert counted(knocker.tenant, "read_back") == 1


@pytest.mark.usefixtures("person")
@pytest.mark.parametrize("scheme", ["A", "B"])
def test_a_target_may_take_either_scheme(knocker: Knocker, scheme: str) -> None:
    assert knocker.send(event(), target="either", scheme=scheme).json == {"status": "taken"}


@pytest.mark.usefixtures("person")
def test_all_who_are_not_let_in_are_answered_the_same(knocker: Knocker, shared_store: Store) -> None:
    answers = [
        knocker.send(event(), tenant="nobody"),
        knocker.send(event(), target="nothing"),
        knocker.send(event(), target="silent"),
        knocker.send(event(), tenant="x" * 5_000),
        knocker.send(event(), target="%00%ff"),
        knocker.send(event(), secret="another"),
        knocker.send(event(), scheme="B"),
        knocker.send(event(), headers={}),
        knocker.send(b""),
        knocker.send(event(), off_s=-3_600, secret="another"),
    ]
    del answers[8]  # an empty body that is signed is looked at
    told = {(each.status_code, each.data, each.content_type, tuple(sorted(each.headers.keys()))) for each in answers}
    assert len(told) == 1, told
    assert next(iter(told))[0] == 401
    assert owed(shared_store, knocker.tenant) == []
    assert marks(shared_store, knocker.tenant) == 0


@pytest.mark.parametrize("off_s", [-301, 301, -86_400])
def test_what_was_signed_too_long_ago_is_told_so(knocker: Knocker, off_s: float, shared_store: Store) -> None:
    answer = knocker.send(event(), off_s=off_s)
    assert answer.status_code == 401
    assert "5 minutes" in answer.json["detail"]
    assert marks(shared_store, knocker.tenant) == 0


@pytest.mark.usefixtures("person")
def test_the_same_webhook_again_does_nothing_twice(knocker: Knocker, shared_store: Store) -> None:
    headers = signed(event(), at_s=knocker.now_s)
    assert knocker.send(event(), headers=headers).json == {"status": "taken"}
    for _ in range(3):
        answer = knocker.send(event(), headers=headers)
        assert (answer.status_code, answer.json) == (200, {"status": "duplicate"})
    assert len(owed(shared_store, knocker.tenant)) == 1


@pytest.mark.usefixtures("person")
def test_an_event_id_is_recognised_under_a_new_signature(knocker: Knocker, shared_store: Store) -> None:
    assert knocker.send(event(), event_id="evt-1").json == {"status": "taken"}
    assert knocker.send(event(), event_id="evt-1", off_s=7).json == {"status": "duplicate"}
    assert knocker.send(event(), event_id="evt-1", off_s=9, target="either").json == {"status": "taken"}
    assert len(owed(shared_store, knocker.tenant)) == 2


@pytest.mark.usefixtures("person")
def test_a_replay_under_another_event_id_is_a_replay(knocker: Knocker, shared_store: Store) -> None:
    headers = signed(event(), at_s=knocker.now_s, event_id="evt-1")
    assert knocker.send(event(), headers=headers).json == {"status": "taken"}
    assert knocker.send(event(), headers={**headers, "X-MT-Event-Id": "evt-2"}).json == {"status": "duplicate"}
    assert knocker.send(event(), event_id="evt-2", off_s=5).json == {"status": "taken"}, "nobody could use up evt-2"
    assert len(owed(shared_store, knocker.tenant)) == 1


@pytest.mark.usefixtures("person")
def test_what_was_taken_is_a_duplicate_even_when_it_comes_too_late(knocker: Knocker, shared_store: Store) -> None:
    headers = signed(event(), at_s=knocker.now_s)
    assert knocker.send(event(), headers=headers).json == {"status": "taken"}
    assert isinstance(shared_store.clock, Ticking)
    shared_store.clock.advance(ms=900_000)
    answer = knocker.send(event(), headers=headers)
    assert (answer.status_code, answer.json) == (200, {"status": "duplicate"})


@pytest.mark.usefixtures("person")
def test_one_of_many_at_once_is_taken(app: Flask, knocker: Knocker, shared_store: Store) -> None:
    headers = signed(event(), at_s=knocker.now_s)
    told: list[Any] = []

    def knock() -> None:
        path = f"/webhooks/{knocker.tenant}/mt"
        told.append(app.test_client().post(path, data=event(), headers=headers).json["status"])

    threads = [threading.Thread(target=knock) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["duplicate"] * 7 + ["taken"]
    assert len(owed(shared_store, knocker.tenant)) == 1


def test_people_whom_nobody_knows_owe_nothing(
    knocker: Knocker, shared_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = knocker.send(event(user_id="mtu-stranger", email="stranger@example.com"))
    assert (answer.status_code, answer.json) == (200, {"status": "taken"})
    assert owed(shared_store, knocker.tenant) == []
    assert counted(knocker.tenant, "unknown") == 1
    logged = capsys.readouterr()
    assert "stranger" not in logged.out + logged.err


@pytest.mark.parametrize("kind", ["course.completed", "quiz.submitted", "user.exploded", ""])
def test_events_that_nobody_listens_to_are_ignored(knocker: Knocker, shared_store: Store, kind: str) -> None:
    answer = knocker.send(event(kind, user_id=None))
    assert (answer.status_code, answer.json) == (200, {"status": "ignored"})
    assert marks(shared_store, knocker.tenant) == 0


BAD_BODIES: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"event=user.provisioned",
    "cut off": event()[:-4],
    "not UTF-8": b'{"event": "\xff"}',
    "NaN": b'{"event": NaN}',
    "a list": b"[]",
    "a list of events": b"[" + event() + b"]",
    "a text": b'"user.provisioned"',
    "null": b"null",
    "a number": b"1",
    "no event": b"{}",
    "an event that is a number": b'{"event": 1}',
    "an event that is null": b'{"event": null}',
    "an event that is a list": b'{"event": ["user.provisioned"]}',
    "no data": b'{"event": "user.provisioned"}',
    "data that is null": b'{"event": "user.provisioned", "data": null}',
    "data that is a list": b'{"event": "user.provisioned", "data": ["mtu-1"]}',
    "data that is a text": b'{"event": "user.provisioned", "data": "mtu-1"}',
    "nobody": b'{"event": "user.provisioned", "data": {}}',
    "an id that is a list": event(user_id=["mtu-1"]),
    "an id that is an object": event(user_id={"id": "mtu-1"}),
    "an id that is a boolean": event(user_id=True),
    "an id that is a fraction": event(user_id=1.5),
    "an id that is empty": event(user_id=""),
    "an id that is long": event(user_id="x" * 321),
    "an id that is a large number": event(user_id=2**63),
    "an id of many digits": b'{"event": "user.provisioned", "data": {"userId": ' + b"9" * 6_000 + b"}}",
    "an id with a NUL": event(user_id="mtu\x00"),
    "an id with half a pair": event(user_id="mtu\ud800"),
    "an address that is a number": event(user_id=None, email=1.5),
    "two events": b'{"event": "user.provisioned", "event": "user.deprovisioned", "data": {"userId": "1"}}',
    "deep lists": b'{"event": "user.provisioned", "data": ' + b"[" * 40_000 + b"]" * 40_000 + b"}",
    "deep objects": b'{"a":' * 30 + b"1" + b"}" * 30,
    "open lists": b"[" * 90_000,
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_a_signed_body_that_makes_no_sense_is_refused(knocker: Knocker, shared_store: Store, body: bytes) -> None:
    answer = knocker.send(body)
    assert answer.status_code == 400, answer.text
    assert answer.json["status"] == 400
    assert 0 < len(answer.json["detail"]) < 300
    assert counted(knocker.tenant, "malformed") == 1
    assert marks(shared_store, knocker.tenant) == 0


def test_a_body_is_not_looked_at_before_its_signature_is_right(knocker: Knocker) -> None:
    for body in BAD_BODIES.values():
        assert knocker.send(body, secret="another").status_code == 401


@pytest.mark.parametrize("target", ["mt", "nothing"])
def test_a_body_that_is_too_long_is_refused_before_anything_is_digested(knocker: Knocker, target: str) -> None:
    assert knocker.send(b"x" * 20_000_000, target=target, headers={}).status_code == 413
    assert knocker.send(b"x" * 100_001, target=target, headers={}).status_code == 413
    assert knocker.send(b"x" * 100_000, target=target, headers={}).status_code == 401
    assert MOST_BYTES > 100_000, "these tests' front door takes less"


BAD_HEADERS: dict[str, tuple[int, dict[str, str]]] = {
    "no time": (401, {"X-MindTickle-Timestamp": ""}),
    "a time in words": (400, {"X-MindTickle-Timestamp": "yesterday"}),
    "a time in ISO": (400, {"X-MindTickle-Timestamp": "2026-11-21T10:00:00Z"}),
    "a time of many digits": (400, {"X-MindTickle-Timestamp": "9" * 5_000}),
    "two times": (400, {"X-MindTickle-Timestamp": "1700000000, 1700000001"}),
    "two signatures": (400, {"X-MindTickle-Signature": "ab, cd"}),
    "two event ids": (400, {"X-MT-Event-Id": "a, b"}),
    "a long event id": (400, {"X-MT-Event-Id": "x" * 201}),
    "an event id that is not ASCII": (400, {"X-MT-Event-Id": "ü"}),
    "a packed body": (415, {"Content-Encoding": "gzip"}),
    "another character set": (401, {"Content-Type": "application/json; charset=utf-16"}),
}


@pytest.mark.parametrize(("status", "changed"), BAD_HEADERS.values(), ids=BAD_HEADERS.keys())
@pytest.mark.parametrize("target", ["mt", "nothing"])
def test_headers_that_make_no_sense_are_refused_whoever_is_asked_for(
    knocker: Knocker, status: int, changed: dict[str, str], target: str
) -> None:
    headers = {**signed(event(), at_s=knocker.now_s, secret="another"), **changed}
    given = {name: value for name, value in headers.items() if value}
    answer = knocker.send(event(), target=target, headers=given)
    assert answer.status_code == status, answer.text
    assert answer.json["detail"]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("target", ["mt", "nothing"])
def test_only_a_post_is_a_webhook(knocker: Knocker, method: str, target: str) -> None:
    answer = knocker.client.open(f"/webhooks/{knocker.tenant}/{target}", method=method)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


@pytest.mark.usefixtures("person")
def test_a_token_opens_nothing_here(knocker: Knocker, sender: Sender) -> None:
    headers = {"Authorization": f"Bearer {sender.token}"}
    assert knocker.send(event(), headers=headers).status_code == 401


def test_one_tenants_secret_says_nothing_to_another(
    make_sender: Callable[..., Sender], knocker: Knocker, person: int, shared_store: Store
) -> None:
    """Both tenants' targets have the same name; the account's id is the other's."""
    other = make_sender("somebody-else")
    assert knocker.send(event(), tenant=other.tenant).status_code == 401
    assert person
    assert owed(shared_store, other.tenant) == []


def test_answers_are_json_with_the_requests_id(knocker: Knocker) -> None:
    headers = {**signed(event(), at_s=knocker.now_s), "X-Request-ID": "from-the-vendor"}
    answer = knocker.send(event(), headers=headers)
    assert answer.headers["X-Request-ID"] == "from-the-vendor"
    assert json.loads(answer.data) == {"status": "taken"}
