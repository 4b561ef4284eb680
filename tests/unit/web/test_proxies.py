"""Who sends, as proxies tell it: nothing that a sender writes itself ever makes it another."""

from typing import Any

import pytest
from flask import Flask, request
from hypothesis import given
from hypothesis import strategies as st

from scim_bridge.web import proxies


@pytest.mark.parametrize(
    ("forwarded_for", "trusted", "sender"),
    [
        ("192.0.2.7", 1, "192.0.2.7"),
        ("10.0.0.1, 192.0.2.7", 1, "192.0.2.7"),  # the first is what the sender made up
        ("10.0.0.1,192.0.2.7 , 10.0.0.9", 2, "192.0.2.7"),
        ("192.0.2.7, 10.0.0.9", 2, "192.0.2.7"),
        # Fewer than there are proxies: it is not known who sends, and nobody else is taken for it.
        ("192.0.2.7", 2, ""),
        ("", 1, ""),
        (None, 1, ""),
        (None, 3, ""),
        ("10.0.0.1, ", 1, ""),
        (",,", 2, ""),
        ("a" * 100_000, 1, "a" * 100_000),
    ],
)
def test_the_sender_is_the_nth_from_the_right(forwarded_for: str | None, trusted: int, sender: str) -> None:
    assert proxies.sender_of(forwarded_for, trusted) == sender


@given(st.text(max_size=200), st.lists(st.ip_addresses().map(str), min_size=1, max_size=4))
def test_nothing_that_a_sender_writes_in_front_changes_who_it_is(forged: str, appended: list[str]) -> None:
    assert proxies.sender_of(f"{forged}, {', '.join(appended)}", len(appended)) == appended[0]


def seen(trusted: int, **headers: str) -> dict[str, Any]:
    """Return what the application sees of a request with these headers."""
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: {"address": request.remote_addr, "root": request.url_root}, endpoint="x")
    proxies.install(app, trusted_proxies=trusted)
    given = {f"X-Forwarded-{name.title()}": value for name, value in headers.items()}
    return dict(app.test_client().get("/", headers=given).json)


def test_without_proxies_nothing_is_heard() -> None:
    plain = {"address": "127.0.0.1", "root": "http://localhost/"}
    assert seen(0, **{"for": "10.0.0.1"}, proto="https", host="bridge.example.com") == plain


def test_behind_a_proxy_its_word_counts() -> None:
    told = seen(1, **{"for": "10.0.0.1, 192.0.2.7"}, proto="https", host="bridge.example.com:8443")
    assert told == {"address": "192.0.2.7", "root": "https://bridge.example.com:8443/"}


def test_proxies_that_append_are_heard_like_those_that_set_anew() -> None:
    for proto, host in (("https", "b.example.com"), ("https, http", "b.example.com, 10.0.0.9:8080")):
        assert seen(2, **{"for": "192.0.2.7, 10.0.0.9"}, proto=proto, host=host)["root"] == "https://b.example.com/"
    # What the sender put in front does not count.
    forged = seen(1, **{"for": "192.0.2.7"}, proto="http, https", host="evil.example, b.example.com")
    assert forged["root"] == "https://b.example.com/"


@pytest.mark.parametrize("proto", ["javascript", "https://x", "ftp", "", "h" * 10_000])
def test_a_scheme_that_is_none_is_not_heard(proto: str) -> None:
    assert seen(1, **{"for": "192.0.2.7"}, proto=proto)["root"] == "http://localhost/"


@pytest.mark.parametrize("host", ["a b", "a/b", "a@b", "-a", "", "[::1", "a:b", "a:999999", "<script>", "x" * 10_000])
def test_a_host_that_is_none_is_not_heard(host: str) -> None:
    assert seen(1, **{"for": "192.0.2.7"}, host=host)["root"] == "http://localhost/"


@pytest.mark.parametrize("host", ["bridge", "b.example.com", "10.0.0.1:80", "[2001:db8::1]:8443"])
def test_a_host_may_be_a_name_or_an_address(host: str) -> None:
    told = seen(1, **{"for": "192.0.2.7"}, proto="https", host=host)
    assert told["root"] == f"https://{host}/"
