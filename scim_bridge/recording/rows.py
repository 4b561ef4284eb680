"""Records what rows of one source say of people: any number of rows in one transaction, by a few statements.

Rows are gone through in their order (`placing`), against a picture of everybody whom they name (`roster`); what has
changed in the end is written at once. A row that cannot be applied is an outcome and holds nobody else up.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.resources import USER
from scim_bridge.recording import edits, merging, placing, words
from scim_bridge.recording.entries import Entry, Said
from scim_bridge.recording.merging import Owns
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.owing import Owed, Owing
from scim_bridge.recording.placing import Outcome, Place, Placing, Verdict
from scim_bridge.recording.recorder import request_text
from scim_bridge.recording.roster import Roster
from scim_bridge.recording.scopes import TargetScope
from scim_bridge.recording.strangers import Strangers
from scim_bridge.recording.words import name_of
from scim_bridge.store import contributions, directory, directory_users, dues, identities, ledger, numbers, tables
from scim_bridge.store.contributions import Contribution
from scim_bridge.store.directory_users import Written
from scim_bridge.store.dues import Due
from scim_bridge.store.engine import Transaction
from scim_bridge.store.identities import Identity
from scim_bridge.store.search import folding

__all__ = ["Became", "Outcome", "Recorded", "Said", "reckon_anew", "record"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Became:
    """What became of one row."""

    position: int
    outcome: Outcome
    code: str = ""
    field: str = ""
    advice: str = ""
    change: int | None = None
    """The number of the change, where the directory has changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of all rows, in their order, and the targets to wake after the commit: whether it is urgent."""

    became: Sequence[Became]
    wakes: Mapping[str, bool]


def record(
    tx: Transaction,
    said: Sequence[Said],
    *,
    source: str,
    owns: Owns,
    scopes: Mapping[str, TargetScope],
    origin: Origin,
) -> Recorded:
    """Record what rows of one source say, in their order, and return what became of each.

    `owns` names the attributes that each of the tenant's sources decides.

    Raises:
        directory.NameTaken: somebody else took a name at the same moment; the same again will do.
    """
    # What is only sent may be found to fail at any later place.
    with directory.names_guarded(USER), tx.pipeline():
        roster = Roster.read(tx, source, said, owns=owns)
        strangers = Strangers(tx, source, (each.external_id for each in said if roster.is_nobody(each.external_id)))
        roster.confirm(tx, said, strangers)
        placed = Placing(roster, strangers, source=source, owned=words.owned_by(source, owns), now=tx.now)
        places = placed.place(said)
        _settle(tx, roster, owns, lambda entry: entry.leaves_as_known(tx.now))
        wakes = _write(tx, roster, source=source, scopes=scopes, origin=origin)
        strangers.write(tx, origin)
    return Recorded(became=[_became(each, place) for each, place in zip(said, places, strict=True)], wakes=wakes)


def reckon_anew(
    tx: Transaction,
    resource_ids: Collection[int],
    *,
    source: str,
    owns: Owns,
    scopes: Mapping[str, TargetScope],
    origin: Origin,
    has_retracted: bool = False,
) -> Recorded:
    """Record what has fallen due of what a source said before: who starts now, and who has left.

    With `has_retracted` another source's words were taken back just now: that the directory has them still does not
    mean that it was told them past the words.
    """
    roster = Roster.read_again(tx, source, resource_ids, owns=owns, looks_past=not has_retracted)
    # Not before they are locked: whoever writes what was said of people has locked them first.
    identities.forget_dates(tx, source, resource_ids)
    _settle(tx, roster, owns, Entry.pin)
    wakes = _write(tx, roster, source=source, scopes=scopes, origin=origin)
    return Recorded(became=[], wakes=wakes)


def _settle(tx: Transaction, roster: Roster, owns: Owns, gives_way: Callable[[Entry], bool]) -> None:
    """Reckon everybody anew, until nobody is in the way: each gives way, or is given up and stays as they are."""
    while True:
        # Whoever was given up leads nobody.
        _reckon(roster, owns, now=tx.now)
        roster.meet_namesakes(tx)
        in_the_way = _in_the_way(roster)
        if not in_the_way:
            return
        _clear(roster, in_the_way, gives_way, lambda entry: _reckon_one(entry, roster, owns, now=tx.now))


def _clear(
    roster: Roster,
    in_the_way: Sequence[tuple[Entry, str, str]],
    gives_way: Callable[[Entry], bool],
    reckon: Callable[[Entry], None],
) -> None:
    """Have everybody who is in the way give way, and at once those who would get the names that they keep for it.

    Names that are handed on make chains; one round for each link would take time by the square of their length.
    """
    wanting = roster.wanting()
    cleared: set[Entry] = set()
    found = list(in_the_way)
    for entry, code, name in found:
        if entry in cleared:
            continue
        cleared.add(entry)
        if not gives_way(entry):
            entry.give_up(code, name)
        if entry.refused is None:
            reckon(entry)
        if entry.stored is not None and (entry.refused is not None or entry.keeps_name):
            waiting = wanting.get(name_of(entry.stored.document) or "", ())
            found += [(each, "name_taken", "userName") for each in waiting if each is not entry]


def _reckon(roster: Roster, owns: Owns, *, now: Millis) -> None:
    """Reckon the directory's document of everybody of whom something was said, and of those whom they lead."""
    for entry in roster.touched():
        _reckon_one(entry, roster, owns, now=now)


def _reckon_one(entry: Entry, roster: Roster, owns: Owns, *, now: Millis) -> None:
    assert entry.mine is not None  # noqa: S101 - something was said of them
    said = replace(entry.mine, manager=roster.manager_of(entry))
    said = words.said_anew(entry.mine_before, said, now=now)
    entry.mine = replace(said, due_at=placing.due_at(said, now))
    spoken = {each.source: words.word_of(each, now=now) for each in (*entry.others, entry.mine)}
    # A last day that has come counts, although its source may be configured no more.
    was_active = entry.stored is not None and entry.stored.active and entry.mine.source in owns
    entry.become(merging.merged(spoken, owns, was_active=was_active))


def _in_the_way(roster: Roster) -> list[tuple[Entry, str, str]]:
    """Return who cannot be written as they are, with code and field: values that cannot be kept, or are another's."""
    found: list[tuple[Entry, str, str]] = []
    for entry in roster.touched():
        try:
            name = entry.fold().unique_key
        except folding.ValueTooLong as error:
            found.append((entry, "row_too_long", str(error)))
        except folding.NotStorable as error:
            found.append((entry, "row_not_storable", str(error)))
        else:
            if not name or not name.strip():
                found.append((entry, "missing_field", "userName"))
    return found or roster.taken()


def _write(
    tx: Transaction, roster: Roster, *, source: str, scopes: Mapping[str, TargetScope], origin: Origin
) -> dict[str, bool]:
    """Write everybody who has changed with changes and operations; and what was said, changed or not."""
    touched = list(roster.touched())
    changed = [entry for entry in touched if entry.differs()]
    new = [entry for entry in touched if entry.stored is None]
    new_numbers = directory_users.reserve(tx, len(new))
    new_changes = numbers.reserve(tx, tables.change.c.number, len(changed)) if changed else list
    owing = Owing(tx, scopes)
    for entry, number in zip(new, new_numbers(), strict=True):
        entry.number = number
    for entry, number in zip(changed, new_changes(), strict=True):
        entry.change = number
    # Newcomers may have names that others give up.
    directory_users.change(tx, [_written(entry) for entry in changed if entry.stored is not None])
    directory_users.add(tx, [_written(entry) for entry in new])
    owed = owing.for_users([(entry.stored, entry.document) for entry in changed])
    _record_changes(tx, changed, owed, origin)
    contributions.write(tx, [said for entry in touched for said in _said_of(entry)])
    identities.put(tx, source, _identities(roster))
    wakes: dict[str, bool] = {}
    for lane in (lane for each in owed for lane in each.lanes):
        wakes[lane.target] = wakes.get(lane.target, False) or lane.is_urgent
    return wakes


def _said_of(entry: Entry) -> list[Contribution]:
    assert entry.mine is not None  # noqa: S101 - touched is of whom something was said
    return [replace(each, resource_id=entry.known_number) for each in (entry.mine, *entry.first_words)]


def _identities(roster: Roster) -> list[Identity]:
    return [
        Identity(external_id=external_id, resource_id=entry.known_number, row_digest=digest)
        for entry in roster.named()
        for external_id, digest in entry.identities.items()
    ]


def _written(entry: Entry) -> Written:
    return Written(
        number=entry.known_number,
        scim_id=entry.scim_id,
        document=entry.document,
        active=entry.active,
        version=entry.change or 0,
        folded=entry.fold(),
        before=entry.folded_before(),
    )


def _record_changes(tx: Transaction, changed: Sequence[Entry], owed: Sequence[Owed], origin: Origin) -> None:
    books: dict[int, dict[str, Any]] = {}
    owing: list[Due] = []
    for entry, each in zip(changed, owed, strict=True):
        assert entry.change is not None  # noqa: S101 - reserved
        books[entry.change] = {
            "resource_id": entry.known_number,
            "previous": 0 if entry.stored is None else entry.stored.version,
            "kind": "create" if entry.stored is None else "update",
            "source": origin.source,
            "token_id": origin.token_id,
            "correlation_id": entry.correlation_id or origin.correlation_id,
            "request": request_text(USER, attributes=edits.touched(entry.document_before, entry.document)),
            "owed": len(each.lanes),
        }
        owing += [
            Due(change=entry.change, lane_id=lane.id, resource_id=entry.known_number, priority=lane.priority)
            for lane in each.lanes
        ]
    if books:
        ledger.send_changes(tx, books)
        dues.owe_each(tx, owing)


def _became(said: Said, place: Place) -> Became:
    if isinstance(place, Entry):
        refused = place.refused or place.refused_records.get(said.external_id)
        if refused is None:
            return Became(position=said.position, outcome=_outcome(place), change=place.change)
        place = placing.judged(Outcome.REFUSED, *refused)
    assert isinstance(place, Verdict)  # noqa: S101 - as the type says
    return Became(
        position=said.position, outcome=place.outcome, code=place.code, field=place.field, advice=place.advice
    )


def _outcome(entry: Entry) -> Outcome:
    assert entry.mine is not None  # noqa: S101 - something was said
    before = entry.mine_before
    if entry.mine.due_at is not None and (before is None or before.due_at != entry.mine.due_at):
        return Outcome.SCHEDULED
    if entry.change is None:
        return Outcome.UNCHANGED
    if entry.stored is None:
        return Outcome.CREATED
    if entry.stored.active and not entry.active:
        return Outcome.DEACTIVATED
    return Outcome.UPDATED
