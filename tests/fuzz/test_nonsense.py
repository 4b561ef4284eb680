"""Bodies, filters and patches as chance makes them: an answer of SCIM's own, and all of a change or nothing."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fuzz import strategies
from fuzz.chance import Drawn
from fuzz.options import Effort
from fuzz.watched import WatchedDoor, opened
from hypothesis import strategies as st

_CONDITIONS = st.sampled_from([{}] * 8 + [{"If_Match": 'W/"1"'}, {"If_Match": "*"}, {"If_None_Match": "*"}])


@pytest.fixture
def door(sqlite_url: str) -> Iterator[WatchedDoor]:
    with opened(sqlite_url) as door:
        yield door


@pytest.fixture
def drawn(door: WatchedDoor, effort: Effort) -> Drawn:
    return Drawn(door, effort)


def test_no_body_is_half_applied(door: WatchedDoor, drawn: Drawn, effort: Effort) -> None:
    bodies = st.one_of(
        st.tuples(st.just("POST"), st.just("/Users"), strategies.broken(strategies.USERS)),
        st.tuples(st.just("POST"), st.just("/Groups"), strategies.broken(strategies.GROUPS)),
        st.tuples(st.just("PUT"), st.just("/Users/{user}"), strategies.broken(strategies.USERS)),
        st.tuples(st.just("PUT"), st.just("/Groups/{group}"), strategies.broken(strategies.GROUPS)),
        st.tuples(st.just("POST"), st.just("/Bulk"), strategies.broken(strategies.BULKS)),
        st.tuples(st.just("POST"), st.just("/Bulk"), strategies.BULKS.map(lambda body: json.dumps(body).encode())),
        st.tuples(
            st.sampled_from(["POST", "PUT", "PATCH", "DELETE"]),
            st.sampled_from(
                ["/Users", "/Groups", "/Users/{user}", "/Groups/{group}", "/Me", "/Bulk", "/.search", "/x"]
            ),
            strategies.broken(strategies.NONSENSE),
        ),
    )

    def make(door: WatchedDoor, drawn: Any) -> None:
        (method, path, body), number, conditions = drawn
        text = door.place(body.decode("utf-8", "surrogateescape"), number).encode("utf-8", "surrogateescape")
        door.send(method, door.place(path, number), text, **conditions)

    drawn.run(st.tuples(bodies, st.integers(0, 3), _CONDITIONS), make, times=effort.share(780))
    accepted = sum(count for status, count in door.statuses.items() if status < 300)
    assert accepted > door.requests / 8, f"so little is accepted that little is tried: {door.statuses}"


def test_no_search_fails(door: WatchedDoor, drawn: Drawn, effort: Effort) -> None:
    searches = st.one_of(
        st.tuples(st.sampled_from(["/Users", "/Groups", "/", "/Users/{user}"]), strategies.QUERIES),
        st.tuples(st.sampled_from(["/Users", "/Groups", "/"]), strategies.FILTERS.map(lambda text: {"filter": text})),
        st.tuples(
            st.sampled_from(["/Users/.search", "/Groups/.search", "/.search"]), strategies.broken(strategies.SEARCHES)
        ),
    )

    def make(door: WatchedDoor, drawn: Any) -> None:
        path, asked = drawn
        if isinstance(asked, bytes):
            door.send("POST", path, asked)
        else:
            door.send("GET", door.place(path), query={name: _sendable(value) for name, value in asked.items()})

    drawn.run(searches, make, times=effort.share(420))
    assert door.statuses[200] > door.requests / 8, f"so little is found that little is tried: {door.statuses}"


def test_no_patch_is_half_applied(door: WatchedDoor, drawn: Drawn, effort: Effort) -> None:
    patches = st.tuples(
        st.sampled_from(["/Users/{user}", "/Groups/{group}"]),
        strategies.broken(strategies.PATCHES),
        st.integers(0, 3),
        _CONDITIONS,
    )

    def make(door: WatchedDoor, drawn: Any) -> None:
        path, body, number, conditions = drawn
        text = door.place(body.decode("utf-8", "surrogateescape"), number).encode("utf-8", "surrogateescape")
        door.send("PATCH", door.place(path, number), text, **conditions)

    drawn.run(patches, make, times=effort.share(420))
    accepted = door.statuses[200] + door.statuses[204]
    assert accepted > door.requests / 8, f"so little is accepted that little is tried: {door.statuses}"


def _sendable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
