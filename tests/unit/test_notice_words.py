"""What notices say: complete sentences, commands that there are, and a signature that others can check."""

import base64
import hashlib
import hmac
import re
from typing import Any

import click
import pytest

from scim_bridge.cli import main
from scim_bridge.domain import notices, signing
from scim_bridge.domain.notices import TAKEOVERS, Kind, Notice
from scim_bridge.sandbox.receivers.verifying import NotGenuine, verify

CODES = {
    Kind.DEAD: "missing_field",
    Kind.TOKEN_EXPIRY: notices.expiry_code("t0k3n", 7),
    Kind.FETCH_REFUSED: "bamboohr",
}
GROUPS = ("hold", "lane", "failed", "token", "hr")


def made(kind: Kind, *, count: int = 1, code: str | None = None) -> Notice:
    return Notice(
        id="ntc_1",
        kind=kind,
        tenant="acme",
        target="" if kind in (Kind.TOKEN_EXPIRY, Kind.FETCH_REFUSED) else "lms",
        code=CODES.get(kind, "") if code is None else code,
        count=count,
        at=1_700_000_000_000,
    )


EVERY = [made(kind) for kind in Kind] + [made(Kind.HOLD, code=code) for code in sorted(TAKEOVERS)]


def commands_of(group: str) -> list[str]:
    found = main.get_command(click.Context(main), group)
    assert isinstance(found, click.Group)
    return list(found.commands)


@pytest.mark.parametrize("notice", EVERY, ids=lambda notice: f"{notice.kind}-{notice.code}")
def test_every_kind_says_what_happened_with_commands_that_there_are(notice: Notice) -> None:
    told = notices.document(notice)
    assert (told["at"], told["target"]) == ("2023-11-14T22:13:20.000Z", notice.target or None)
    assert told["what"].endswith(".")
    there = {f"{group} {name}" for group in GROUPS for name in commands_of(group)}
    named = re.findall(r"scim-bridge (\w+ \w+)", told["advice"])
    assert named
    assert set(named) <= there


def test_one_person_is_told_of_in_the_singular() -> None:
    assert "1 person is held" in notices.document(made(Kind.HOLD))["what"]
    assert "300 people are held" in notices.document(made(Kind.HOLD, count=300))["what"]


def test_the_link_names_what_the_notice_is_about() -> None:
    told = notices.document(made(Kind.HOLD), link="https://x.example/{tenant}/{target}#{kind}")
    assert told["link"] == "https://x.example/acme/lms#hold"


BODY = b'{"id": "ntc_1"}'


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """Reckoned as its specification says: base64 of HMAC-SHA256 over id.timestamp.body, v1 in front."""
    raw = bytes(range(32))
    secret = "whsec_" + base64.b64encode(raw).decode()
    headers = signing.headers(signing.key_of(secret), message_id="ntc_1", timestamp_s=1_700_000_000, body=BODY)
    digest = hmac.new(raw, b"ntc_1.1700000000." + BODY, hashlib.sha256).digest()
    assert headers == {
        "webhook-id": "ntc_1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


def test_a_text_without_prefix_is_its_own_key() -> None:
    assert signing.key_of("x" * 24) == b"x" * 24


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "ntc_2"},
        {"webhook-timestamp": "1700000001"},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,AAAA v2,BBBB"},
    ],
)
def test_the_receiver_believes_no_changed_header(change: dict[str, str]) -> None:
    secret: Any = "x" * 24
    headers = signing.headers(signing.key_of(secret), message_id="ntc_1", timestamp_s=1_700_000_000, body=BODY)
    assert verify(secret, headers, BODY, now_s=1_700_000_299)["id"] == "ntc_1"
    with pytest.raises(NotGenuine):
        verify(secret, {**headers, **change}, BODY, now_s=1_700_000_299)
    with pytest.raises(NotGenuine):
        verify(secret, headers, BODY, now_s=1_700_000_301)
