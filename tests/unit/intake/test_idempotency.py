"""What makes two requests with an Idempotency-Key the same, and which answers are kept."""

from dataclasses import fields
from typing import Any

import pytest
from scim2_models import InvalidValueException
from scim2_server.requests import ScimRequest

from scim_bridge.intake.scim import idempotency
from scim_bridge.store.first_answers import Keyed

SECRET = b"s" * 32


def request(method: str = "POST", path: str = "/Users", *, key: str | None = "k1", **more: Any) -> ScimRequest:
    headers = {} if key is None else {"idempotency-key": key}
    return ScimRequest(method=method, base_url="http://x/scim/v2", path=path, headers=headers, **more)


def keyed(given: ScimRequest) -> Keyed:
    found = idempotency.keyed(given, token_id="t1", secret=SECRET)
    assert found is not None
    return found


def differing(one: ScimRequest, other: ScimRequest) -> set[str]:
    first, second = keyed(one), keyed(other)
    return {field.name for field in fields(Keyed) if getattr(first, field.name) != getattr(second, field.name)}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/Users"),
        ("GET", "/Users/1"),
        ("POST", "/.search"),
        ("POST", "/Users/.search"),
        ("GET", "/Schemas"),
        ("POST", "/no/such/place/here"),
    ],
)
def test_a_key_on_what_is_no_write_means_nothing(method: str, path: str) -> None:
    assert idempotency.keyed(request(method, path, key=""), token_id="t1", secret=SECRET) is None


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/Users"), ("PUT", "/Users/1"), ("PATCH", "/Groups/1"), ("DELETE", "/Users/1"), ("POST", "/Bulk")],
)
def test_every_write_takes_a_key(method: str, path: str) -> None:
    assert keyed(request(method, path)).token_id == "t1"


def test_without_the_header_there_is_no_key() -> None:
    assert idempotency.keyed(request(key=None), token_id="t1", secret=SECRET) is None


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "a\x7fb", "schlüssel"])
def test_a_bad_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidValueException, match="1 to 255 printable ASCII"):
        keyed(request(key=key))


@pytest.mark.parametrize("key", ["x", "x" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "a b"])
def test_a_printable_key_of_any_form_is_taken(key: str) -> None:
    assert keyed(request(key=key))


def test_the_same_request_is_the_same() -> None:
    given = {"body": b"{}", "query": {"attributes": "id", "excludedAttributes": "x"}}
    turned = {"body": b"{}", "query": {"excludedAttributes": "x", "attributes": "id"}}
    assert differing(request(**given), request(**turned)) == set()
    assert differing(request(path="/Users"), request(path="/Users/")) == set()


def test_what_differs_shows_where_it_belongs() -> None:
    assert differing(request(), request(key="k2")) == {"key"}
    assert differing(request(), request(path="/Groups")) == {"route"}
    assert differing(request("PUT", "/Users/1"), request("PATCH", "/Users/1")) == {"route"}
    assert differing(request(), request(body=b"{}")) == {"body"}
    assert differing(request(), request(query={"attributes": "id"})) == {"body"}


def test_nothing_of_the_request_can_be_read_from_what_is_kept() -> None:
    found = keyed(request("DELETE", "/Users/ann@example.com", key="ann-1", body=b"ann"))
    assert "ann" not in repr(found)
    assert keyed(request()).key != keyed(request(key="k1", path="/Groups")).body


@pytest.mark.parametrize(
    ("status", "kept"),
    [
        (200, True),
        (201, True),
        (204, True),
        (400, True),
        (404, True),
        (409, True),
        (412, True),
        (415, True),
        # These may be answered otherwise in a moment, for the same request.
        (401, False),
        (403, False),
        (408, False),
        (413, False),
        (429, False),
        (500, False),
        (501, False),
        (503, False),
    ],
)
def test_only_answers_that_stay_true_are_kept(status: int, kept: bool) -> None:  # noqa: FBT001 - a row of the table
    assert idempotency.is_final(status) is kept
