"""The door for HR events as senders meet it on the wire; and config/senders.md, each of whose examples is tried."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import hr_senders, knocking
from running.knocking import Answer, Door

from scim_bridge.intake.hr import senders

OF_EACH_ANSWER = ("date", "x-request-id")
"""Headers that differ from one answer to the next."""

DOCUMENT = Path(__file__).resolve().parents[2] / "config" / "senders.md"
BLOCK = re.compile(r"```(toml|sh|json)\n(.*?)```", re.DOTALL)


def examples() -> list[dict[str, str]]:
    """Return the blocks of each sender's section, by their language."""
    sections = DOCUMENT.read_text("utf-8").split("\n## ")[2:]
    return [dict(BLOCK.findall(section)) for section in sections]


def kind_of(example: dict[str, str]) -> str:
    return re.findall(r'kind = "(\w+)"', example["toml"])[0]


@pytest.fixture(scope="module")
def hr_door(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Door]:
    with pytest.MonkeyPatch.context() as environment:
        for example in examples():
            for name in re.findall(r"env:(\w+)", example["toml"]):
                environment.setenv(name, hr_senders.secret_of(kind_of(example)))
        settings = "workers = 1\n" + "".join(example["toml"] for example in examples())
        with knocking.opened(tmp_path_factory.mktemp("senders"), database=sqlite_template, settings=settings) as opened:
            yield opened


def test_every_kind_of_sender_has_its_section() -> None:
    assert sorted(kind_of(example) for example in examples()) == sorted(senders.BY_KIND)


@pytest.mark.parametrize("example", examples(), ids=kind_of)
def test_a_command_is_answered_as_it_is_written(hr_door: Door, example: dict[str, str]) -> None:
    environ = {**hr_door.bridge.environ, "BRIDGE": hr_door.bridge.url, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "-euc", example["sh"]], env=environ, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == json.loads(example["json"])


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
    connection.sendall(head("paylocity", len(body), hr_senders.paylocity(body, at_s=0)))
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
        ("acme", "paylocity", hr_senders.SECRET),
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
