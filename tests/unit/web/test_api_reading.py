"""What a request says to the API, read as its operation describes it: taken as meant, or refused with the reason."""

import json

import pytest

from scim_bridge.domain.instants import Millis
from scim_bridge.errors import NotThere, UsageError
from scim_bridge.web.api import reading, shapes
from scim_bridge.web.api.operations import AFTER, LIMIT, REASON, SINCE, Asked, Operation, Parameter, Role, number

NOW: Millis = 1_700_000_000_000
JSON = "application/json"

OPERATION = Operation(
    method="POST",
    path="/things/{thing}",
    name="thing",
    role=Role.OPERATOR,
    tells="Do it.",
    handler=lambda _desk, _asked: None,
    command=None,
    parameters=(
        number("thing", "Its number."),
        LIMIT,
        AFTER,
        SINCE,
        Parameter(name="deep", tells="", schema=shapes.TRUTH),
    ),
    body=shapes.body(count={"type": "integer", "maximum": 5}, optional={"reason": REASON, "more": shapes.ANYTHING}),
)


def test_what_was_not_given_is_left_out_or_is_what_the_description_says() -> None:
    assert reading.query_of(OPERATION, {}, now=NOW) == {"limit": 50}


def test_a_query_is_read_as_described() -> None:
    given = {"limit": ["500"], "after": ["0"], "since": ["1h"], "deep": ["true"]}
    assert reading.query_of(OPERATION, given, now=NOW) == {
        "limit": 500,
        "after": 0,
        "since": NOW - 3_600_000,
        "deep": True,
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("limit", "0"),
        ("limit", "501"),
        ("limit", "-1"),
        ("limit", "1.0"),
        ("limit", " 1"),
        ("limit", "\u0661"),
        ("after", "9" * 17),
        ("after", "9" * 16),
        ("after", ""),
        ("since", "soon"),
        ("since", "2023-13-01"),
        ("since", "1\x00h"),
        ("deep", "True"),
        ("thing", "7"),
        ("unheard", "x"),
    ],
)
def test_a_query_that_is_not_as_described_is_refused(name: str, text: str) -> None:
    with pytest.raises(UsageError, match=name):
        reading.query_of(OPERATION, {name: [text]}, now=NOW)


@pytest.mark.parametrize("text", ["seven", "0", "-7", "7" * 17, "7\n"])
def test_a_number_in_the_path_that_is_none_is_not_there(text: str) -> None:
    with pytest.raises(NotThere):
        reading.path_of(OPERATION, {"thing": text}, now=NOW)


def test_a_body_is_read_as_described() -> None:
    content = json.dumps({"count": 5.0, "reason": "why", "more": [1.5, "\U0001f600"]}).encode()
    read = reading.body_of(OPERATION, content, "application/json; charset=utf-8")
    assert read == {"count": 5, "reason": "why", "more": [1.5, "\U0001f600"]}
    assert type(read["count"]) is int


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "needs count"),
        (b"{", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"count": NaN}', "no JSON"),
        (b'{"count": ' + b"9" * 17 + b"}", "no JSON"),
        (b'{"count": 1, "more": ["\\ud800"]}', "no JSON"),
        (b'{"count": 1, "\\ud800": 1}', "no JSON"),
        (b'{"count": 1, "more": {"a": "\\u0000"}}', "U\\+0000"),
        (b'{"count": 1e999}', "count must have type"),
        (b'{"count": 1.5}', "count must have type"),
        (b'{"count": true}', "count must have type"),
        (b'{"count": 6}', "count must have maximum 5"),
        (b'{"count": 1, "other": 1}', "known: count, reason, more"),
        (b"[]", "must have type"),
        (b"null", "must have type"),
    ],
)
def test_a_body_that_is_not_as_described_is_refused(content: bytes, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        reading.body_of(OPERATION, content, JSON)


def test_a_body_of_another_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="application/json"):
        reading.body_of(OPERATION, b'{"count": 1}', "text/plain")


def test_a_refusal_quotes_nothing_of_what_was_sent() -> None:
    with pytest.raises(UsageError) as refused:
        reading.body_of(OPERATION, b'{"count": "ann@example.com"}', JSON)
    assert "ann@" not in str(refused.value)


def asked(**body: str) -> Asked:
    return Asked(tenant="acme", who="op", path={}, query={}, body=body, scopes=frozenset({"ops:operator"}))


@pytest.mark.parametrize("reason", ["a\nb", "  ", "\x1b[2J"])
def test_a_reason_is_one_line_that_can_be_read(reason: str) -> None:
    with pytest.raises(UsageError, match="one line"):
        reading.reason_of(asked(reason=reason))


def test_a_reason_is_kept_without_the_blanks_around_it() -> None:
    assert (reading.reason_of(asked(reason=" why ")), reading.reason_of(asked())) == ("why", "")


def test_a_role_may_do_what_those_before_it_may() -> None:
    assert asked().may(Role.VIEWER)
    assert asked().may(Role.OPERATOR)
    assert not asked().may(Role.ADMIN)
