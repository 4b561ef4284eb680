"""The options of a SCIM target, and what a refusal in its words means."""

import base64
from typing import Any

import pytest
from fakes.shipped import shipped_settings

from scim_bridge.domain.people import Step
from scim_bridge.domain.replies import Verdict
from scim_bridge.settings.models import LimitSettings
from workers.targets.options import OptionsRefused
from workers.targets.scim import attributes, connection, merging
from workers.targets.scim.capabilities import Bounds, Capabilities
from workers.targets.scim.errors import read_error, reply_for
from workers.targets.scim.options import read_options

URL = {"base_url": "https://learn.example.com/scim/v2/"}


def test_a_bearer_token_is_sent_as_it_is() -> None:
    options = read_options(shipped_settings("scim", {"token": "hush"}, **URL))
    assert (options.base_url, options.authorization) == ("https://learn.example.com/scim/v2", "Bearer hush")


def test_basic_encodes_name_with_password() -> None:
    secrets = {"username": "bridge", "password": "hüsh:hush"}
    options = read_options(shipped_settings("scim", secrets, **URL, auth="basic"))
    scheme, _, text = options.authorization.partition(" ")
    assert (scheme, base64.b64decode(text).decode()) == ("Basic", "bridge:hüsh:hush")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"base_url": ""}, ["base_url", "token"]),
        ({"base_url": "learn.example.com"}, ["base_url"]),
        ({**URL, "auth": "basic"}, ["username", "password"]),
        (
            {**URL, "auth": "digest", "bulk": "on", "patch": "maybe", "filter": "or"},
            ["auth", "bulk", "patch", "filter"],
        ),
        (
            {**URL, "page_size": 0, "bulk_max_operations": "many", "timeout_s": 0},
            ["page_size", "bulk_max_", "timeout_s"],
        ),
    ],
)
def test_wrong_options_are_named_all_at_once(changes: dict[str, Any], named: list[str]) -> None:
    with pytest.raises(OptionsRefused) as caught:
        read_options(shipped_settings("scim", {}, **changes))
    assert all(name in str(caught.value) for name in named)


def test_a_name_with_a_colon_cannot_be_sent_by_basic() -> None:
    with pytest.raises(OptionsRefused, match="colon"):
        read_options(shipped_settings("scim", {"username": "a:b", "password": "p"}, **URL, auth="basic"))


def test_no_secret_is_shown() -> None:
    secrets = {"token": "hush", "username": "hush", "password": "hush"}
    assert "hush" not in repr(read_options(shipped_settings("scim", secrets, **URL)))


@pytest.mark.parametrize(
    ("bounds", "operations", "payload_bytes"),
    [
        (Bounds(), 1000, 5_000_000),
        (Bounds(bulk_operations=100, bulk_bytes=1_000_000), 100, 1_000_000),
        (Bounds(bulk_operations=2000), 1000, 5_000_000),
        (Bounds(bulk=False, bulk_operations=100, bulk_bytes=1_000_000), 0, None),
    ],
)
def test_the_smaller_size_holds(bounds: Bounds, operations: int, payload_bytes: int | None) -> None:
    held = bounds.within(Capabilities(bulk_operations=1000, bulk_bytes=5_000_000))
    assert (held.bulk_operations, held.bulk_bytes) == (operations, payload_bytes)


@pytest.mark.parametrize(("reads", "wait_s"), [(0, 0.0), (1, 1.0), (2, 60.0), (4, 120.0)])
def test_a_call_waits_within_its_deadline_where_a_limit_has_no_room_for_all_of_it(reads: int, wait_s: float) -> None:
    limits = [LimitSettings(requests=1, per_s=1.0), LimitSettings(requests=2, per_s=60.0)]
    assert connection.wait_within(limits, reads=reads) == wait_s
    assert connection.wait_within([], reads=reads) == 0.0


@pytest.mark.parametrize(
    ("step", "status", "body", "verdict", "code"),
    [
        (Step.CREATE, 409, {"scimType": "uniqueness", "detail": "no"}, Verdict.CONFLICT, "conflict"),
        (Step.CREATE, 409, {}, Verdict.CONFLICT, "conflict"),
        (Step.CREATE, 400, {"scimType": "uniqueness"}, Verdict.CONFLICT, "conflict"),
        # Some say it only in words.
        (Step.CREATE, 400, {"detail": "userName is already taken"}, Verdict.CONFLICT, "conflict"),
        (Step.CREATE, 400, {"scimType": "invalidValue", "detail": "must be unique"}, Verdict.REFUSED, "invalid_value"),
        (Step.UPDATE, 409, {"scimType": "uniqueness"}, Verdict.REFUSED, "merge_needed"),
        (Step.CREATE, 400, {"scimType": "invalidValue", "detail": "no"}, Verdict.REFUSED, "invalid_value"),
        (Step.CREATE, 400, {"detail": "userName is required"}, Verdict.REFUSED, "missing_field"),
        (Step.CREATE, 403, {"detail": "no"}, Verdict.RETRY, "unavailable"),
        (Step.CREATE, 400, {"detail": "No licences are left"}, Verdict.REFUSED, "no_seats"),
        (Step.UPDATE, 404, {}, Verdict.GONE, "ok"),
        (Step.UPDATE, 412, {}, Verdict.RETRY, "unavailable"),
        (Step.CREATE, 500, {"detail": "x"}, Verdict.UNKNOWN, "ambiguous"),
        (Step.DEACTIVATE, 501, {}, Verdict.UNSUPPORTED, "unsupported"),
    ],
)
def test_a_refusal_is_classified_by_status_with_its_scim_type(
    step: Step, status: int, body: dict[str, Any], verdict: Verdict, code: str
) -> None:
    reply = reply_for(step, read_error(status, body), detail="")
    assert (reply.verdict, reply.code) == (verdict, code)


@pytest.mark.parametrize(
    ("held", "address", "expected"),
    [
        (None, "a@x", [{"value": "a@x", "type": "work", "primary": True}]),
        (
            [{"value": "h@x"}, {"value": "w@x", "primary": True}],
            "a@x",
            [{"value": "h@x"}, {"value": "a@x", "primary": True}],
        ),
        ([{"value": "h@x", "type": "home"}], "a@x", [{"value": "a@x", "type": "home"}]),
        ([{"value": "h@x"}, {"value": "w@x", "primary": True}], None, [{"value": "h@x"}]),
    ],
)
def test_of_several_addresses_the_primary_one_is_ours(held: Any, address: str | None, expected: Any) -> None:
    resource = {} if held is None else {"emails": held}
    attributes.put_value(resource, "email", address)
    assert resource["emails"] == expected


def test_an_extension_is_named_among_the_schemas_once_it_is_written() -> None:
    urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    resource: dict[str, Any] = {"schemas": [attributes.CORE], "name": {"givenName": "A"}}
    for _ in range(2):
        attributes.put_value(resource, f"{urn}:department", "R&D")
    attributes.put_value(resource, "name.familyName", "B")
    assert resource == {
        "schemas": [attributes.CORE, urn],
        "name": {"givenName": "A", "familyName": "B"},
        urn: {"department": "R&D"},
    }


def test_taking_out_what_is_not_there_changes_nothing() -> None:
    resource: dict[str, Any] = {"name": None}
    attributes.put_value(resource, "name.givenName", None)
    attributes.put_value(resource, "title", None)
    assert resource == {"name": None}


@pytest.mark.parametrize(
    ("meta", "headers"),
    [
        ({"version": 'W/"3"'}, {"If-Match": 'W/"3"'}),
        ({}, {}),
        (None, {}),
        ({"version": "a\r\nX: 1"}, {}),
        ({"version": 3}, {}),
    ],
)
def test_a_version_that_was_read_is_asked_for_again(meta: Any, headers: dict[str, str]) -> None:
    assert merging.condition_for({"meta": meta}) == headers
