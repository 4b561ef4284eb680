"""A month in the life of a company: what its HR system and its identity provider send, and what must be in the end.

Events come again, late and in the wrong order; the identity provider pushes the same people at the same time, leavers
too; a snapshot comes every evening, and three of them are broken. Whatever happens on the way, in the end the HR
system's last word holds.
"""

import csv
import io
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from scim_bridge.domain.instants import Millis, to_datetime, to_iso
from scim_bridge.sandbox.compare import Desired
from scim_bridge.sandbox.senders.people import Person
from scim_bridge.sandbox.sources.company import DAY_MS, Company, Employee, Turn

OWNED = ("active", "userName", "name", "emails", "title", "department", "manager")
"""What the HR system has the last word on, as `owns` of its source says."""

MOST_EVENTS = 50
"""Of one webhook."""


class Fault(StrEnum):
    """What is wrong with a snapshot as a whole."""

    NONE = "none"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    SMALL = "small"


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """One webhook of the HR system: a list of events in our own JSON."""

    events: Sequence[Mapping[str, Any]] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """What the identity provider pushes: people as it knows them, active whatever HR says."""

    people: Sequence[Person] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The file of one evening. `bad` rows of it must be refused, with the code."""

    rows: Sequence[Mapping[str, str]] = field(repr=False)
    bad: Mapping[int, str] = field(default_factory=dict)
    """By position, from 1."""
    fault: Fault = Fault.NONE
    taken_at: Millis

    def content(self) -> bytes:
        """Return the file: with a byte order mark, semicolons and blank lines at the end, as spreadsheets write it."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, fieldnames=HEADING, delimiter=";", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(self.rows)
        whole = text.getvalue()
        if self.fault is Fault.TRUNCATED:
            # In the middle of a row, as a transfer that broke off leaves it.
            return whole[: len(whole) * 2 // 3].rpartition(";")[0].encode("utf-8-sig")
        return f"{whole};;;\r\n\r\n".encode("utf-8-sig")


Delivery = Events | Push | Snapshot

HEADING = (
    *("id", "email", "firstName", "lastName", "title", "department", "managerId", "status", "startDate", "endDate"),
    *("ssn", "salary", "changedAt"),
)
"""The columns of every snapshot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """Everything that is sent, day by day, and the model of the end."""

    days: Sequence[Sequence[Delivery]] = field(repr=False)
    employees: Sequence[Employee] = field(repr=False)
    """The HR system's records in the end, and those that it holds no more."""
    ended_on: date
    unknown: frozenset[str] = frozenset()
    """The events that come before the first one about the same person, and must be refused."""

    def desired(self) -> list[Desired]:
        """Return what every target should hold in the end, one wish for each person."""
        wishes: dict[str, Desired] = {}
        for each in self.employees:
            is_active = (
                each.is_active and each.start <= self.ended_on and (each.end is None or each.end >= self.ended_on)
            )
            before = wishes.get(each.person.user_name)
            if before is None or is_active:
                wishes[each.person.user_name] = Desired(
                    user_name=each.person.user_name,
                    email=each.person.email,
                    active=is_active,
                    first_name=each.person.given_name,
                    last_name=each.person.family_name,
                    former=frozenset(each.former),
                )
        return list(wishes.values())

    def count(self, kind: type[Delivery]) -> int:
        """Return how many deliveries of a kind there are."""
        return sum(isinstance(each, kind) for day in self.days for each in day)


def generate(size: int, *, ended_at: Millis, days: int = 30, seed: int = 1) -> Month:
    """Return the month that ends at an instant; the same one for the same arguments."""
    ended_on = to_datetime(ended_at).date()
    first_day = ended_on - timedelta(days=days)
    began_at = round(datetime.combine(first_day, datetime.min.time(), to_datetime(ended_at).tzinfo).timestamp() * 1000)
    writer = _Writer(
        company=Company(size, days=days, seed=seed, first_day=first_day, began_at=began_at), days=days, seed=seed
    )
    told = [list(writer.day(number, began_at + number * DAY_MS)) for number in range(days)]
    return Month(
        days=told,
        employees=[*writer.company.records.values(), *writer.company.vanished],
        ended_on=ended_on,
        unknown=frozenset(writer.unknown),
    )


class _Writer:
    """Makes deliveries of what happens."""

    def __init__(self, *, company: Company, days: int, seed: int) -> None:
        self.company = company
        self._randomness = random.Random(f"deliveries {seed}")  # noqa: S311 - invented data
        self.unknown: list[str] = []
        """Events of people of whom nobody knows yet."""
        self._number = 0
        self._late: list[Mapping[str, Any]] = []
        self._unsettled: set[str] = set()
        """Whose events come on a later day."""
        self._faults = dict(
            zip(
                self._randomness.sample(range(1, days - 1), 3), (Fault.TRUNCATED, Fault.EMPTY, Fault.SMALL), strict=True
            )
        )

    def day(self, number: int, began_at: Millis) -> Iterator[Delivery]:
        """Give what is sent on one day, in the order in which it comes."""
        if number == 0:
            # The identity provider is there before the HR system says anything.
            yield self._pushed([each.person for each in self.company.records.values()][::3])
            yield self._snapshot(Fault.NONE, began_at)
        turns = list(self.company.live(number))
        before = self._late
        self._late = []
        early, told = self._told(turns)
        if early:
            yield Events(events=early)
        events = [*before, *told]
        parts: list[Delivery] = [
            Events(events=events[start : start + MOST_EVENTS]) for start in range(0, len(events), MOST_EVENTS)
        ]
        yield from (*parts, self._routine(turns))
        if parts and self._randomness.random() < 0.5:
            # Its answer was lost: it is sent again as it was.
            yield parts[0]
        yield self._snapshot(self._faults.get(number, Fault.NONE), began_at + DAY_MS - 1000)
        self._unsettled = {str(each["id"]) for each in self._late}

    def _told(self, turns: Sequence[Turn]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
        """Return the events that overtake the first one about the same person, and all others; each in their order."""
        early: list[Mapping[str, Any]] = []
        told: list[Mapping[str, Any]] = []
        last: list[Mapping[str, Any]] = []
        # Who has a whole event on the way: a partial one must not come before the one that it follows.
        behind = set(self._unsettled)
        for turn in turns:
            who = turn.employee.id
            event = self._event(turn, is_whole=who in behind or not turn.named)
            chance = self._randomness.random()
            if chance < 0.05 and not turn.named:
                self._late.append(event)
                self._unsettled.add(who)
                behind.add(who)
                continue
            # These come after what was said later.
            place = last if chance > 0.85 and not turn.named else told
            if place is last:
                behind.add(who)
                if turn.is_first:
                    # Some systems follow "created" by "updated" at once.
                    early.append(self._event(replace(turn, named=("title",)), is_whole=False))
            place += [event] * (2 if chance > 0.9 else 1)
        self.unknown.extend(str(each["event_id"]) for each in early)
        return early, told + last

    def _event(self, turn: Turn, *, is_whole: bool) -> Mapping[str, Any]:
        self._number += 1
        fields = turn.employee.fields()
        return {
            "event_id": f"e-{self._number}",
            "event": "saved" if is_whole else "changed",
            "id": turn.employee.id,
            "occurred_at": to_iso(turn.employee.changed_at),
            "fields": fields if is_whole else {name: fields[name] for name in turn.named},
        }

    def _routine(self, turns: Sequence[Turn]) -> Push:
        """Push those whom HR has just changed, and a few others: leavers among them, who must stay gone."""
        # Not of whom HR's word is still on its way: under a new address nobody could know that it is the same person.
        records = [each for each in self.company.people() if each.id not in self._unsettled]
        there = {each.id: each for each in records}
        # As they are by now: an address of this morning may be nobody's any more.
        changed = [there[turn.employee.id] for turn in turns[::4] if turn.employee.id in there]
        others = self._randomness.sample(records, min(len(records), 3))
        return self._pushed([each.person for each in (*changed, *others)])

    @staticmethod
    def _pushed(people: Sequence[Person]) -> Push:
        return Push(people=list({each.external_id: each for each in people}.values()))

    def _snapshot(self, fault: Fault, taken_at: Millis) -> Snapshot:
        rows = [each.row() for each in self.company.records.values()]
        bad: dict[int, str] = {}
        if fault is Fault.EMPTY:
            rows = []
        elif fault is Fault.SMALL:
            rows = rows[: max(1, len(rows) // 10)]
        elif fault is Fault.NONE:
            # Of somebody who works there: nothing in a leaver's row is refused that the leaving does not need.
            stranger = {"id": f"X{rows[0]['id']}", "email": f"x{self._number}@example.com", "status": "Active"}
            broken = {**rows[0], **stranger}
            rows += [{**broken, "endDate": "2026-02-30"}, {**broken, "id": ""}]
            bad = {len(rows) - 1: "impossible_date", len(rows): "row_without_id"}
        return Snapshot(rows=rows, bad=bad, fault=fault, taken_at=taken_at)
