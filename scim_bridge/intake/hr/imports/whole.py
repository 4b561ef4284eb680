"""Brings one file in and works it off to its end, in the process that asks; what is left the relay does."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from scim_bridge.dispatch import Dispatcher
from scim_bridge.intake.hr.imports.receiving import Arrival, Receiver
from scim_bridge.recording import imports as recording
from scim_bridge.recording.imports import Source
from scim_bridge.store import imports
from scim_bridge.store.engine import Store
from scim_bridge.store.imports import Import

Progress = Callable[[str, int, int | None], None]
"""Told what is done, how many rows of it, and of how many (None: not known)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Imports files of one source. `secret` makes the digests of rows."""

    store: Store
    dispatcher: Dispatcher
    source: Source
    secret: bytes = field(repr=False)

    def run(self, arrival: Arrival, file: BinaryIO, progress: Progress) -> Import:
        """Import a file, and return its import as it is in the end: waiting, when the source is paused.

        Raises:
            FileRefused: the file cannot be read at all; nothing is kept.
        """
        receiver = Receiver(
            store=self.store, settings=self.source.settings, mapping=self.source.mapping, secret=self.secret
        )
        found = receiver.receive(arrival, file, progress=lambda rows: progress("reading", rows, None))
        done, total = 0, self._waiting(found)
        while found.is_open and not self.source.settings.paused:
            wakes = recording.work(self.store, self.source, found)
            for target, urgent in (wakes or {}).items():
                self.dispatcher.wake(arrival.tenant, target, urgent=urgent)
            before, found = found, self._again(found)
            if found.step == imports.FIRST:
                done += found.reached - before.reached
            progress(found.step, done, total)
        return found

    def _waiting(self, found: Import) -> int:
        with self.store.begin(found.tenant, write=False) as tx:
            return imports.counts(tx, found.id).get(imports.WAITING, 0)

    def _again(self, found: Import) -> Import:
        with self.store.begin(found.tenant, write=False) as tx:
            again = imports.named(tx, found.name)
        assert again is not None  # noqa: S101 - imports are kept for months after their end
        return again
