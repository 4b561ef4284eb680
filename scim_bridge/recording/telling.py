"""What a source says of a person once it has said one thing more: of each part, what was said last. No database.

News come late and out of order, and some state a few attributes only. So each part of what a source says (an attribute;
of complex ones each sub-attribute; `active`, the dates and the manager) knows when the source last spoke of it.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.rows import Person
from scim_bridge.recording import words
from scim_bridge.recording.entries import Said
from scim_bridge.recording.words import ACTIVE, ENDS, MANAGER, STARTS
from scim_bridge.store.contributions import Contribution, Timing

_NEVER = -1
_ALWAYS_SAID = frozenset({"externalId"})
"""Every row states whom it is about; that alone is no news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a source says now."""

    contribution: Contribution = field(repr=False)
    is_complete: bool
    """Whether all that the news state was taken; else something newer stood in the way of a part."""


def told(
    before: Contribution | None,
    said: Said,
    person: Person,
    *,
    source: str,
    owned: Collection[str],
    has_left: bool = False,
    now: Millis,
) -> Told | None:
    """Return what a source says once it describes a person so; None when it has said something newer of all of it.

    `before` is what the same record said until now; `has_left` tells whether the person has, by any record.
    """
    at = _said_at(said, now)
    clock = _Clock(before, at)
    if said.is_whole and not clock.is_after_all:
        return _found_again(before, said)
    stated = _stated(person, is_whole=said.is_whole)
    taken = {name for name in stated if clock.is_news(name)}
    is_there = _is_back(before, said, person, at)
    if before is not None and not taken - _ALWAYS_SAID and at < before.said_at and not is_there:
        return None
    document = _document(before, said, person, taken, clock, owned=owned)
    starts_at = person.starts_at if before is None or STARTS in taken else before.starts_at
    ends_at = person.ends_at if before is None or ENDS in taken else before.ends_at
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        # The end of an employment before this one.
        ends_at = None
    active = person.active if before is None or ACTIVE in taken else before.active
    if active is False and not has_left and _is_announced(starts_at, ends_at, now):
        # Whoever has left already is not brought back by news of leaving.
        active = True
    made = Contribution(
        source=source,
        resource_id=0,
        external_id=said.external_id,
        document=document,
        said_at=at if before is None else max(at, before.said_at),
        active=active,
        starts_at=starts_at,
        ends_at=ends_at,
        manager_id=person.manager_id if before is None or MANAGER in taken else before.manager_id,
        timing=Timing(
            stated=clock.stated_by(taken, is_whole=said.is_whole),
            missed_at=None if before is None or is_there else before.timing.missed_at,
            closed={} if before is None else before.timing.closed,
        ),
    )
    return Told(contribution=made, is_complete=len(taken) == len(stated) and not clock.is_behind_some)


def gone(before: Contribution | None, said: Said, *, source: str, now: Millis) -> Contribution | None:
    """Return what a source says once it has somebody no more; None when it has said something newer.

    Who is only missing in a snapshot is there again as soon as a later one names them, whatever time their row tells.
    What was said before may have been dropped, while the source was not configured.
    """
    at = _said_at(said, now)
    if before is None:
        before = Contribution(source=source, resource_id=0, external_id=said.external_id, document={}, said_at=_NEVER)
    if said.as_of is not None:
        if before.said_at > said.as_of:
            return None
        return replace(before, due_at=None, timing=replace(before.timing, missed_at=said.as_of))
    clock = _Clock(before, at)
    if not clock.is_news(ACTIVE):
        return None
    taken = {name for name in (ACTIVE, STARTS, ENDS) if clock.is_news(name)}
    stated = clock.stated_by(taken, is_whole=False)
    return replace(
        before,
        active=False,
        starts_at=None if STARTS in taken else before.starts_at,
        ends_at=None if ENDS in taken else before.ends_at,
        due_at=None,
        said_at=max(at, before.said_at),
        timing=replace(before.timing, stated=stated, missed_at=None),
    )


def of_another_record(made: Contribution, before: Contribution) -> Contribution:
    """Return what a record says that speaks for a person from now on, in place of one that is closed."""
    closed = {**before.timing.closed, **({before.external_id: before.said_at} if before.external_id else {})}
    closed.pop(made.external_id or "", None)
    return replace(made, timing=replace(made.timing, closed=closed))


class _Clock:
    """When a source last spoke of each part, and what news of one instant are to that."""

    def __init__(self, before: Contribution | None, at: Millis) -> None:
        self._at = at
        self._stated = {} if before is None else dict(before.timing.stated)
        self._of_all = self._stated.pop(words.EVERYTHING, _NEVER if before is None else before.said_at)

    @property
    def is_after_all(self) -> bool:
        """Tell whether news that state everything have something to say."""
        return self._at >= self._of_all

    @property
    def is_behind_some(self) -> bool:
        """Tell whether something newer was said of a part."""
        return any(at > self._at for at in self._stated.values())

    def is_news(self, name: str) -> bool:
        """Tell whether nothing newer was said of a part."""
        return self._at >= self._stated.get(name, self._of_all)

    def later(self) -> frozenset[str]:
        """Return the parts of which something newer was said, each for itself."""
        return frozenset(name for name, at in self._stated.items() if at > self._at)

    def stated_by(self, taken: Collection[str], *, is_whole: bool) -> dict[str, Millis]:
        """Return when the source last spoke of each part, now that it spoke of these."""
        of_all = self._at if is_whole else self._of_all
        named = self._stated if is_whole else {**self._stated, **dict.fromkeys(taken, self._at)}
        kept = {name: at for name, at in named.items() if at > of_all}
        return {words.EVERYTHING: of_all, **kept} if kept else {}


def _said_at(said: Said, now: Millis) -> Millis:
    return now if said.said_at is None else said.said_at


def _found_again(before: Contribution | None, said: Said) -> Told | None:
    """Return what a source said, of somebody who was missing and of whom it has nothing new to say."""
    if before is None or not _is_named_again(before, said):
        return None
    return Told(contribution=replace(before, timing=replace(before.timing, missed_at=None)), is_complete=False)


def _is_named_again(before: Contribution, said: Said) -> bool:
    missed_at = before.timing.missed_at
    return missed_at is not None and said.as_of is not None and said.as_of >= missed_at


def _is_back(before: Contribution | None, said: Said, person: Person, at: Millis) -> bool:
    """Tell whether somebody who was missing is there: a later snapshot names them, or the source speaks of it."""
    if before is None or before.timing.missed_at is None:
        return False
    speaks = said.is_whole or person.active is not None
    return _is_named_again(before, said) or (speaks and at >= before.timing.missed_at)


def _is_announced(starts_at: Millis | None, ends_at: Millis | None, now: Millis) -> bool:
    """Tell whether who is said to have left still works there: they have begun, and the last day lies ahead."""
    return (starts_at is None or starts_at <= now) and ends_at is not None and ends_at > now


def _stated(person: Person, *, is_whole: bool) -> set[str]:
    """Return the parts that news state."""
    stated = {name for name, _, _ in words.parts_of(person.document)}
    facts = {
        ACTIVE: person.active is not None,
        STARTS: person.says_start,
        ENDS: person.says_end,
        MANAGER: person.manager_id is not None,
    }
    return stated | {name for name, is_said in facts.items() if is_said or is_whole}


def _document(
    before: Contribution | None,
    said: Said,
    person: Person,
    taken: set[str],
    clock: _Clock,
    *,
    owned: Collection[str],
) -> dict[str, Any]:
    """Return the document of what a source says: of each part what it said last."""
    old: Mapping[str, Any] = {} if before is None else before.document
    later = clock.later()
    if not said.is_whole:
        is_late = later or not clock.is_after_all
        news = _only(person.document, taken.__contains__) if is_late else person.document
        return words.overlaid(old, news, owned=owned)
    if not later:
        return words.overlaid({}, person.document, owned=owned)
    found = words.overlaid({}, _only(person.document, lambda name: name not in later), owned=owned)
    for path, value in _kept(old, later):
        if len(path) == 1:
            found[path[0]] = value
        else:
            found[path[0]] = {**(found.get(path[0]) or {}), path[1]: value}
    return found


def _kept(document: Mapping[str, Any], names: Collection[str]) -> Iterator[tuple[tuple[str, ...], Any]]:
    return ((path, value) for name, path, value in words.parts_of(document) if name in names)


def _only(document: Mapping[str, Any], takes: Callable[[str], bool]) -> dict[str, Any]:
    """Return a document with only the parts that are taken."""
    found: dict[str, Any] = {}
    for name, path, value in words.parts_of(document):
        if takes(name):
            if len(path) == 1:
                found[path[0]] = value
            else:
                found.setdefault(path[0], {})[path[1]] = value
    return found
