import pytest

from scim_bridge.settings import addresses


@pytest.mark.parametrize(
    "url",
    [
        "embedded:",
        "unix:///run/valkey.sock",
        "redis://127.0.0.1:6379/0",
        "redis://localhost",
        "redis://[::1]:6379",
        "redis://:password@queue.example.com",
        "rediss://queue.example.com",
    ],
)
def test_a_queue_that_strangers_cannot_write_to_is_taken(url: str) -> None:
    assert addresses.problem_with_queue(url) is None


@pytest.mark.parametrize(
    "url", ["redis://queue.example.com", "redis://10.0.0.5:6379", "redis://user@queue", "http://x"]
)
def test_a_queue_that_strangers_could_write_to_is_not(url: str) -> None:
    assert addresses.problem_with_queue(url) is not None


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/x",
        "https://",
        "https://user:pass@host/x",
        "https://host/x?key=1",
        "https://host/#x",
        "https://host:99999/x",
        "https://[::1/x",
        "host/x",
        "http://api.example.com/v3",
        "http://10.0.0.5/v3",
        "http://127.0.0.1.example.com/v3",
    ],
)
def test_what_is_no_targets_address_is_refused(url: str) -> None:
    assert addresses.problem_with_target(url) is not None


@pytest.mark.parametrize("url", ["https://api.example.com/v3", "http://127.0.0.1:8000/api", "https://[::1]:8443/scim"])
def test_a_targets_address_is_taken(url: str) -> None:
    assert addresses.problem_with_target(url) is None


@pytest.mark.parametrize("url", ["https://bridge.example.com", "http://10.0.0.5:8080/scim", "https://[::1]:8443"])
def test_what_senders_call_us_is_taken(url: str) -> None:
    assert addresses.problem_with_public_url(url) is None


@pytest.mark.parametrize("url", ["bridge.example.com", "ftp://bridge", "https://", "https://x:99999", "https://x/?a=1"])
def test_what_nobody_could_call_is_not(url: str) -> None:
    assert addresses.problem_with_public_url(url) is not None
