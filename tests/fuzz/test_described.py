"""Requests as schemathesis makes them of our own description: what is described is true, and nothing fails."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fuzz.chance import Drawn
from fuzz.options import Effort
from fuzz.watched import Answer, WatchedDoor, opened
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

WEIGHTS = {"post": 3, "put": 3, "patch": 3, "get": 2, "delete": 1}
"""What writes is tried more often."""

STRANGE_ID, STRANGE_TOKEN, STRANGE_CONDITION, CHOICES = 5, 11, 17, 31
"""What chance decides about too: otherwise the id is a living one, the token is right and there is no condition."""


@pytest.fixture
def door(sqlite_url: str) -> Iterator[WatchedDoor]:
    with opened(sqlite_url) as door:
        yield door


def test_every_answer_is_one_that_is_described(door: WatchedDoor, effort: Effort) -> None:
    schema = schemathesis.openapi.from_wsgi("/scim/v2/openapi.json", door.app)
    operations = [each.ok() for each in schema.get_all_operations()]
    weights = [_weight(each) for each in operations]
    for operation, weight in zip(operations, weights, strict=True):
        times = -(-effort.share(380) * weight // sum(weights))
        Drawn(door, effort).run(_requests(operation), _make, times=times)
        door.begin_shift()
    assert door.requests >= effort.share(380)
    assert door.statuses[200] + door.statuses[201] + door.statuses[204] > door.requests / 8, door.statuses


def _weight(operation: Any) -> int:
    return 1 if operation.path == "/Me" or "Schemas" in operation.path else WEIGHTS[operation.method]


def _requests(operation: Any) -> st.SearchStrategy[Any]:
    """Give cases of an operation, right ones and wrong ones, each with a number that chooses a living resource."""
    right = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    wrong = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    return st.tuples(st.one_of(right, right, wrong), st.integers(0, CHOICES))


def _make(door: WatchedDoor, drawn: Any) -> None:
    case, number = drawn
    if "id" in case.path_parameters and number != STRANGE_ID:
        kind = "Group" if case.path.startswith("/Groups") else "User"
        living = door.ids(kind) or ["none"]
        case.path_parameters["id"] = living[number % len(living)]
    if number != STRANGE_TOKEN:
        case.headers["Authorization"] = door.headers["Authorization"]
    if number != STRANGE_CONDITION:
        for name in ("If-Match", "If-None-Match"):
            case.headers.pop(name, None)
    response: Any = None

    def call() -> Answer:
        nonlocal response
        response = case.call()
        return Answer(response.status_code, (response.headers.get("content-type") or [""])[0], response.text)

    door.watch(case.method, case.path, call)
    case.validate_response(response, checks=CHECKS)
