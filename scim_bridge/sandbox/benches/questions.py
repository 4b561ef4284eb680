"""What a directory is asked: each question is an endless series of requests, and looks at every answer."""

import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import urlencode

from scim_bridge.domain.resources import CORE_USER
from scim_bridge.sandbox.benches.connection import Answer, BenchFailed, Connection, request
from scim_bridge.sandbox.benches.crowd import Crowd

PAGE = 100
PROJECTION = "userName,emails.value,name.familyName"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

FIRST_PAGE = "list page 1"
PROJECTED_PAGE = "list page 1, projected"
MIDDLE_BY_INDEX = "list page in the middle, by index"

Requests = Generator[bytes, Answer, None]


class Promise(Enum):
    """What is promised of a question."""

    LOOKUP = "lookup"
    PAGE = "page"
    SKIP = "skip"
    """A page that the database has to count its way to."""
    WRITE = "write"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks: with what token and dice, and of whom."""

    connection: Connection
    token: str = field(repr=False)
    crowd: Crowd
    users: int
    newcomers: int
    """The number of the first person who is not there yet."""
    dice: random.Random

    def anybody(self) -> int:
        """Return the number of somebody who is there."""
        return self.dice.randrange(self.users)

    def get(self, path: str, **query: str | int) -> bytes:
        """Return a GET."""
        return request("GET", f"{path}?{urlencode(query)}" if query else path, self.token)


def by_id(asker: Asker) -> Requests:
    """Read a user."""
    while True:
        scim_id = asker.crowd.scim_id(asker.anybody())
        found = _read((yield asker.get(f"/Users/{scim_id}")), 200)
        _check(found["id"] == scim_id, "a read gave somebody else")


def by_user_name(asker: Asker) -> Requests:
    """Find a user by their userName."""
    return _found_by(asker, lambda number: f'userName eq "{asker.crowd.user_name(number)}"')


def by_external_id(asker: Asker) -> Requests:
    """Find a user by what the source calls them."""
    return _found_by(asker, lambda number: f'externalId eq "{asker.crowd.external_id(number)}"')


def by_email(asker: Asker) -> Requests:
    """Find a user by their address at work."""
    return _found_by(asker, lambda number: f'emails[type eq "work" and value eq "{asker.crowd.user_name(number)}"]')


def first_page(asker: Asker) -> Requests:
    """Read the first page of the list."""
    while True:
        _check_page((yield asker.get("/Users", count=PAGE)), asker.users)


def projected_page(asker: Asker) -> Requests:
    """Read three attributes of everybody on the first page."""
    while True:
        _check_page((yield asker.get("/Users", count=PAGE, attributes=PROJECTION)), asker.users)


def middle_by_index(asker: Asker) -> Requests:
    """Read pages from around the middle of the list, counted to."""
    while True:
        start = asker.users // 2 - asker.dice.randrange(max(1, min(PAGE, asker.users // 2)))
        _check_page((yield asker.get("/Users", count=PAGE, startIndex=max(1, start))), asker.users // 2)


def middle_by_cursor(asker: Asker) -> Requests:
    """Read on from the middle of the list. A cursor leads from page to page, so the way there is walked first."""
    middle = cursor = _walk(asker, pages=max(1, asker.users // 2 // PAGE))
    while True:
        page = _read((yield asker.get("/Users", count=PAGE, cursor=cursor)), 200)
        _check(bool(page["Resources"]), "a cursor led to nobody")
        cursor = page.get("nextCursor") or middle


def _walk(asker: Asker, *, pages: int) -> str:
    """Return the cursor behind so many pages; the last one that there is in a short list."""
    cursor = ""
    for _ in range(pages):
        page = _read(asker.connection.ask(asker.get("/Users", count=PAGE, cursor=cursor)), 200)
        if "nextCursor" not in page:
            break
        cursor = page["nextCursor"]
    return cursor


def patch(asker: Asker) -> Requests:
    """Give users a new title."""
    while True:
        title = f"Engineer {asker.dice.getrandbits(40):x}"
        operation = {"op": "replace", "path": "title", "value": title}
        body = {"schemas": [PATCH_OP], "Operations": [operation]}
        path = f"/Users/{asker.crowd.scim_id(asker.anybody())}"
        patched = _read((yield request("PATCH", path, asker.token, body)), 200)
        _check(patched["title"] == title, "a patch did not take")


def post(asker: Asker) -> Requests:
    """Create users."""
    number = asker.newcomers
    while True:
        document = asker.crowd.user(number)
        created = _read((yield request("POST", "/Users", asker.token, document)), 201)
        _check(created["userName"] == document["userName"] and CORE_USER in created["schemas"], "a create went astray")
        number += 1


QUESTIONS: Mapping[str, tuple[Promise, Callable[[Asker], Requests]]] = {
    "GET by id": (Promise.LOOKUP, by_id),
    "filter userName eq": (Promise.LOOKUP, by_user_name),
    "filter externalId eq": (Promise.LOOKUP, by_external_id),
    "filter emails[type and value]": (Promise.LOOKUP, by_email),
    FIRST_PAGE: (Promise.PAGE, first_page),
    PROJECTED_PAGE: (Promise.PAGE, projected_page),
    MIDDLE_BY_INDEX: (Promise.SKIP, middle_by_index),
    "list page in the middle, by cursor": (Promise.PAGE, middle_by_cursor),
    "PATCH": (Promise.WRITE, patch),
    "POST": (Promise.WRITE, post),
}
"""In the order in which they are asked: a list is as long as was built until somebody is created."""

PROMISES: Mapping[str, Promise] = {name: promise for name, (promise, _) in QUESTIONS.items()}


def _found_by(asker: Asker, filter_of: Callable[[int], str]) -> Requests:
    while True:
        number = asker.anybody()
        found = _read((yield asker.get("/Users", filter=filter_of(number))), 200)
        ids = [each["id"] for each in found["Resources"]]
        _check(ids == [asker.crowd.scim_id(number)], "a filter did not find exactly the one")


def _check_page(answer: Answer, there: int) -> None:
    page = _read(answer, 200)
    _check(len(page["Resources"]) >= min(PAGE, there), "a page is not full")


def _read(answer: Answer, status: int) -> Any:
    if answer.status != status:
        raise BenchFailed(f"the front door answered {answer.status} instead of {status}: {answer.body[:300]!r}")
    return answer.document()


def _check(holds: bool, what: str) -> None:  # noqa: FBT001 - an assertion in words
    if not holds:
        raise BenchFailed(what)
