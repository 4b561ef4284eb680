"""One write from the commit of its change until its sender is answered."""

from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse

from scim_bridge import metrics
from scim_bridge.intake.scim import acknowledging
from scim_bridge.intake.scim.acknowledging import Acknowledgement, Reason, WaitingRoom
from scim_bridge.intake.scim.keeping import Keeping
from scim_bridge.intake.scim.storage import DirectoryStorage
from scim_bridge.store.engine import Transaction


class Writing:
    """What is said to the sender of a request that writes: at once, or once its change is settled everywhere."""

    def __init__(self, room: WaitingRoom, *, tenant: str, confirm_s: float | None, keeping: Keeping | None) -> None:
        """Answer a tenant's request. `confirm_s` None: as soon as the change is recorded, whatever becomes of it."""
        self._room = room
        self._tenant = tenant
        self._confirm_s = confirm_s
        self._keeping = keeping
        self._waits_s: float | None = None
        self._reason: Reason | None = None
        self._is_recorded = False

    def keep(self, tx: Transaction | None, response: ScimResponse, request: ScimRequest) -> None:
        """Say in the answer that its change is recorded, and keep it with the change if it has an Idempotency-Key.

        Without a transaction there is nothing to keep: such a request shares its own with others.
        """
        self._is_recorded = True
        if self._confirm_s is None:
            acknowledgement = acknowledging.AT_ONCE
        else:
            reason = self._reason = acknowledging.reason_of_request(request)
            self._waits_s = self._confirm_s if reason is None else None
            # Should this process die while the sender waits, this is the answer that is given again.
            acknowledgement = acknowledging.because(reason or Reason.TIME)
        acknowledging.told(response, acknowledgement)
        if self._keeping is not None and tx is not None:
            self._keeping.keep(tx, response, is_given=self._waits_s is None)

    def acknowledged(self, response: ScimResponse, recorded: DirectoryStorage) -> ScimResponse:
        """Return the answer to give, now that the change is committed; waits for it where the tenant wants that."""
        if self._confirm_s is None or not self._is_recorded:
            return response
        known = self._known(recorded)
        metrics.ACKNOWLEDGED.labels(how=known.how).inc()
        return acknowledging.told(response, known)

    def _known(self, recorded: DirectoryStorage) -> Acknowledgement:
        if self._waits_s is None:
            return acknowledging.because(self._reason or Reason.UNCHANGED)
        is_leaver = recorded.leaves_somebody_out or any(recorded.wakes.values())
        reason = acknowledging.reason_of_changes(recorded.changes, is_leaver=is_leaver)
        if reason is not None:
            return acknowledging.because(reason)
        return self._room.await_end(self._tenant, recorded.changes[-1], within_s=self._waits_s)
