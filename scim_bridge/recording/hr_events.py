"""Records what HR events say: applied, or kept while their source is paused, while a look is due, or as refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from scim_bridge.domain.rows import Person, Refusal, Row
from scim_bridge.mapping.rows import RowMapping
from scim_bridge.recording import rows as people
from scim_bridge.recording.merging import Owns
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.rows import Outcome, Said
from scim_bridge.recording.scopes import TargetScope
from scim_bridge.settings.models import TenantSettings
from scim_bridge.store import hr_events
from scim_bridge.store.engine import Transaction
from scim_bridge.store.hr_events import Kept

KEPT, NEEDS_FETCH = "kept", "needs_fetch"
"""What becomes of an event that is not applied: its source is paused, or it tells only that something changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSource:
    """Who sends events: their name, how they are read, and which attributes each of the tenant's sources decides."""

    name: str
    mapping: RowMapping
    owns: Owns
    is_paused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event: its row holds only what the mapping reads. With the reason when nothing can be made of it."""

    row: Row
    refusal: Refusal | None = None
    correlation_id: str | None = None
    """Of its delivery, where events of several are recorded together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of one event."""

    position: int
    outcome: str
    code: str = ""
    field: str = ""
    advice: str = ""

    @property
    def is_refused(self) -> bool:
        """Tell whether nothing could be made of it."""
        return self.outcome == Outcome.REFUSED


def sources_of(tenant: TenantSettings) -> dict[str, EventSource]:
    """Return the sources of a tenant that send events, by name."""
    owns = {source.name: source.owns for source in tenant.sources}
    return {
        source.name: EventSource(name=source.name, mapping=RowMapping(source), owns=owns, is_paused=source.paused)
        for source in tenant.sources
        if source.kind not in ("scim", "csv")
    }


def as_it_stands(tx: Transaction, source: EventSource) -> EventSource:
    """Return a source as new events of it are to be taken: as paused, while earlier ones wait to be applied.

    Applied at once, they would make older news of what was kept.
    """
    return replace(source, is_paused=source.is_paused or hr_events.are_waiting(tx, source.name))


def record(
    tx: Transaction,
    events: Sequence[Event],
    *,
    source: EventSource,
    scopes: Mapping[str, TargetScope],
    origin: Origin,
) -> tuple[list[Fate], Mapping[str, bool]]:
    """Record what events say, in their order; return what became of each, and the targets to wake after the commit.

    Raises:
        directory.NameTaken: somebody else took a name at the same moment; the same again will do.
    """
    fates: dict[int, Fate] = {}
    kept: list[Kept] = []
    said: list[Said] = []
    for place, event in enumerate(events):
        row, refusal = event.row, event.refusal
        if refusal is not None or not row.external_id or not (source.is_paused or row.needs_fetch):
            said.append(_said(place, event, source.mapping))
            continue
        fates[place] = Fate(position=row.position, outcome=KEPT if source.is_paused else NEEDS_FETCH)
        state = hr_events.FETCH if row.needs_fetch else hr_events.WAITING
        kept.append(Kept(state=state, row=row, correlation_id=event.correlation_id or origin.correlation_id))
    recorded = people.record(tx, said, source=source.name, owns=source.owns, scopes=scopes, origin=origin)
    for each in recorded.became:
        event = events[each.position]
        row = event.row
        fates[each.position] = fate = Fate(
            position=row.position, outcome=each.outcome, code=each.code, field=each.field, advice=each.advice
        )
        if fate.is_refused:
            refusal = Refusal(code=each.code, field=each.field, advice=each.advice)
            told_by = event.correlation_id or origin.correlation_id
            kept.append(Kept(state=hr_events.REFUSED, row=row, refusal=refusal, correlation_id=told_by))
    hr_events.keep(tx, source.name, kept)
    return [fates[place] for place in range(len(events))], recorded.wakes


def read(row: Row, mapping: RowMapping, *, now: int) -> Row:
    """Return a row with only what the mapping reads, under the id and with the time that it finds there, if any.

    A time ahead of ours is taken for now: news that came too early must not keep later news out.
    """
    fields = mapping.only({"id": row.external_id, **row.fields} if row.external_id else row.fields)
    said_at = mapping.said_at_of(fields) or row.said_at
    return replace(
        row,
        fields=fields,
        external_id=mapping.id_of(fields) or row.external_id,
        said_at=None if said_at is None else min(said_at, now),
    )


def _said(place: int, event: Event, mapping: RowMapping) -> Said:
    row = event.row
    what: Person | Refusal | None = event.refusal
    if what is None and not (row.is_gone and row.external_id):
        what = mapping.person_of(row)
    return Said(
        position=place,
        external_id=row.external_id,
        what=what,
        said_at=row.said_at,
        is_whole=row.is_whole,
        is_dated=mapping.is_dated,
        correlation_id=event.correlation_id,
    )
