"""The front door opens no more connections than it has descriptors for, and holds the longest request of any kind."""

import resource
from collections.abc import Iterator

import pytest

from scim_bridge.settings.models import WebSettings
from scim_bridge.web.capacity import DESCRIPTORS_BESIDE, connections_within_reach, limits_of, most_held_of


@pytest.fixture(autouse=True)
def few_descriptors() -> Iterator[int]:
    """Gives how many the process may ask for."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 10_000 if before[1] == resource.RLIM_INFINITY else before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, before[1]))
    yield most
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_descriptors_are_asked_for() -> None:
    assert connections_within_reach(500) == 500
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 500 + DESCRIPTORS_BESIDE


def test_what_is_enough_stays() -> None:
    assert connections_within_reach(100) == 100
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 300


def test_there_are_no_more_connections_than_the_system_allows(few_descriptors: int) -> None:
    assert connections_within_reach(few_descriptors) <= few_descriptors
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] != resource.RLIM_INFINITY:
        assert connections_within_reach(few_descriptors) == few_descriptors - DESCRIPTORS_BESIDE


@pytest.mark.parametrize("longest", ["max_body_bytes", "bulk_max_payload_bytes", "import_max_bytes"])
def test_the_longest_request_is_held_whatever_it_is(longest: str) -> None:
    settings = WebSettings(receive_buffer_bytes=1, **{longest: 1 << 30})
    assert most_held_of(settings, limits_of(settings)) > 1 << 30
