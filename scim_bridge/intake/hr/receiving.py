"""Takes a delivery of an HR system: whose it is, what of it is new, and what becomes of each event in it.

What is read of a delivery leaves this module only through the mapping: fields that it does not name (a social security
number, a birth date, a salary) are neither stored nor logged.
"""

import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from scim_bridge import metrics
from scim_bridge.dispatch import Dispatcher
from scim_bridge.domain.instants import Millis
from scim_bridge.errors import UsageError
from scim_bridge.intake.hr import hibob, senders, signing
from scim_bridge.intake.hr.deliveries import Sender, Signed, Told
from scim_bridge.intake.turns import Turn, Turns
from scim_bridge.intake.webhooks.refusals import WebhookRefused
from scim_bridge.recording import hr_events as recording
from scim_bridge.recording.hr_events import Event, EventSource, Fate
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.scopes import TargetScope
from scim_bridge.settings.models import TenantSettings
from scim_bridge.store import directory_users, hr_events
from scim_bridge.store.directory import NameTaken
from scim_bridge.store.engine import Contended, Store

MOST_BYTES = 1_048_576
"""Of a body. No more than this is ever digested for a stranger."""

MOST_EVENTS = 1_000
"""In one delivery; more come as a file."""

MOST_TOGETHER = 200
"""Events of several deliveries that share a transaction; who brings more does so alone."""

DUPLICATE = "duplicate"

_ATTEMPTS = 4

_log = structlog.get_logger(__name__)

Place = tuple[str, str]
"""Tenant and source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How a source's deliveries are let in and read."""

    sender: Sender
    key: bytes = field(repr=False)
    source: EventSource | None = None
    """None: there is no such source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a delivery: `taken`, `duplicate` (all of it), `ignored` (about nobody), or `pong`."""

    status: str
    fates: Sequence[Fate] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Delivery:
    """The events of one request, by what tells each from all others."""

    source: EventSource
    events: Mapping[str, Event] = field(repr=False)
    correlation_id: str

    @property
    def names(self) -> frozenset[str]:
        """Return what two deliveries that are recorded together must not share: events, and whom they are about."""
        people = {f"id {event.row.external_id}" for event in self.events.values() if event.row.external_id}
        return frozenset(people | self.events.keys())

    def fates_of(self, known: Mapping[str, Fate]) -> list[Fate]:
        """Return what became of its events, of whom those that are not known were taken before."""
        return sorted(
            (
                known.get(mark) or Fate(position=event.row.position, outcome=DUPLICATE)
                for mark, event in self.events.items()
            ),
            key=lambda fate: fate.position,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recorded:
    """What became of a delivery, and the targets for its request to wake."""

    fates: Sequence[Fate]
    wakes: Mapping[str, bool]


def _apart(deliveries: Sequence[_Delivery]) -> int:
    """Return how many deliveries, from the first on, are recorded together: one at least, each about others."""
    named: set[str] = set()
    count = events = 0
    for each in deliveries:
        names, events = each.names, events + len(each.events)
        if count and (events > MOST_TOGETHER or not named.isdisjoint(names)):
            break
        named |= names
        count += 1
    return count


NOBODY = Door(sender=senders.BY_KIND["generic"], key=secrets.token_bytes(32))
"""Stands for a source that there is not: the same work is done, and no signature is right."""


class EventReceiver:
    """Takes deliveries for the sources that send events."""

    def __init__(
        self,
        tenants: Iterable[TenantSettings],
        store: Store,
        dispatcher: Dispatcher,
        *,
        scopes: Mapping[str, Mapping[str, TargetScope]],
        step_aside: Callable[[], None],
    ) -> None:
        """Serve these tenants' sources. `step_aside` passes a moment when the database undid a transaction.

        Raises:
            UsageError: a source's secret is no key of its kind.
        """
        self._doors = doors_of(tenants)
        self._store = store
        self._dispatcher = dispatcher
        self._scopes = scopes
        self._step_aside = step_aside
        self._turns = Turns[_Delivery, _Recorded]()

    def receive(
        self, place: Place, *, headers: Mapping[str, str], content_type: str | None, body: bytes, correlation_id: str
    ) -> Answer:
        """Return what became of a delivery.

        Raises:
            WebhookRefused: nothing was recorded.
            StoreUnavailable: nothing was recorded; the sender should try again.
        """
        if hibob.is_ping(body):
            # Answered at every address, so that it tells nobody which of them there are.
            return Answer(status="pong")
        door = self._doors.get(place, NOBODY)
        try:
            signed = door.sender.verify(door.key, headers, body)
            assert door.source is not None  # noqa: S101 - nobody has the key of a source that there is not
            return self._read(place, door, door.source, signed, content_type, body, correlation_id)
        except WebhookRefused as refused:
            self._count(place if place in self._doors else ("", ""), f"status_{refused.status}", 1)
            raise

    def _read(
        self,
        place: Place,
        door: Door,
        source: EventSource,
        signed: Signed,
        content_type: str | None,
        body: bytes,
        correlation_id: str,
    ) -> Answer:
        try:
            signing.check_time(signed.at, self._store.clock())
        except WebhookRefused:
            # Sent again because our first answer was lost: that it was taken is all that its sender wants to know.
            if self._is_taken(place, door, signed, content_type, body):
                return Answer(status=DUPLICATE)
            raise
        told = door.sender.read(body, content_type, signed)
        if len(told) > MOST_EVENTS:
            detail = f"A delivery has at most {MOST_EVENTS} events. Send more as a file, to /hr/v1/imports."
            raise WebhookRefused(413, detail)
        if not told:
            self._count(place, "ignored", 1)
            return Answer(status="ignored")
        now = self._store.clock()
        events = {
            mark: Event(
                row=recording.read(each.row, source.mapping, now=now),
                refusal=each.refusal,
                correlation_id=correlation_id,
            )
            for mark, each in marked(told, signed, now=now).items()
        }
        return self._take(place, _Delivery(source=source, events=events, correlation_id=correlation_id))

    def _is_taken(self, place: Place, door: Door, signed: Signed, content_type: str | None, body: bytes) -> bool:
        try:
            marks = marked(door.sender.read(body, content_type, signed), signed, now=self._store.clock())
        except WebhookRefused:
            return False
        with self._store.begin(place[0], write=False) as tx:
            return bool(marks) and hr_events.are_taken(tx, place[1], list(marks))

    def _take(self, place: Place, delivery: _Delivery) -> Answer:
        for attempt in range(_ATTEMPTS):
            try:
                recorded = self._record(place, delivery)
                break
            except (Contended, NameTaken) as error:
                if attempt == _ATTEMPTS - 1:
                    raise Contended(type(error).__name__) from None
                self._step_aside()
        counted = Counter(fate.outcome for fate in recorded.fates)
        for outcome, number in sorted(counted.items()):
            self._count(place, outcome, number)
        _log.info(
            "hr_events_taken", tenant=place[0], source=place[1], correlation_id=delivery.correlation_id, **counted
        )
        for target, urgent in recorded.wakes.items():
            self._dispatcher.wake(place[0], target, urgent=urgent)
        return Answer(status=DUPLICATE if set(counted) == {DUPLICATE} else "taken", fates=recorded.fates)

    def _record(self, place: Place, delivery: _Delivery) -> _Recorded:
        """Record a delivery, perhaps with others of the same source that wait by then."""
        recorded = self._turns.ask(place, delivery, lambda turn: self._record_together(place, turn))
        assert recorded is not None  # noqa: S101 - each is told something
        return recorded

    def _record_together(self, place: Place, turn: Turn[_Delivery, _Recorded]) -> None:
        tenant, name = place
        with self._store.begin(tenant) as opened:
            directory_users.take_turns(opened, name)
            deliveries = [each.asked for each in turn.take(_apart)]
            # The wait may have been long: what came meanwhile was said after what others recorded until now.
            tx = replace(opened, now=self._store.clock())
            # In one order everywhere, so that two deliveries of the same events do not wait for each other.
            new = hr_events.take(tx, name, sorted({mark for each in deliveries for mark in each.events}))
            fresh = [(mark, event) for each in deliveries for mark, event in each.events.items() if mark in new]
            fates, wakes = recording.record(
                tx,
                [event for _, event in fresh],
                source=recording.as_it_stands(tx, deliveries[0].source),
                scopes=self._scopes.get(tenant, {}),
                origin=Origin(source=name, correlation_id=deliveries[0].correlation_id),
            )
            by_mark = {mark: fate for (mark, _), fate in zip(fresh, fates, strict=True)}
            hr_events.release(tx, name, [mark for mark, fate in by_mark.items() if fate.is_refused])
        for each in turn.places:
            # The first wakes whoever is to be woken, on behalf of all.
            each.tell(_Recorded(fates=each.asked.fates_of(by_mark), wakes=wakes))
            wakes = {}

    @staticmethod
    def _count(place: Place, outcome: str, number: int) -> None:
        metrics.HR_EVENTS.labels(tenant=place[0], source=place[1], outcome=outcome).inc(number)


def marked(told: Iterable[Told], signed: Signed, *, now: Millis) -> dict[str, Told]:
    """Return what is told by what tells it from all else; an event that stands there twice is told once."""
    found: dict[str, Told] = {}
    for each in told:
        found.setdefault(each.event_id or _mark_of(each, signed, now=now), each)
    return found


def _mark_of(told: Told, signed: Signed, *, now: Millis) -> str:
    """Return what tells an event without an id of its own from all others."""
    place = str(told.row.position)
    if told.row.needs_fetch and signed.at is None and told.row.said_at is None:
        # The next one about the same person is the same to the letter. To look at somebody twice does no harm.
        return signing.mark_of(signed.mark, place, str(now))
    return signing.mark_of(signed.mark, place)


def doors_of(tenants: Iterable[TenantSettings]) -> dict[Place, Door]:
    """Return how each source is let in, by tenant and source; who sends no events is left out.

    Raises:
        UsageError: a secret is no key of its kind.
    """
    doors: dict[Place, Door] = {}
    for tenant in tenants:
        read_as = recording.sources_of(tenant)
        for source in tenant.sources:
            sender = senders.BY_KIND.get(source.kind)
            if sender is None or source.secret is None:
                continue
            try:
                key = sender.key_of(source.secret.get_secret_value().encode())
            except ValueError as error:
                raise UsageError(f"The secret of source {source.name} of tenant {tenant.id} {error}.") from None
            doors[tenant.id, source.name] = Door(sender=sender, key=key, source=read_as[source.name])
    return doors
