"""Whose deliveries are let in: each sender's scheme over the bytes as sent, and nothing that is nearly right."""

import pytest
from running import hr_senders

from scim_bridge.intake.hr import senders, signing
from scim_bridge.intake.hr.deliveries import Signed
from scim_bridge.intake.webhooks.refusals import WebhookRefused

AT_S = 1_795_166_000
KINDS = sorted(senders.BY_KIND)


def verified(kind: str, headers: dict[str, str], body: bytes, *, secret: str | None = None) -> Signed:
    sender = senders.BY_KIND[kind]
    return sender.verify(sender.key_of((secret or hr_senders.secret_of(kind)).encode()), headers, body)


def test_each_kind_has_a_signer_here() -> None:
    assert sorted(hr_senders.SIGNERS) == sorted(hr_senders.EXAMPLES) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_delivery_signed_with_the_secret_is_let_in(kind: str) -> None:
    body = hr_senders.payload(hr_senders.EXAMPLES[kind])
    assert verified(kind, hr_senders.SIGNERS[kind](body, at_s=AT_S), body).mark


@pytest.mark.parametrize("kind", KINDS)
def test_another_secret_is_refused(kind: str) -> None:
    body = hr_senders.payload(hr_senders.EXAMPLES[kind])
    headers = hr_senders.SIGNERS[kind](body, at_s=AT_S, secret="YW5vdGhlcg==")
    with pytest.raises(WebhookRefused) as refused:
        verified(kind, headers, body)
    assert (refused.value.status, refused.value.detail) == (401, signing.NOT_SIGNED)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "paylocity"])
def test_a_body_with_one_more_blank_is_refused(kind: str) -> None:
    body = hr_senders.payload(hr_senders.EXAMPLES[kind])
    headers = hr_senders.SIGNERS[kind](body, at_s=AT_S)
    with pytest.raises(WebhookRefused):
        verified(kind, headers, body + b" ")


@pytest.mark.parametrize("kind", KINDS)
def test_a_delivery_without_headers_is_refused(kind: str) -> None:
    with pytest.raises(WebhookRefused):
        verified(kind, {}, hr_senders.payload(hr_senders.EXAMPLES[kind]))


@pytest.mark.parametrize("kind", ["bamboohr", "finch", "generic"])
def test_a_time_that_is_signed_cannot_be_changed(kind: str) -> None:
    body = hr_senders.payload(hr_senders.EXAMPLES[kind])
    headers = hr_senders.SIGNERS[kind](body, at_s=AT_S)
    assert verified(kind, headers, body).at == AT_S * 1000
    moved = {name: str(AT_S + 1) if value == str(AT_S) else value for name, value in headers.items()}
    assert moved != headers
    with pytest.raises(WebhookRefused):
        verified(kind, moved, body)


@pytest.mark.parametrize("kind", KINDS)
def test_letters_of_any_alphabet_are_no_signature(kind: str) -> None:
    body = hr_senders.payload(hr_senders.EXAMPLES[kind])
    headers = dict.fromkeys(hr_senders.SIGNERS[kind](body, at_s=AT_S), "v1,\udcffé\u0661")
    with pytest.raises(WebhookRefused):
        verified(kind, headers, body)


def test_bamboohr_may_write_the_time_as_iso_text() -> None:
    body = hr_senders.payload("bamboohr/field_based.json")
    headers = hr_senders.bamboohr(body, at_s=AT_S, iso=True)
    assert headers["X-BambooHR-Timestamp"] == "2026-11-20T09:13:20Z"
    assert verified("bamboohr", headers, body).at == AT_S * 1000


def test_merge_may_pad_its_signature_or_not() -> None:
    body = hr_senders.payload("merge/employee_changed.json")
    bare = verified("merge", hr_senders.merge(body, at_s=AT_S, padded=False), body)
    assert bare == verified("merge", hr_senders.merge(body, at_s=AT_S), body)


def test_a_delivery_of_finch_that_is_sent_again_has_the_same_mark() -> None:
    body = hr_senders.payload("finch/individual_updated.json")
    first, second = (verified("finch", hr_senders.finch(body, at_s=AT_S + late), body) for late in (0, 60))
    assert first.mark == second.mark


def test_a_secret_of_finch_that_is_no_base64_is_refused() -> None:
    with pytest.raises(ValueError, match="base64"):
        senders.BY_KIND["finch"].key_of(b"not base64!")


@pytest.mark.parametrize("off_ms", [-300_000, 0, 300_000])
def test_a_time_may_be_off_by_five_minutes(off_ms: int) -> None:
    signing.check_time(AT_S * 1000 + off_ms, AT_S * 1000)


@pytest.mark.parametrize("off_ms", [-300_001, 300_001])
def test_a_time_further_off_is_refused(off_ms: int) -> None:
    with pytest.raises(WebhookRefused) as refused:
        signing.check_time(AT_S * 1000 + off_ms, AT_S * 1000)
    assert (refused.value.status, refused.value.detail) == (401, signing.STALE)


@pytest.mark.parametrize(
    ("told", "instant"),
    [
        ("2026-01-31T18:42:00+0000", 1_769_884_920_000),
        ("2026-01-31T18:42:00", 1_769_884_920_000),  # HiBob writes no offset
        ("2026-01-31T19:42:00+01:00", 1_769_884_920_000),
        (1_769_884_920, 1_769_884_920_000),
        ("1769884920000", 1_769_884_920_000),
        (None, None),
        ("", None),
    ],
)
def test_times_are_read_in_every_form(told: object, instant: int | None) -> None:
    assert signing.instant_of(told) == instant


@pytest.mark.parametrize(
    "told", ["yesterday", "2026-02-30T00:00:00Z", "0000-00-00", True, [1], 3, "1" * 15, "0001-01-01T00:00:00+14:00"]
)
def test_what_is_no_time_is_told(told: object) -> None:
    with pytest.raises(signing.ImpossibleTime):
        signing.instant_of(told)
