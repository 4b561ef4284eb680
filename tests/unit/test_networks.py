"""Which texts are networks and addresses, and what is said to those that are not."""

import pytest

from scim_bridge.domain import networks


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("192.0.2.7", "192.0.2.7/32"),  # one address
        ("2001:db8::/32", "2001:db8::/32"),
        ("2001:DB8:0::/32", "2001:db8::/32"),  # spelled otherwise
        ("::1", "::1/128"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),  # IPv4 within IPv6
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
    ],
)
def test_a_network_is_read(text: str, meant: str) -> None:
    assert str(networks.parse_network(text)) == meant


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("10.1.2.3/8", "10.1.2.3/8 has bits set beyond its prefix; write 10.0.0.0/8"),
        ("2001:db8::1/32", "2001:db8::1/32 has bits set beyond its prefix; write 2001:db8::/32"),
        ("10.0.0.0/33", "10.0.0.0/33 is no network; write one like 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32"),
        ("10.0.0/8", "10.0.0/8 is no network"),
        ("10.0.0.0/255.0.0.0", "is no network"),
        ("010.0.0.0/8", "is no network"),
        ("10.0.0.0/-1", "is no network"),
        ("10.0.0.0/", "is no network"),
        ("fe80::1%eth0", "is no network"),
        ("10.0.0.0/8 ", "is no network"),
        ("10.0.0.0/٨", "is no network"),  # a digit, but none of ours
        ("example.com", "is no network"),
        ("", "is no network"),
    ],
)
def test_what_is_no_network_is_told_what_to_write(text: str, sentence: str) -> None:
    with pytest.raises(networks.NotANetwork) as refused:
        networks.parse_network(text)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7 ", "192.0.2.7"),
        ("192.0.2.7:51234", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("fe80::7%eth0", "fe80::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("[::ffff:192.0.2.7]:443", "192.0.2.7"),
    ],
)
def test_an_address_is_read_however_a_proxy_writes_it(text: str, address: str) -> None:
    assert str(networks.parse_address(text)) == address


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "unknown",
        "_hidden",
        "localhost",
        "10.0.0.0/8",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.4:port",
        "1.2.3.4:999999",
        "[]",
        "[::1",
        "::1]:80",
        '"192.0.2.7"',
        "192.0.2.7\x00",
        "1" * 65,
        "9" * 100_000,
    ],
)
def test_what_is_no_address_is_unknown(text: str | None) -> None:
    assert networks.parse_address(text) is None
