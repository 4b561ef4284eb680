"""What one process of the front door can hold at once: connections, and bytes of requests and answers."""

import resource

from scim_bridge.settings.models import WebSettings
from scim_bridge.web.framing import Limits

DESCRIPTORS_BESIDE = 200
"""Descriptors that a process needs for other things: its databases, the queue, files of libraries."""

LEAST_CONNECTIONS = 16


def limits_of(settings: WebSettings) -> Limits:
    """Return the limits of a request: a body may be as long as the longest that any endpoint takes, files aside."""
    return Limits(
        body=max(settings.max_body_bytes, settings.bulk_max_payload_bytes), import_body=settings.import_max_bytes
    )


def most_held_of(settings: WebSettings, limits: Limits) -> int:
    """Return how many bytes of requests and answers a process holds; the longest that is allowed always has room."""
    return max(settings.receive_buffer_bytes, limits.body + max(limits.body, limits.import_body))


def connections_within_reach(wanted: int) -> int:
    """Return how many connections may be open so that descriptors are left, asking the system for enough of them."""
    enough = wanted + DESCRIPTORS_BESIDE
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY or allowed >= enough:
        return wanted
    allowed = enough if most == resource.RLIM_INFINITY else min(enough, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    return max(LEAST_CONNECTIONS, min(wanted, allowed - DESCRIPTORS_BESIDE))
