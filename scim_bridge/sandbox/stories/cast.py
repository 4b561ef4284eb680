"""Who plays in the story: invented people with a part each, the same ones every time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scim_bridge.sandbox.senders.people import Person, generate_people
from scim_bridge.sandbox.stories.setting import TRAKSTAR_NAME_LIMIT

OUTDATED_NAME = "Formerly-Known-As"

REFUSALS = (
    ("The address is on this account's suppression list", "refused"),
    ("The email domain is not allowed in this account", "invalid_value"),
    ("This person opted out of training", "refused"),
)
"""What Trakstar says, and what the bridge should make of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Everybody, by what happens to them. The two senders' people are distinct."""

    okta: Sequence[Person]
    entra: Sequence[Person]
    # Okta's groups as they are first pushed.
    groups: Mapping[str, Sequence[Person]]
    # Edited twice while they wait for their first delivery: no call of their own.
    edited_early: Sequence[Person]
    # Assigned and taken back before anything was delivered.
    passing: Sequence[Person]
    # Already in both targets when the story begins; of these, some under an outdated name.
    present: Sequence[Person]
    outdated: Sequence[Person]
    # By Trakstar, each with REFUSALS' sentence of the same place.
    refused: Sequence[Person]
    renamed: Sequence[Person]
    leavers: Sequence[Person]
    # From Sales to Engineering.
    mover: Person
    # Entra's group, pushed after its members have accounts.
    late_group: str
    late_members: Sequence[Person]

    @property
    def everybody(self) -> list[Person]:
        """Return all people."""
        return [*self.okta, *self.entra]

    def seeds(self) -> list[dict[str, Any]]:
        """Return the accounts that both targets hold beforehand, as a simulator takes them."""
        outdated = {person.user_name for person in self.outdated}
        return [
            seed_of(person, family_name=OUTDATED_NAME if person.user_name in outdated else None)
            for person in self.present
        ]


def seed_of(person: Person, *, family_name: str | None = None, **more: Any) -> dict[str, Any]:
    """Return somebody's account as any simulator takes it beforehand, under another family name when given."""
    return {
        "first_name": person.given_name[:TRAKSTAR_NAME_LIMIT],
        "last_name": family_name or person.family_name[:TRAKSTAR_NAME_LIMIT],
        "email": person.email,
        "user_name": person.user_name,
        **more,
    }


def gather() -> Cast:
    """Return the cast: 260 people of Okta and 260 of Entra."""
    okta = generate_people(260, seed=11, domain="north.example")
    # Entra sets managers by calls of their own; some of the people have one.
    entra = [
        person if place % 4 == 0 else person.evolve(manager=None)
        for place, person in enumerate(generate_people(260, seed=23, domain="south.example"))
    ]
    return Cast(
        okta=okta,
        entra=entra,
        groups={"Sales": okta[:100], "Engineering": okta[100:180]},
        edited_early=okta[:10],
        passing=okta[188:193],
        present=[*okta[180:186], *entra[:4]],
        outdated=[*okta[180:184], *entra[:2]],
        refused=[okta[186], okta[187], entra[10]],
        renamed=okta[200:206],
        leavers=[okta[90], *okta[210:215]],
        mover=okta[50],
        late_group="Customer Success",
        late_members=entra[20:23],
    )
