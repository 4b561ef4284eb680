"""Whom a row is about, and what its source says of them once it has said this too. No database.

The HR id comes first, an e-mail address second, the userName third. A closed record followed by an open one is one
person; two open ones are a conflict. What was said earlier never overrides what was said later.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from scim_bridge.domain.catalogue import code_named
from scim_bridge.domain.instants import Millis
from scim_bridge.domain.rows import Person, Refusal
from scim_bridge.recording import telling
from scim_bridge.recording.entries import Entry, Said
from scim_bridge.recording.roster import Roster
from scim_bridge.recording.strangers import Strangers
from scim_bridge.recording.telling import Told
from scim_bridge.recording.words import name_of
from scim_bridge.store.contributions import Contribution


class Outcome(StrEnum):
    """What became of a row."""

    CREATED = "created"
    UPDATED = "updated"
    DEACTIVATED = "deactivated"
    SCHEDULED = "scheduled"
    """Kept, and applied when its date has come."""
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a row at once, without anybody being looked at further."""

    outcome: Outcome
    code: str
    field: str = ""
    advice: str = ""


_WAITS_FOR_OTHERS = frozenset({"missing_field", "two_records", "several_people"})

Place = Entry | Verdict
"""Whom a row is about, or what became of it at once."""


def judged(outcome: Outcome, code: str, name: str = "") -> Verdict:
    """Return what became of a row, with the catalogue's advice."""
    return Verdict(outcome=outcome, code=code, field=name, advice=code_named(code).advice)


class Placing:
    """Goes through the rows of one source in their order."""

    def __init__(
        self, roster: Roster, strangers: Strangers, *, source: str, owned: Collection[str], now: Millis
    ) -> None:
        """Place rows against everybody whom they name."""
        self._roster = roster
        self._strangers = strangers
        self._source = source
        self._owned = owned
        self._now = now

    def place(self, said: Sequence[Said]) -> list[Place]:
        """Find whom each row is about, and keep what it says of them.

        Whoever cannot be told yet is tried once more when all others are placed: the row that makes them, or the one
        that closes another record, may stand behind.
        """
        places = [self._place(each) for each in said]
        return [
            self._place(each) if isinstance(place, Verdict) and place.code in _WAITS_FOR_OTHERS else place
            for each, place in zip(said, places, strict=True)
        ]

    def _place(self, said: Said) -> Place:
        if isinstance(said.what, Refusal):
            return Verdict(outcome=Outcome.REFUSED, code=said.what.code, field=said.what.field, advice=said.what.advice)
        entry = self._roster.of_id(said.external_id)
        if entry is None:
            return self._meet(said)
        speaking = entry.mine
        if speaking is not None and speaking.external_id not in (None, said.external_id):
            return self._of_other_record(entry, said)
        return self._keep(entry, said)

    def _meet(self, said: Said) -> Place:
        """Find somebody whom the source never named by this id; or make them."""
        left_at = self._strangers.left_at(said.external_id)
        if left_at is not None and left_at > self._said_at(said):
            return judged(Outcome.UNCHANGED, "older_news")
        if not isinstance(said.what, Person):
            return self._leave(said)
        found = self._roster.matching(said.what.document)
        if len(found) > 1:
            return judged(Outcome.REFUSED, "several_people", "emails")
        if found:
            return self._keep(found[0], said) if found[0].mine is None else self._of_other_record(found[0], said)
        if not self._is_open(self._told(None, said, said.what)):
            return self._leave(said)
        if name_of(said.what.document) is None and not said.is_whole:
            if left_at is not None and said.what.active is None:
                return judged(Outcome.UNCHANGED, "not_here")
            return judged(Outcome.REFUSED, "missing_field", "userName")
        return self._keep(self._roster.add(), said)

    def _leave(self, said: Said) -> Verdict:
        """Remember that somebody whom nobody knows has left, so that nothing older makes them."""
        self._strangers.leave(
            said.external_id, at=self._said_at(said), digest=said.digest, correlation_id=said.correlation_id
        )
        return judged(Outcome.UNCHANGED, "not_here")

    def _of_other_record(self, entry: Entry, said: Said) -> Place:
        """Decide about a row of somebody for whom another id of the source speaks: a rehire, a new contract."""
        assert entry.mine is not None  # noqa: S101 - that is why we are here
        at = self._said_at(said)
        closed_at = entry.mine.timing.closed.get(said.external_id)
        if closed_at is not None and closed_at > at:
            return judged(Outcome.UNCHANGED, "older_news")
        if not isinstance(said.what, Person) or not self._is_open(self._told(None, said, said.what)):
            return self._close(entry, said, at)
        if self._is_open(entry.mine):
            return judged(Outcome.REFUSED, "two_records", "emails")
        if entry.mine.said_at > at:
            return judged(Outcome.UNCHANGED, "older_news")
        return self._keep(entry, said)

    def _close(self, entry: Entry, said: Said, at: Millis) -> Verdict:
        """Remember that another record of a person is closed, so that nothing older opens it again."""
        assert entry.mine is not None  # noqa: S101 - as above
        if entry.mine.timing.closed.get(said.external_id) != at:
            closed = {**entry.mine.timing.closed, said.external_id: at}
            entry.mine = replace(entry.mine, timing=replace(entry.mine.timing, closed=closed))
            entry.is_said = True
        entry.identities[said.external_id] = said.digest
        self._strangers.come(said.external_id)
        self._roster.note(entry, said.external_id)
        return judged(Outcome.UNCHANGED, "other_record")

    def _keep(self, entry: Entry, said: Said) -> Place:
        before = entry.mine
        is_complete = True
        if isinstance(said.what, Person):
            same = before if before is not None and before.external_id in (None, said.external_id) else None
            told = self._told(same, said, said.what, has_left=before is not None and self._has_left(before))
            made = None if told is None else told.contribution
            is_complete = told is not None and told.is_complete
            if made is not None and before is not None and same is None:
                # Another record of the same person is a new beginning.
                made = telling.of_another_record(made, before)
                entry.closed = before if entry.is_said else None
        else:
            made = telling.gone(before, said, source=self._source, now=self._now)
        if made is None:
            return judged(Outcome.UNCHANGED, "older_news")
        entry.mine = replace(made, due_at=due_at(made, self._now))
        # A row of which only a part counted is not known again: it may count in full the next time.
        entry.identities[said.external_id] = said.digest if is_complete else None
        entry.is_said = True
        entry.correlation_id = said.correlation_id
        self._strangers.come(said.external_id)
        self._roster.note(entry, said.external_id)
        return entry

    def _said_at(self, said: Said) -> Millis:
        return self._now if said.said_at is None else said.said_at

    def _told(self, before: Contribution | None, said: Said, person: Person, *, has_left: bool = False) -> Told | None:
        return telling.told(
            before, said, person, source=self._source, owned=self._owned, has_left=has_left, now=self._now
        )

    def _has_left(self, contribution: Contribution) -> bool:
        return contribution.is_active_at(self._now) is False

    def _is_open(self, what: Contribution | Told | None) -> bool:
        """Tell whether somebody works there, or will."""
        said = what.contribution if isinstance(what, Told) else what
        assert said is not None  # noqa: S101 - nothing older is known of what is told first
        return not self._has_left(said) or due_at(said, self._now) is not None


def due_at(contribution: Contribution, now: Millis) -> Millis | None:
    """Return when a date of a contribution must be applied next, None when none lies ahead."""
    if contribution.active is False or contribution.timing.missed_at is not None:
        return None
    dates = (contribution.starts_at, contribution.ends_at)
    return min((at for at in dates if at is not None and at > now), default=None)
