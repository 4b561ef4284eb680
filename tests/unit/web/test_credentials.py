"""What an Authorization header holds as a token."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scim_bridge.web import credentials

TOKEN = "scb_0011223344556677_" + "ab" * 32


def basic(pair: bytes) -> str:
    return base64.b64encode(pair).decode()


@pytest.mark.parametrize(
    "header",
    [
        f"Bearer {TOKEN}",
        f"bearer {TOKEN}",
        f"BEARER   {TOKEN}  ",
        f"Basic {basic(b'okta:' + TOKEN.encode())}",
        f"basic {basic(b':' + TOKEN.encode())}",  # no user name
        f"BASIC {basic('jürgen:'.encode() + TOKEN.encode())}",  # whatever the user name is
        f"Basic {basic(b'x' * 300 + b':' + TOKEN.encode())}",
    ],
)
def test_a_token_is_found_in_both_schemes_in_any_case(header: str) -> None:
    assert credentials.token_of(header) == TOKEN


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        " ",
        "Bearer",
        "Bearer ",
        "Basic",
        "Basic ",
        TOKEN,  # no scheme
        f"Bearer\t{TOKEN}",
        f"Token {TOKEN}",
        "Digest username=x",
        f"Basic {TOKEN}",  # not encoded
        "Basic !!!!",
        f"Basic !{basic(b'okta:' + TOKEN.encode())}",
        f"Basic {basic(b'okta:' + TOKEN.encode())[:-3]}",  # broken off
        f"Basic {basic(TOKEN.encode())}",  # no colon
        f"Basic {basic(b'okta:')}",  # no password
        f"Basic {basic('okta:tökén'.encode())}",
        f"Basic {basic(b'okta:' + bytes([255]))}",
        "Basic ëëëë",
        "Bearer " + "x" * 3_000,
        "Basic " + basic(b"okta:" + b"x" * 1_000_000),
    ],
)
def test_anything_else_holds_no_token(header: str | None) -> None:
    assert credentials.token_of(header) is None


@given(
    st.sampled_from(["", "Bearer ", "Basic "]), st.text() | st.binary().map(lambda raw: base64.b64encode(raw).decode())
)
def test_whatever_comes_is_read_without_a_fault(scheme: str, rest: str) -> None:
    found = credentials.token_of(scheme + rest)
    assert found is None or found


def test_a_password_may_hold_colons() -> None:
    assert credentials.token_of(f"Basic {basic(b'okta:a:b')}") == "a:b"
