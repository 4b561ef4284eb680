"""A front door in this process, on SQLite, and what holds after every request, whatever was sent."""

import io
import itertools
import json
import logging
import os
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from fakes.dispatcher import RecordingDispatcher
from flask import Flask
from running.door import SCIM, Ticking

from scim_bridge import logs
from scim_bridge.settings.models import GroupSettings, Settings, TargetSettings, TenantSettings, WebSettings
from scim_bridge.store import lanes, tables, tokens
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger
from scim_bridge.web.app import create_app

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
SLOWEST_S = 3.0
MARK = "zq-person"
"""Stands in everybody's name, so that a person in the log is found."""

SHIFT = 100
"""So many requests are made to one tenant, then its books are proved and another begins: small books compare fast."""

SCIM_TYPES = frozenset(
    {
        *("invalidFilter", "tooMany", "uniqueness", "mutability", "invalidSyntax", "invalidPath", "noTarget"),
        *("invalidValue", "invalidVers", "sensitive", "invalidCursor", "expiredCursor", "invalidCount"),
    }
)

_BOOKS = (tables.resource, tables.lookup, tables.member, tables.change, tables.operation, tables.entry)


Books = Mapping[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, from whatever client."""

    status: int
    content_type: str
    text: str = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class WatchedDoor:
    """Sends requests and checks each answer, and what the request did to the books."""

    def __init__(self, store: Store, log: io.StringIO, *, settings: WebSettings | None = None) -> None:
        self.store = store
        self.log = log
        self.statuses: Counter[int] = Counter()
        self._numbers = itertools.count(1)
        self._settings = settings or WebSettings(requests_per_s=0)
        self.app = self._open()
        self._client = self.app.test_client()
        self.tenant = ""
        self.token = ""
        self._reader = sqlite3.connect(str(store.engine.url.database))
        self._reader.row_factory = sqlite3.Row
        self._version = 0
        self._books: Books = {table.name: [] for table in _BOOKS}

    def _open(self) -> Flask:
        self._targets = [
            TargetSettings(name="everybody", kind="fake"),
            TargetSettings(name="sales", kind="fake", groups={"Sales": GroupSettings()}),
            TargetSettings(name="employees", kind="fake", scope='userType eq "Employee"'),
        ]
        tenants = [TenantSettings(id=f"tenant-{number}", targets=self._targets) for number in range(1, 400)]
        return create_app(
            Settings(web=self._settings, tenants=tenants),
            self.store,
            RecordingDispatcher(),
            clock=self.store.clock,
            secret=b"s" * 32,
        )

    def close(self) -> None:
        self._reader.close()

    @property
    def requests(self) -> int:
        return self.statuses.total()

    # -- Tenants --------------------------------------------------------

    def begin_shift(self) -> None:
        """Prove the books of the tenant so far, and go on with a new one that has two people and a group."""
        if self.tenant:
            self.prove()
        self.tenant = f"tenant-{next(self._numbers)}"
        with self.store.across_tenants("test", write=True) as tx:
            known = [(lane.tenant, lane.target) for lane in lanes.configured(tx)]
            lanes.sync(tx, [*known, *((self.tenant, target.name) for target in self._targets)])
        with self.store.begin(self.tenant) as tx:
            self.token = tokens.issue(tx, scopes=["scim"], source="idp").value
        for name in ("ann", "bob"):
            self._seed("/Users", {"userName": f"{MARK}-{name}@example.com", **_SEEDED})
        self._seed("/Groups", {"displayName": "Sales", "members": [{"value": self.ids("User")[0]}]})

    def _seed(self, path: str, body: dict[str, Any]) -> None:
        response = self._client.post(f"/scim/v2{path}", json=body, headers=self.headers)
        assert response.status_code == 201, response.text
        self.read_books()

    def prove(self) -> None:
        """Compare the two sides of the books, and what is counted with what is there."""
        report = verify_ledger(self.store, self.tenant)
        assert report["balanced"], report
        self.read_books()
        for kind, endpoint in (("User", "Users"), ("Group", "Groups")):
            told = self._client.get(f"/scim/v2/{endpoint}?count=0", headers=self.headers).json
            assert told["totalResults"] == len(self.ids(kind))
        assert MARK not in self.log.getvalue(), "somebody's name is in the log"

    # -- What there is --------------------------------------------------

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def ids(self, kind: str) -> list[str]:
        """Return the SCIM ids of the living resources of a kind, oldest first, as the books last were."""
        return [row["scim_id"] for row in self._books["resource"] if row["kind"] == kind and row["deleted_at"] is None]

    def place(self, text: str, number: int = 0) -> str:
        """Put the ids of living resources where {user}, {other} and {group} stand."""
        if "{" not in text:
            return text
        users, groups = self.ids("User") or ["none"], self.ids("Group") or ["none"]
        text = text.replace("{user}", users[number % len(users)]).replace("{group}", groups[number % len(groups)])
        return text.replace("{other}", users[(number + 1) % len(users)])

    def read_books(self) -> Books:
        """Return every row of the tenant that a request could leave behind, by table. What nobody wrote is not read."""
        version = self._reader.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self._version = version
            self._books = {
                table.name: [
                    dict(row)
                    for row in self._reader.execute(
                        f"SELECT * FROM {table.name} WHERE tenant = ? ORDER BY rowid", (self.tenant,)
                    )
                ]
                for table in _BOOKS
            }
        return self._books

    # -- Requests -------------------------------------------------------

    def send(
        self, method: str, path: str, body: str | bytes | None = None, *, query: Any = None, **headers: str
    ) -> Answer:
        """Send one request and check what came of it."""
        given = {**self.headers, **({} if body is None else {"Content-Type": SCIM})}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}

        def call() -> Answer:
            response = self._client.open(f"/scim/v2{path}", method=method, data=body, query_string=query, headers=given)
            return Answer(response.status_code, response.content_type or "", response.text)

        return self.watch(method, path, call)

    def watch(self, method: str, path: str, call: Callable[[], Answer]) -> Answer:
        """Make a call and check its answer, how long it took, and that it did all of what it says or nothing."""
        began = time.monotonic() - _held_up_s()
        answer = call()
        took_s = time.monotonic() - _held_up_s() - began
        self.statuses[answer.status] += 1
        assert took_s < SLOWEST_S, f"{method} took {took_s:.1f} s"
        check_answer(answer, path)
        before = self._books
        check_books(before, self.read_books(), allowed=_most_changes(method, path, answer))
        return answer


_SEEDED: dict[str, Any] = {
    "name": {"givenName": MARK, "familyName": MARK},
    "emails": [{"value": f"{MARK}@example.com", "type": "work", "primary": True}],
    "manager": "M1",
}


def check_answer(answer: Answer, path: str) -> None:
    """Check that an answer is one that SCIM knows, errors within a bulk answer too."""
    assert answer.status < 500 or (answer.status == 501 and path.startswith("/Me")), answer.text
    if answer.status >= 400:
        assert answer.content_type == SCIM
        check_error(answer.json, answer.status)
    elif answer.text:
        assert answer.content_type == SCIM
    if answer.status == 200 and path == "/Bulk":
        for outcome in answer.json["Operations"]:
            assert int(outcome["status"]) < 500, outcome
            if int(outcome["status"]) >= 400:
                check_error(outcome["response"], int(outcome["status"]))


def check_error(error: Mapping[str, Any], status: int) -> None:
    """Check that an error says what happened in the form of RFC 7644 section 3.12."""
    assert error["schemas"] == [ERROR]
    assert error["status"] == str(status)
    assert len(error["detail"]) > 10, error
    assert len(error["detail"]) < 2000, "an error is no place to give the request back"
    if status == 400:
        assert error["scimType"] in SCIM_TYPES, error
    elif "scimType" in error:
        assert (status, error["scimType"]) == (409, "uniqueness")


def check_books(before: Books, after: Books, *, allowed: int) -> None:
    """Check that the books grew by no more changes than allowed, and that nothing is different without a change."""
    if after is before:
        return
    made = len(after["change"]) - len(before["change"])
    assert 0 <= made <= allowed, f"{made} changes where {allowed} were allowed"
    if made == 0:
        for name, rows in before.items():
            assert after[name] == rows, f"{name} differs and no change tells why"
    assert after["change"][: len(before["change"])] == before["change"], "a change that stood there is another now"


def _most_changes(method: str, path: str, answer: Answer) -> int:
    """Return how many changes a request may have made, as its answer tells."""
    if method in ("GET", "HEAD") or answer.status >= 400 or path.endswith("/.search"):
        return 0
    if path == "/Bulk":
        return sum(int(outcome["status"]) < 400 for outcome in answer.json["Operations"])
    return 1


def _held_up_s() -> float:
    """Return how long this thread has waited for a processor: the machine's business, and none of the bridge's."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text("ascii").split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def resident_bytes() -> int:
    """Return how much memory this process holds."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def opened(url: str, *, settings: WebSettings | None = None) -> Iterator[WatchedDoor]:
    """Give a door on a migrated database, with this process's log caught; prove the books at the end."""
    root = logging.getLogger()
    handlers, level, stderr = list(root.handlers), root.level, sys.stderr
    written = io.StringIO()
    sys.stderr = written
    logs.configure("info", process="web")
    sys.stderr = stderr
    store = Store.open(url, clock=Ticking())
    try:
        door = WatchedDoor(store, written, settings=settings)
        door.begin_shift()
        yield door
        door.prove()
        door.close()
    finally:
        store.close()
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
