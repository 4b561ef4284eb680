"""Who asks one HR system about people: its fetcher, its limit, and how the last calls went."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from scim_bridge.domain.instants import Millis
from scim_bridge.recording.hr_events import EventSource
from scim_bridge.recording.scopes import TargetScope
from scim_bridge.store.hr_events import Kept
from scim_bridge.store.quota import Window
from workers.fetchers.port import Fetcher


@dataclass(slots=True, kw_only=True)
class Asker:
    """One source of one tenant. What it remembers is a convenience: the events are in the store."""

    tenant: str
    source: EventSource
    scopes: Mapping[str, TargetScope]
    fetcher: Fetcher
    quota: str
    """The name under which the credential's calls are counted."""
    window: Window
    failures: int = 0
    """Calls in a row that were not answered as they should be."""
    rests_until: Millis = 0
    """Not before then it is worth looking whether there is something to ask."""
    has_asked: bool = False
    """Whether this process has called: a stop for a bad credential does not keep a new process from trying its own."""
    answered_at: Millis = 0
    """When a call was last answered well."""
    refused_at: dict[int, Millis] = field(default_factory=dict)
    """When the credential was refused for one person alone, by event."""
    suspect: Kept | None = None
    """The one for whom the credential was refused last, while nobody knows whether it is for all."""
    began_at: Millis = 0
    """When its turn began."""
    gives_way: bool = False
    """Whether another source waits for its place."""
    thread: threading.Thread | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a call may be out."""
        return self.thread is not None and self.thread.is_alive()
