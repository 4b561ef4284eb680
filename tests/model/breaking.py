"""A store whose process ends, stands still or loses its connection at a numbered step of its work.

A step is a transaction that writes: taking the lease, ending who needs no call, writing a batch with its slot, settling
it, giving the lane back. Whatever can happen between two of them happens before or after the commit of one.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from scim_bridge.store.engine import Store, StoreUnavailable


class Killed(BaseException):
    """The process is no more; nothing that it would still have done is done."""


@dataclass
class BreakingStore:
    """A store as the dying process sees it. `meanwhile` is what others do while it stands still."""

    store: Store
    at_step: int
    how: str
    """killed_before, killed_after, cut_before, cut_after or stalled_after: before or after the step's commit."""
    meanwhile: Callable[[], None] = lambda: None
    steps: int = 0
    is_dead: bool = False
    thread: int = field(default_factory=threading.get_ident)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    @contextlib.contextmanager
    def begin(self, tenant: str, *, write: bool = True, **options: Any) -> Iterator[Any]:
        if not write or threading.get_ident() != self.thread:
            with self.store.begin(tenant, write=write, **options) as tx:
                yield tx
            return
        if self.is_dead:
            raise Killed
        self.steps += 1
        is_now = self.steps == self.at_step
        with self.store.begin(tenant, write=write, **options) as tx:
            yield tx
            if is_now and self.how.endswith("_before"):
                self._strike()
        if is_now and self.how.endswith("_after"):
            self._strike()

    def _strike(self) -> None:
        if self.how.startswith("killed"):
            self.is_dead = True
            raise Killed
        if self.how.startswith("cut"):
            raise StoreUnavailable("the connection was cut")
        self.meanwhile()
