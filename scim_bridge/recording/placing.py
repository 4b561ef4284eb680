"""Whom a row is about, and what its source says of them once it has said this too. No database.

The HR id comes first, an e-mail address second, the userName third. A closed record followed by an open one is one
person; two open ones are a conflict. What was said earlier never overrides what was said later.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum

from scim_bridge.domain.catalogue import code_named
from scim_bridge.domain.instants import Millis
from scim_bridge.domain.rows import Person, Refusal
from scim_bridge.recording import words
from scim_bridge.recording.roster import Entry, Roster, Said
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


Place = Entry | Verdict
"""Whom a row is about, or what became of it at once."""


def judged(outcome: Outcome, code: str, name: str = "") -> Verdict:
    """Return what became of a row, with the catalogue's advice."""
    return Verdict(outcome=outcome, code=code, field=name, advice=code_named(code).advice)


class Placing:
    """Goes through the rows of one source in their order."""

    def __init__(self, roster: Roster, *, source: str, owned: Collection[str], now: Millis) -> None:
        """Place rows against everybody whom they name."""
        self._roster = roster
        self._source = source
        self._owned = owned
        self._now = now

    def place(self, said: Said) -> Place:
        """Find whom a row is about, and keep what it says of them."""
        if isinstance(said.what, Refusal):
            return Verdict(outcome=Outcome.REFUSED, code=said.what.code, field=said.what.field, advice=said.what.advice)
        entry = self._roster.of_id(said.external_id)
        if entry is None:
            return self._meet(said)
        speaking = entry.mine
        if speaking is not None and speaking.external_id not in (None, said.external_id):
            return self._of_other_record(entry, said)
        if speaking is not None and speaking.said_at > self._said_at(said):
            return judged(Outcome.UNCHANGED, "older_news")
        return self._keep(entry, said)

    def _meet(self, said: Said) -> Place:
        """Find somebody whom the source never named by this id; or make them."""
        if not isinstance(said.what, Person):
            return judged(Outcome.UNCHANGED, "not_here")
        found = self._roster.matching(said.what.document)
        if len(found) > 1:
            return judged(Outcome.REFUSED, "several_people", "emails")
        if found:
            return self._keep(found[0], said) if found[0].mine is None else self._of_other_record(found[0], said)
        if not self._is_open(self._contribution(None, said)):
            return judged(Outcome.UNCHANGED, "not_here")
        return self._keep(self._roster.add(), said)

    def _of_other_record(self, entry: Entry, said: Said) -> Place:
        """Decide about a row of somebody for whom another id of the source speaks: a rehire, a new contract."""
        assert entry.mine is not None  # noqa: S101 - that is why we are here
        if said.what is None:
            return judged(Outcome.UNCHANGED, "other_record")
        if not self._is_open(self._contribution(None, said)):
            # The closed record still names the person, so that the next row of it is known.
            entry.identities[said.external_id] = None
            return judged(Outcome.UNCHANGED, "other_record")
        if self._is_open(entry.mine):
            return judged(Outcome.REFUSED, "two_records", "emails")
        if entry.mine.said_at > self._said_at(said):
            return judged(Outcome.UNCHANGED, "older_news")
        return self._keep(entry, said)

    def _keep(self, entry: Entry, said: Said) -> Entry:
        entry.mine = self._contribution(entry.mine, said)
        entry.identities[said.external_id] = said.digest
        entry.is_said = True
        self._roster.note(entry, said.external_id)
        return entry

    def _contribution(self, before: Contribution | None, said: Said) -> Contribution:
        """Return what the source says of a person now that it has said this too."""
        said_at = self._said_at(said)
        if not isinstance(said.what, Person):
            assert before is not None  # noqa: S101 - nobody is gone who was never there
            return replace(before, active=False, starts_at=None, ends_at=None, due_at=None, said_at=said_at)
        person = said.what
        # Another record of the same person is a new beginning.
        old = before if before is not None and before.external_id in (None, said.external_id) else None
        kept = None if said.is_whole else old
        starts_at = person.starts_at if kept is None or person.says_start else kept.starts_at
        ends_at = person.ends_at if kept is None or person.says_end else kept.ends_at
        if starts_at is not None and ends_at is not None and ends_at <= starts_at:
            # The end of an employment before this one.
            ends_at = None
        active = person.active if kept is None or person.active is not None else kept.active
        has_left = before is not None and before.is_active_at(self._now) is False
        if active is False and not has_left and self._is_announced(starts_at, ends_at):
            # Whoever has left already is not brought back by news of leaving.
            active = True
        made = Contribution(
            source=self._source,
            resource_id=0,
            external_id=said.external_id,
            document=words.overlaid({} if kept is None else kept.document, person.document, owned=self._owned),
            said_at=said_at,
            active=active,
            starts_at=starts_at,
            ends_at=ends_at,
            manager_id=person.manager_id if kept is None or person.manager_id is not None else kept.manager_id,
        )
        return replace(made, due_at=due_at(made, self._now))

    def _is_announced(self, starts_at: Millis | None, ends_at: Millis | None) -> bool:
        """Tell whether who is said to have left still works there: they have begun, and the last day lies ahead."""
        has_begun = starts_at is None or starts_at <= self._now
        return has_begun and ends_at is not None and ends_at > self._now

    def _said_at(self, said: Said) -> Millis:
        return self._now if said.said_at is None else said.said_at

    def _is_open(self, contribution: Contribution) -> bool:
        """Tell whether somebody works there, or will."""
        return contribution.is_active_at(self._now) is not False or contribution.due_at is not None


def due_at(contribution: Contribution, now: Millis) -> Millis | None:
    """Return when a date of a contribution must be applied next, None when none lies ahead."""
    if contribution.active is False:
        return None
    dates = (contribution.starts_at, contribution.ends_at)
    return min((at for at in dates if at is not None and at > now), default=None)
