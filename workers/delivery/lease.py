"""Keeps a lane's lease alive while a shift lasts, also while a call is out."""

import threading
from types import TracebackType
from typing import Self

import structlog

from scim_bridge.store import lanes
from scim_bridge.store.engine import Store, StoreUnavailable
from workers.delivery.post import LEASE_MS

log = structlog.get_logger(__name__)

RENEW_EVERY_S = 1.5


class LeaseKeeper:
    """Renews a lease from a thread of its own; `is_lost` tells when a successor may have come."""

    def __init__(self, store: Store, *, tenant: str, lane_id: int, epoch: int) -> None:
        """Name the lease; `with` starts and ends the renewing."""
        self._store = store
        self._tenant = tenant
        self._lane_id = lane_id
        self._epoch = epoch
        self._ended = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease-{lane_id}", daemon=True)

    @property
    def is_lost(self) -> bool:
        """Tell whether the lease ran out or was taken; nothing may be sent any more."""
        return self._lost.is_set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join(timeout=15)

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_EVERY_S):
            try:
                with self._store.begin(self._tenant) as tx:
                    held = lanes.renew_lease(tx, self._lane_id, epoch=self._epoch, lease_ms=LEASE_MS)
            except StoreUnavailable:
                # The next renewal may go through; a send checks the lease in the store itself, just before.
                continue
            if not held:
                log.warning("lease_lost", lane_id=self._lane_id, epoch=self._epoch)
                self._lost.set()
                return
