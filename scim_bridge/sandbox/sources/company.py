"""An invented company's staff as its HR system knows it: who is hired, moves, leaves and comes back."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from scim_bridge.domain.instants import Millis, to_iso
from scim_bridge.sandbox.senders.people import Person, generate_people

DAY_MS = 86_400_000

_TITLES = ("Associate", "Engineer", "Analyst", "Team Lead", "Director of Enablement", "Coach; Sales, EMEA")

_CONVERTED = "E"
"""Before the id of a record that follows one that was closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Employee:
    """One record of the HR system."""

    id: str
    person: Person
    title: str
    changed_at: Millis
    """When the HR system last changed it."""
    start: date
    end: date | None = None
    """The last day, where there is one."""
    is_active: bool = True
    former: tuple[str, ...] = ()
    """The addresses that the person had before. No file and no event tells them."""

    def renamed(self, address: str) -> "Employee":
        """Return the record of the person under another address and family name."""
        family_name = f"Neu-{self.person.family_name[:20]}"
        person = self.person.evolve(email=address, user_name=address, family_name=family_name)
        return replace(self, person=person, former=(*self.former, self.person.email))

    def fields(self) -> dict[str, Any]:
        """Return the record as an event has it: in the names of our own JSON, with what must not pass the door."""
        return {
            "email": self.person.email,
            "firstName": self.person.given_name,
            "lastName": self.person.family_name,
            "title": self.title,
            "department": self.person.department,
            "managerId": self.person.manager or "",
            "status": "Active" if self.is_active else "Terminated",
            "startDate": self.start.isoformat(),
            "endDate": "0000-00-00" if self.end is None else self.end.isoformat(),
            "ssn": "987-65-4321",
            "salary": "4711000",
        }

    def row(self) -> dict[str, str]:
        """Return the record as a file has it."""
        return {"id": self.id, **self.fields(), "changedAt": to_iso(self.changed_at)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One change of one record. `named` are the fields that an event about it names; none: all."""

    employee: Employee
    named: tuple[str, ...] = ()
    is_first: bool = False
    """Whether the record is new."""


class Company:
    """The staff, day by day; the same for the same seed. `first_day` is what day 0 is called."""

    def __init__(self, size: int, *, days: int, seed: int, first_day: date, began_at: Millis) -> None:
        """Begin with most of the people; the rest are hired in the course of the month."""
        # Invented data wants to be the same every time, not unpredictable.
        self._randomness = random.Random(seed)  # noqa: S311
        self._first_day, self._days, self._began_at = first_day, days, began_at
        people = generate_people(size, seed=seed)
        self._newcomers = people[len(people) - max(1, size // 20) :]
        self.records: dict[str, Employee] = {}
        self.vanished: list[Employee] = []
        """Whom the system holds no more; nothing told of it but that the files name them no longer."""
        self._followed: set[str] = set()
        """The ids of closed records that another one of the same person follows."""
        self._open: list[str] = []
        self._closed: list[str] = []
        for person in people[: len(people) - len(self._newcomers)]:
            title = self._randomness.choice(_TITLES)
            start = first_day - timedelta(days=self._randomness.randrange(30, 3000))
            self._keep(Employee(id=person.external_id, person=person, title=title, changed_at=began_at, start=start))

    def people(self) -> list[Employee]:
        """Return everybody whom the system holds once, by the newest of their records."""
        return [each for each in self.records.values() if each.id not in self._followed]

    def live(self, day: int) -> Iterator[Turn]:
        """Let a day pass, and give what has changed, in order."""
        today = self._first_day + timedelta(days=day)
        for number, change in enumerate(self._agenda(day)):
            at = self._began_at + day * DAY_MS + 28_800_000 + number * 1000
            turn = change(today, at)
            if turn is not None:
                self._keep(turn.employee)
                yield turn

    def _agenda(self, day: int) -> list[Any]:
        share = max(1, len(self.records) // 150)
        hires = self._newcomers[
            day * len(self._newcomers) // self._days : (day + 1) * len(self._newcomers) // self._days
        ]
        agenda: list[Any] = [lambda today, at, who=who: self._hire(who, today, at) for who in hires]
        for change, weight in (
            (self._move, 3),
            (self._leave, 1),
            (self._rename, 1),
            (self._rename_leaver, 0.3),
            (self._return, 1),
            (self._announce, 1),
            (self._vanish, 1),
        ):
            agenda += [change] * self._randomness.randint(0, math.ceil(share * weight))
        if day == self._days // 2:
            agenda.append(self._convert)
        self._randomness.shuffle(agenda)
        return agenda

    def _hire(self, person: Person, today: date, at: Millis) -> Turn:
        # Some are known long before they begin: they must not be active early.
        ahead = 400 if self._randomness.random() < 0.2 else 0
        title = self._randomness.choice(_TITLES)
        start = today + timedelta(days=ahead)
        hired = Employee(id=person.external_id, person=person, title=title, changed_at=at, start=start)
        return Turn(employee=hired, is_first=True)

    def _move(self, _today: date, at: Millis) -> Turn | None:
        who = self._one(is_active=True)
        if who is None:
            return None
        title = f"{self._randomness.choice(_TITLES)} {self._randomness.randrange(1000)}"
        return Turn(employee=replace(who, title=title, changed_at=at), named=("title",))

    def _rename(self, _today: date, at: Millis) -> Turn | None:
        who = self._one(is_active=True)
        return None if who is None else Turn(employee=replace(self._renamed(who), changed_at=at))

    def _rename_leaver(self, _today: date, at: Millis) -> Turn | None:
        """Correct the record of somebody who has left."""
        who = self._one(is_active=False)
        return None if who is None else Turn(employee=replace(self._renamed(who), changed_at=at))

    def _renamed(self, who: Employee) -> Employee:
        return who.renamed(f"{who.id}.{self._randomness.randrange(10**6)}@example.com")

    def _leave(self, today: date, at: Millis) -> Turn | None:
        who = self._one(is_active=True)
        if who is None:
            return None
        return Turn(employee=replace(who, is_active=False, end=today - timedelta(days=1), changed_at=at))

    def _announce(self, today: date, at: Millis) -> Turn | None:
        """Announce a last day that is far off, or take such an announcement back."""
        who = self._one(is_active=True)
        if who is None:
            return None
        end = None if who.end is not None else today + timedelta(days=500)
        return Turn(employee=replace(who, end=end, changed_at=at), named=("endDate",))

    def _vanish(self, _today: date, _at: Millis) -> None:
        who = self._one(is_active=True)
        if who is not None:
            self._open.remove(who.id)
            self.vanished.append(replace(self.records.pop(who.id), is_active=False))

    def _return(self, today: date, at: Millis) -> Turn | None:
        who = self._one(is_active=False)
        if who is None:
            return None
        if self._randomness.random() < 0.3:
            who = self._renamed(who)
        # The old last day stays in the record of some systems until somebody clears it; here it is cleared.
        return Turn(employee=replace(who, is_active=True, end=None, start=today, changed_at=at))

    def _convert(self, today: date, at: Millis) -> Turn | None:
        """Open an employee's record for a contractor whose own was closed, with the same address.

        Not on a day on which that record changed: only the address tells that the two are one person.
        """
        who = self._one(is_active=False)
        if who is None or who.changed_at // DAY_MS == at // DAY_MS:
            return None
        record = f"{_CONVERTED}{who.id}"
        opened = replace(who, id=record, is_active=True, end=None, start=today, changed_at=at, title="Employee")
        return Turn(employee=opened, is_first=True)

    def _one(self, *, is_active: bool) -> Employee | None:
        """Return somebody whose record is open, or closed and not followed by another one."""
        there = self._open if is_active else self._closed
        return self.records[self._randomness.choice(there)] if there else None

    def _keep(self, employee: Employee) -> None:
        before = self.records.get(employee.id)
        if before is not None:
            (self._open if before.is_active else self._closed).remove(employee.id)
        elif employee.id.startswith(_CONVERTED):
            followed = employee.id.removeprefix(_CONVERTED)
            self._closed.remove(followed)
            self._followed.add(followed)
        (self._open if employee.is_active else self._closed).append(employee.id)
        self.records[employee.id] = employee
