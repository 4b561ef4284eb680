"""A company's files of HR rows: everybody at first, then a hundredth of them changed, and what must become of each."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

MAPPING = """\
[tenants.sources.mapping]
externalId = "id"
userName = "email"
emails = "email"
"name.givenName" = "first"
"name.familyName" = "last"
title = "title"
department = "department"
manager = "manager"
active = "status"
"""
"""What the rows mean, as configuration; the salary is read by nothing."""

CHANGED = 0.01

_HEADING = "id,email,first,last,title,department,manager,status,salary"
_TITLES = ("Associate", "Account Executive", "Engineer", "Analyst", "Team Lead")
_DEPARTMENTS = ("Sales", "Customer Success", "Engineering", "People & Culture", "Finance")
_NEW_TITLE = "Principal"
_OF_A_TEAM = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Who is in the company by number: the first `people` at first; later some are promoted, hired, or gone."""

    people: int
    seed: int
    promoted: frozenset[int]
    hired: range
    gone: frozenset[int]

    def first(self) -> Iterator[str]:
        """Yield the lines of the first file."""
        yield _HEADING
        for number in range(self.people):
            yield self._row(number, title=_TITLES[number % len(_TITLES)], salary=1)

    def second(self) -> Iterator[str]:
        """Yield the lines of the file with the changes; every salary has changed too, which concerns nobody."""
        yield _HEADING
        for number in range(self.people + len(self.hired)):
            if number not in self.gone:
                title = _NEW_TITLE if number in self.promoted else _TITLES[number % len(_TITLES)]
                yield self._row(number, title=title, salary=2)

    def titles(self) -> dict[str, tuple[str, bool]]:
        """Return what the directory must hold in the end: title and status by userName."""
        return {
            self._address(number): (
                _NEW_TITLE if number in self.promoted else _TITLES[number % len(_TITLES)],
                number not in self.gone,
            )
            for number in range(self.people + len(self.hired))
        }

    def changes(self) -> Mapping[str, str]:
        """Return whom the second file changes, by id, and what must become of their rows."""
        return {
            **{self.id_of(number): "updated" for number in self.promoted},
            **{self.id_of(number): "created" for number in self.hired},
            **{self.id_of(number): "deactivated" for number in self.gone},
        }

    @property
    def unchanged(self) -> int:
        """Return how many rows of the second file say what is known."""
        return self.people - len(self.promoted) - len(self.gone)

    @staticmethod
    def id_of(number: int) -> str:
        """Return what the source calls somebody; leading zeros belong to it."""
        return f"{number:08d}"

    @staticmethod
    def _address(number: int) -> str:
        return f"person.{number:08d}@example.com"

    def _row(self, number: int, *, title: str, salary: int) -> str:
        manager = "" if number < _OF_A_TEAM else self.id_of(number // _OF_A_TEAM)
        department = _DEPARTMENTS[number % len(_DEPARTMENTS)]
        return (
            f"{self.id_of(number)},{self._address(number)},Person,No {number},{title},{department},"
            f"{manager},active,{salary}{number % 1000:03d}"
        )


def make(*, people: int, seed: int) -> Plan:
    """Return a plan: of a hundredth of the people most are promoted, some leave, and as many are hired."""
    count = max(3, round(people * CHANGED))
    few = max(1, count // 20)
    # The same people for the same seed.
    touched = random.Random(seed).sample(range(people), count - few)  # noqa: S311
    return Plan(
        people=people,
        seed=seed,
        promoted=frozenset(touched[few:]),
        hired=range(people, people + few),
        gone=frozenset(touched[:few]),
    )


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file that was written."""

    path: Path
    rows: int
    size: int = field(default=0)


def write(lines: Iterator[str], path: Path) -> Sheet:
    """Write lines to a file, one after the other, as a spreadsheet would: with carriage returns."""
    rows = -1
    with path.open("w", encoding="utf-8", newline="\r\n") as file:
        for line in lines:
            file.write(f"{line}\n")
            rows += 1
    return Sheet(path, rows, path.stat().st_size)
