"""Every fetcher, by the kind of source that it is for."""

from collections.abc import Callable

from scim_bridge.domain.instants import Clock
from scim_bridge.settings.sources import FetchSettings, SourceSettings
from workers.fetchers.bamboohr import BambooHr
from workers.fetchers.hibob import HiBob
from workers.fetchers.port import Fetcher

BY_KIND: dict[str, Callable[..., Fetcher]] = {"bamboohr": BambooHr, "hibob": HiBob}


def build(source: SourceSettings, settings: FetchSettings, *, clock: Clock) -> Fetcher:
    """Return the fetcher of a source that has one."""
    return BY_KIND[source.kind](source, settings, clock=clock)
