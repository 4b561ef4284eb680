"""Both signature schemes over the raw body, and the five minutes that a signature is good for."""

import pytest
from running.signing import SECRET, event, signed

from scim_bridge.intake.webhooks import signatures
from scim_bridge.intake.webhooks.refusals import WebhookRefused
from scim_bridge.intake.webhooks.signatures import Door, Scheme

AT_S = 1_700_000_000
BODY = event()


def door(scheme: str = "A", secret: str = SECRET) -> Door:
    return Door(secret=secret.encode(), scheme=Scheme(scheme))


def test_a_signature_is_the_one_that_the_vendors_sample_makes() -> None:
    """The digest was made with openssl: printf '1700000000.{}' | openssl dgst -sha256 -hmac whsec-3f9a."""
    digest = "622b2f2622eb5c52c4d76cd409734bf4cc4d29e7237762a6f9be2bbd24ece615"
    headers = {"X-MindTickle-Signature": digest, "X-MindTickle-Timestamp": "1700000000"}
    assert signatures.verify(door(), headers, b"{}").mark == f"A:{digest}"


@pytest.mark.parametrize(
    ("scheme", "used", "is_taken"),
    [
        ("A", "A", True),
        ("A", "B", False),
        ("B", "A", False),
        ("B", "B", True),
        ("any", "A", True),
        ("any", "B", True),
    ],
)
def test_a_target_takes_the_scheme_that_it_is_configured_for(scheme: str, used: str, *, is_taken: bool) -> None:
    headers = signed(BODY, at_s=AT_S, scheme=used)
    if is_taken:
        assert signatures.verify(door(scheme), headers, BODY).at == AT_S * 1000
    else:
        with pytest.raises(WebhookRefused, match="not signed"):
            signatures.verify(door(scheme), headers, BODY)


@pytest.mark.parametrize("scheme", ["A", "B"])
@pytest.mark.parametrize(
    "offered",
    ["", "0", "0" * 63, "0" * 64, "0" * 4096, "ä" * 64, "\udc80", "sha256=abc", "null"],
)
def test_a_signature_of_any_length_or_letters_is_refused_alike(scheme: str, offered: str) -> None:
    headers = signed(BODY, at_s=AT_S, scheme=scheme)
    name = next(name for name in headers if name.endswith("Signature"))
    with pytest.raises(WebhookRefused) as refused:
        signatures.verify(door("any"), {**headers, name: offered}, BODY)
    assert (refused.value.status, refused.value.detail) == (401, signatures.NOT_SIGNED)


@pytest.mark.parametrize(
    "changed",
    [
        BODY + b" ",  # the same JSON in other bytes
        BODY.replace(b"mtu-00000001", b"mtu-00000002"),
        b"",
    ],
)
def test_a_signature_covers_every_byte_of_the_body(changed: bytes) -> None:
    with pytest.raises(WebhookRefused):
        signatures.verify(door(), signed(BODY, at_s=AT_S), changed)


def test_a_signature_covers_its_time() -> None:
    with pytest.raises(WebhookRefused):
        signatures.verify(door(), {**signed(BODY, at_s=AT_S), "X-MindTickle-Timestamp": str(AT_S + 1)}, BODY)


def test_a_signature_without_its_time_is_none() -> None:
    digest = signed(BODY, at_s=AT_S)["X-MindTickle-Signature"]
    with pytest.raises(WebhookRefused):
        signatures.verify(door(), {"X-MindTickle-Signature": digest}, BODY)


def test_nobody_can_sign_for_a_target_that_there_is_not() -> None:
    with pytest.raises(WebhookRefused):
        signatures.verify(signatures.NOBODY, signed(BODY, at_s=AT_S, secret=""), BODY)


@pytest.mark.parametrize(
    ("off_s", "is_good"), [(0, True), (-300, True), (300, True), (-301, False), (301, False), (-86_400, False)]
)
def test_a_signature_is_good_for_five_minutes_either_way(off_s: int, *, is_good: bool) -> None:
    found = signatures.verify(door(), signed(BODY, at_s=AT_S + off_s), BODY)
    if is_good:
        signatures.check_time(found, AT_S * 1000)
    else:
        with pytest.raises(WebhookRefused, match="5 minutes"):
            signatures.check_time(found, AT_S * 1000)


def test_a_time_in_milliseconds_is_understood() -> None:
    assert signatures.verify(door(), signed(BODY, at_s=AT_S * 1000 + 7), BODY).at == AT_S * 1000 + 7


@pytest.mark.parametrize(
    "told", ["", " ", "now", "-1", "1e9", "1700000000.5", "0x10", "٣", "9" * 16, "2026-11-21T10:00:00Z", "NaN"]
)
def test_a_time_that_is_no_number_of_seconds_is_refused(told: str) -> None:
    with pytest.raises(WebhookRefused) as refused:
        signatures.check_headers({"X-MindTickle-Timestamp": told})
    assert refused.value.status == 400


@pytest.mark.parametrize("name", signatures.HEADERS)
def test_a_header_that_came_twice_is_refused(name: str) -> None:
    with pytest.raises(WebhookRefused, match="more than once") as refused:
        signatures.check_headers({name: "1700000000,1700000000"})
    assert refused.value.status == 400
