"""The door for HR events as senders meet it on the wire: who waits to be told to go on, and who sends far too much."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import hr_senders, knocking
from running.knocking import Answer, Door

SOURCES = "".join(
    f'[[tenants.sources]]\nname = "{name}"\nkind = "{kind}"\nsecret = "file:{kind}.secret"\n'
    for name, kind in (("payroll", "paylocity"), ("script", "generic"))
)

OF_EACH_ANSWER = ("date", "x-request-id")
"""Headers that differ from one answer to the next."""


@pytest.fixture(scope="module")
def hr_door(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("hr")
    for kind in ("paylocity", "generic"):
        (folder / f"{kind}.secret").write_text(hr_senders.SECRET)
    with knocking.opened(folder, database=sqlite_template, settings=SOURCES) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _hang_up(hr_door: Door) -> Iterator[None]:
    yield
    for connection in hr_door.opened:
        connection.close()
    hr_door.opened.clear()


def head(source: str, length: int, headers: dict[str, str], *, tenant: str = "acme") -> bytes:
    given = {"Host": "bridge", "Content-Type": "application/json", "Content-Length": str(length), **headers}
    lines = [f"POST /hr/v1/events/{tenant}/{source} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def test_paylocity_is_told_to_go_on(hr_door: Door) -> None:
    body = hr_senders.payload("paylocity/employee_change.json")
    connection = hr_door.connect()
    connection.sendall(head("payroll", len(body), hr_senders.paylocity(body, at_s=0)))
    assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.sendall(body)
    answer = Answer(connection)
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert json.loads(answer.body)["events"] == [{"position": 1, "outcome": "needs_fetch"}]
    assert connection.recv(1) == b""


def test_twenty_megabytes_are_refused_before_they_have_come(hr_door: Door) -> None:
    connection = hr_door.connect()
    began = time.monotonic()
    connection.sendall(head("script", 20_000_000, {}) + b" " * 10_000)
    answer = Answer(connection)
    assert answer.status == 413
    assert time.monotonic() - began < 5


def test_who_is_not_let_in_cannot_tell_why(hr_door: Door) -> None:
    body = json.dumps({"id": "1", "fields": {"title": "x"}}).encode()
    now = time.time()
    told = set()
    for tenant, source, secret in (
        ("acme", "script", "wrong"),
        ("acme", "nothing", hr_senders.SECRET),
        ("nobody", "script", hr_senders.SECRET),
        ("acme", "payroll", hr_senders.SECRET),
    ):
        connection = hr_door.connect()
        headers = hr_senders.generic(body, at_s=now, secret=secret)
        connection.sendall(head(source, len(body), headers, tenant=tenant) + body)
        answer = Answer(connection)
        headers = {name: value for name, value in answer.headers.items() if name not in OF_EACH_ANSWER}
        told.add((answer.status, answer.body, str(sorted(headers.items()))))
    assert len(told) == 1
    assert next(iter(told))[0] == 401


def test_a_person_is_there_once_the_answer_is(hr_door: Door) -> None:
    person = {"email": "wire@example.com", "firstName": "Wire", "lastName": "Lee", "status": "active"}
    body = json.dumps({"event": "saved", "id": "w-1", "fields": person}).encode()
    connection = hr_door.connect()
    connection.sendall(head("script", len(body), hr_senders.generic(body, at_s=time.time())) + body)
    answer = Answer(connection)
    assert (answer.status, json.loads(answer.body)["status"]) == (200, "taken")
    assert hr_door.is_known("wire")
