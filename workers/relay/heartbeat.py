"""Lets the relay be heard of, so that `scim-bridge status` can say when none runs."""

from scim_bridge import dispatch
from scim_bridge.domain.instants import Millis
from workers.runtime import Runtime

EVERY_MS = 10_000


def run_once(runtime: Runtime, now: Millis) -> Millis:
    """Note that this relay is alive and return when to do so again."""
    runtime.dispatcher.be_heard(dispatch.RELAY, runtime.owner, now=now)
    return now + EVERY_MS
