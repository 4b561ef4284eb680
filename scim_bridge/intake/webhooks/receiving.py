"""Takes a webhook of a target: whose it is, whether it is new, and what it owes, in one short transaction."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import structlog

from scim_bridge import metrics
from scim_bridge.dispatch import Dispatcher
from scim_bridge.domain.people import Priority
from scim_bridge.intake.webhooks import deciding, events, signatures
from scim_bridge.intake.webhooks.deciding import Owed
from scim_bridge.intake.webhooks.events import Event
from scim_bridge.intake.webhooks.refusals import WebhookRefused
from scim_bridge.intake.webhooks.signatures import Door, Scheme
from scim_bridge.recording import repairs
from scim_bridge.settings.models import TenantSettings
from scim_bridge.store import lanes, links, webhooks
from scim_bridge.store.engine import Contended, Store, Transaction

EVENT_ID = "X-MT-Event-Id"
"""Not signed, so that it can only make us do less; and only of what bears a right signature is it ever noted."""

HEADERS = (*signatures.HEADERS, EVENT_ID, "Content-Type")
"""What is read of a webhook's headers."""

MOST_BYTES = 262_144
"""Of a body; an event has a few hundred. No more than this is ever digested for a stranger."""

_ATTEMPTS = 4
_EVENT_ID = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,200}")

_log = structlog.get_logger(__name__)


class Receiver:
    """Takes webhooks for the targets that have a secret for them."""

    def __init__(
        self,
        tenants: Iterable[TenantSettings],
        store: Store,
        dispatcher: Dispatcher,
        *,
        step_aside: Callable[[], None],
    ) -> None:
        """Serve these tenants' targets. `step_aside` passes a moment when the database undid a transaction."""
        self._doors = doors_of(tenants)
        self._store = store
        self._dispatcher = dispatcher
        self._step_aside = step_aside

    def receive(self, tenant: str, target: str, *, headers: Mapping[str, str], body: bytes, correlation_id: str) -> str:
        """Return what became of a webhook: `taken`, `duplicate`, or `ignored` when it is none that we listen to.

        Raises:
            WebhookRefused: nothing was recorded.
            StoreUnavailable: nothing was recorded; the sender should try again.
        """
        place = (tenant, target)
        try:
            signatures.check_headers(headers)
            event_id = _event_id_of(headers)
            signed = signatures.verify(self._doors.get(place, signatures.NOBODY), headers, body)
        except WebhookRefused:
            self._count(place if place in self._doors else ("", ""), "refused")
            raise
        marks = [signed.mark, *([event_id] if event_id else [])]
        try:
            signatures.check_time(signed, self._store.clock())
        except WebhookRefused:
            # Sent again because our first answer was lost: that it was taken is all that its sender wants to know.
            if self._is_taken(place, marks):
                return self._told(place, "duplicate")
            self._count(place, "stale")
            raise
        try:
            event = events.read(body, headers.get("Content-Type"))
        except WebhookRefused:
            self._count(place, "malformed")
            raise
        if event is None:
            return self._told(place, "ignored")
        return self._take(place, event, marks, correlation_id)

    def _is_taken(self, place: tuple[str, str], marks: list[str]) -> bool:
        with self._store.begin(place[0], write=False) as tx:
            return webhooks.is_taken(tx, place[1], marks)

    def _take(self, place: tuple[str, str], event: Event, marks: list[str], correlation_id: str) -> str:
        tenant, target = place
        for attempt in range(_ATTEMPTS):
            try:
                with self._store.begin(tenant) as tx:
                    is_new = webhooks.take(tx, target, marks)
                    found = _record(tx, target, event, correlation_id) if is_new else None
                break
            except Contended:
                if attempt == _ATTEMPTS - 1:
                    raise
                self._step_aside()
        if found is None:
            return self._told(place, "duplicate")
        for what, people in sorted(found.items()):
            self._count(place, what)
            _log.info("webhook_taken", tenant=tenant, target=target, kind=event.kind, outcome=what, people=people)
        if found[Owed.READ_BACK.value]:
            self._dispatcher.wake(tenant, target, urgent=False)
        return "taken"

    def _told(self, place: tuple[str, str], outcome: str) -> str:
        self._count(place, outcome)
        return outcome

    @staticmethod
    def _count(place: tuple[str, str], outcome: str) -> None:
        tenant, target = place
        metrics.WEBHOOKS.labels(tenant=tenant, target=target, outcome=outcome).inc()


def doors_of(tenants: Iterable[TenantSettings]) -> dict[tuple[str, str], Door]:
    """Return what each target's webhooks are signed with, by tenant and target; who has no secret is left out."""
    return {
        (tenant.id, target.name): Door(
            secret=secret.get_secret_value().encode(), scheme=Scheme(target.options.get("webhook_scheme", "A"))
        )
        for tenant in tenants
        for target in tenant.targets
        if (secret := target.secrets.get("webhook_secret")) is not None
    }


def _event_id_of(headers: Mapping[str, str]) -> str | None:
    """Return a digest of the vendor's own id of the event, None when there is none.

    Raises:
        WebhookRefused: it is no id, or came twice.
    """
    told = headers.get(EVENT_ID)
    if told is None or not told.strip():
        return None
    if not _EVENT_ID.fullmatch(told.strip()):
        raise WebhookRefused(400, f"The header {EVENT_ID} must be sent once, as 1 to 200 characters of ASCII.")
    return f"event:{hashlib.sha256(told.strip().encode()).hexdigest()}"


def _record(tx: Transaction, target: str, event: Event, correlation_id: str) -> Counter[str]:
    """Owe what an event owes, and return how many people came to what."""
    lane = lanes.by_target(tx, target)
    if lane is None:
        return Counter({"unknown": 1})
    people = webhooks.subjects(tx, lane.id, account_id=event.account_id, names=event.names)
    if not people:
        return Counter({"unknown": 1})
    decided = {each.resource_id: deciding.decide(each, active=event.active, now=tx.now) for each in people}
    doubted = [number for number, owed in decided.items() if owed in (Owed.READ_BACK, Owed.DOUBT)]
    links.doubt_what_is_known(tx, lane.id, doubted)
    by_priority: dict[int, list[int]] = {}
    for each in people:
        if decided[each.resource_id] is Owed.READ_BACK:
            urgent = deciding.is_urgent(each, active=event.active)
            by_priority.setdefault(Priority.LEAVER if urgent else Priority.NORMAL, []).append(each.resource_id)
    for priority, numbers in by_priority.items():
        repairs.owe(
            tx, lane.id, numbers, kind="readback", source="webhook", priority=priority, correlation_id=correlation_id
        )
    return Counter("folded" if owed is Owed.DOUBT else owed.value for owed in decided.values())
