"""Why a request was refused is told in words that hold nothing of the request."""

import json

import pytest
from scim2_models import InvalidFilterException, NotFoundException
from scim2_server import routing

from scim_bridge.intake.scim import filter_text
from scim_bridge.web import reasons


def answer(detail: str, **more: str) -> bytes:
    return json.dumps({"detail": detail, **more}).encode()


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("This token has expired. Ask for a new one.", "This token has expired. Ask for a new one."),
        ("There is no User with the id 'ann lee'", "There is no User with the id …"),
        ("The path \"it's ann\" must be 'active'", "The path … must be …"),
        # As repr writes a text with both kinds of quotation marks.
        ("The id 'a\\'b\"c ann' is none", "The id … is none"),
        ("Send one, made with `scim-bridge token create`.", "Send one, made with `scim-bridge token create`."),
        ("The member `data.id` is missing", "The member `data.id` is missing"),
        ("The member `Ann Lee` is missing", "The member … is missing"),
        ("None of the source's columns are there", "None of the source's columns are there"),
        ("of the source's columns 'Ann' is twice", "of the source's columns … is twice"),
        # Where the quotation ends cannot be told.
        ("The value 'ann lee is none", "The value …"),
        ("ann@example.com is taken", "… is taken"),
        ("one\n  two\x1b[31m", "one two[31m"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_a_sentence_of_ours_is_told_without_what_it_quotes(sentence: str, told: str) -> None:
    assert reasons.without_quotations(sentence) == told


def test_of_a_library_s_sentence_only_its_kind_is_told() -> None:
    told = reasons.reason(400, answer("lee is no filter", scimType="invalidFilter"), is_ours=False)
    assert told.startswith("invalidFilter: ")
    assert "lee" not in told


def test_a_kind_that_is_not_known_is_not_told() -> None:
    assert reasons.reason(400, answer("ann", scimType="ann"), is_ours=False) == "Bad Request."


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'{"detail": 7}', b'"' + b"x" * 5_000 + b'"', b"\xff"])
def test_an_answer_that_says_nothing_is_told_by_its_status(body: bytes) -> None:
    assert reasons.reason(404, body, is_ours=True) == "Not Found."


def test_a_status_without_a_name_is_told_by_nothing() -> None:
    assert reasons.reason(499, b"", is_ours=True) == ""


def test_an_exception_of_ours_is_told_from_a_library_s() -> None:
    with pytest.raises(InvalidFilterException) as ours:
        filter_text.tolerate(["User"], "x" * 9_000)
    with pytest.raises(NotFoundException) as theirs:
        routing.match("GET", "/a/b/c/d")
    assert reasons.raised_by_us(ours.value)
    assert not reasons.raised_by_us(theirs.value)
