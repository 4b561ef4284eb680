"""Invented people, the same ones for the same seed."""

import random
import unicodedata
from dataclasses import dataclass, replace

_GIVEN = (
    *("Amara", "Bruno", "Chloé", "Dagný", "Émile", "Fatima", "Gül", "Hana", "Ingrid", "João", "Keiko", "Łucja"),
    *("Mei", "Nils", "Oksana", "Priya", "Quinn", "Renée", "Søren", "Thảo", "Uma", "Václav", "Wanjiru", "Ximena"),
    *("Yusuf", "Zoë", "Anne-Marie", "Jean Luc", "李娜", "Ольга"),
)
_FAMILY = (
    *("Abara", "Bjørnstad", "Çelikel", "D'Avellan", "Eriksdotter", "Fonseca", "Grünwald", "Høyland", "Iwamori"),
    *("Jóhannsdottir", "Kowalczenko", "Lindqvistson", "Müllerson", "Nguyễnova", "O'Harrigan", "Pettersby", "Quispero"),
    *("Ruiz de la Vega", "Šimunkov", "Tanakawa", "Ünlüer", "Van der Meerhout", "Wójcikova", "Xanthopoulidis", "Ybarra"),
    *("Zieliński-Hart", "Featherstonehaugh-Cholmondeley-Smythe", "王田", "Петровская"),
)
_DEPARTMENTS = ("Sales", "Field Sales", "Customer Success", "Engineering", "People & Culture", "Finance", "Støtte")
_TITLES = ("Associate", "Account Executive", "Engineer", "Analyst", "Team Lead", "Director of Enablement")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One invented person as an identity provider or an HR system knows them."""

    external_id: str
    """What the sender calls them; stays when everything else changes."""
    user_name: str
    email: str
    given_name: str
    family_name: str
    department: str
    title: str
    employee_number: str
    manager: str | None = None
    """The external id of the manager."""

    def evolve(self, **changes: str | None) -> "Person":
        """Return this person with changes."""
        return replace(self, **changes)  # type: ignore[arg-type]  # the fields are all texts


def generate_people(count: int, *, seed: int = 1, domain: str = "example.com") -> list[Person]:
    """Return `count` people with distinct userNames; every tenth or so of them leads those who come after.

    Names hold letters beyond ASCII, blanks, apostrophes and more than 35 characters; some addresses hold a plus.
    Raises ValueError for a negative count.
    """
    if count < 0:
        raise ValueError("the number of people cannot be negative")
    # Invented data wants to be the same every time, not unpredictable.
    randomness = random.Random(seed)  # noqa: S311
    people: list[Person] = []
    leads: list[str] = []
    for number in range(1, count + 1):
        given, family = randomness.choice(_GIVEN), randomness.choice(_FAMILY)
        tag = "+learn" if randomness.random() < 0.05 else ""
        address = f"{_ascii(given)}.{_ascii(family)}{tag}.{number}@{domain}"
        person = Person(
            external_id=f"{seed:04d}{number:08d}",
            user_name=address,
            email=address,
            given_name=given,
            family_name=family,
            department=randomness.choice(_DEPARTMENTS),
            title=randomness.choice(_TITLES),
            employee_number=f"{number:06d}",
            manager=randomness.choice(leads) if leads else None,
        )
        people.append(person)
        if not leads or randomness.random() < 0.1:
            leads.append(person.external_id)
    return people


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return "".join(letter for letter in plain if letter.isalnum() or letter == "-") or "person"
