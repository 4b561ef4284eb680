"""Builds the parts that every process has from its settings: the clock, the store, the dispatcher."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from scim_bridge.domain.instants import Millis
from scim_bridge.settings import loading
from scim_bridge.settings.addresses import EMBEDDED
from scim_bridge.settings.models import Settings
from scim_bridge.store.engine import Store, StoreUnavailable
from scim_bridge.supervisor import sockets

if TYPE_CHECKING:
    from scim_bridge.dispatch import RqDispatcher


def now_ms() -> Millis:
    """Return the machine's time; the Clock of every process."""
    return time.time_ns() // 1_000_000


def load_settings(role: loading.Role | str, named: str | Path | None = None) -> Settings:
    """Return the settings for a process of a role, from the files and the environment.

    Raises:
        SettingsRefused: with every problem of the configuration.
    """
    return loading.load(named, role=role)


def queue_url(settings: Settings) -> str:
    """Return the URL at which the queue is reached; of the embedded Valkey, its socket."""
    if settings.queue.url != EMBEDDED:
        return settings.queue.url
    return f"unix://{sockets.find(Path(settings.data_dir))}"


def open_store(settings: Settings) -> Store:
    """Return the store. Open it after a fork, not before."""
    return Store.open(settings.store.url, clock=now_ms, pool_size=settings.store.pool_size)


def note_loaded(store: Store, settings: Settings, *, who: str) -> None:
    """Record the configuration and the mappings that a process works by, where they are new, in the audit.

    `who` is the process. A store that is away keeps nobody from starting.
    """
    import structlog  # noqa: PLC0415 - slow to read; who only starts others, or brings the store up to date, logs nothing

    from scim_bridge.recording import configurations, versions  # noqa: PLC0415 - as above

    try:
        configurations.note(store, settings, who=who)
        versions.note(store, settings, who=who)
    except StoreUnavailable:
        structlog.get_logger(__name__).warning("configuration_not_noted", process=who)


def open_dispatcher(settings: Settings) -> "RqDispatcher":
    """Return the dispatcher; it connects when it is first needed."""
    from scim_bridge.dispatch import RqDispatcher  # noqa: PLC0415 - as above: the queue's libraries are slow to read

    return RqDispatcher(queue_url(settings))
