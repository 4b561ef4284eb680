"""An invented directory of any size: whoever knows the seed and a number knows the person."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from scim_bridge.domain.resources import CORE_GROUP, CORE_USER, ENTERPRISE_USER, GROUP, USER
from scim_bridge.recording import edits
from scim_bridge.store import seeding
from scim_bridge.store.engine import Store
from scim_bridge.store.seeding import Seed

AT_A_TIME = 20_000
"""Users in one transaction."""

TEAM = 500
"""Users in one group; everybody is in one."""

_GIVEN = ("Amara", "Bruno", "Chloé", "Fatima", "Hana", "Ingrid", "João", "Keiko", "Mei", "Oksana", "Søren", "Yusuf")
_FAMILY = ("Abara", "Bjørnstad", "Eriksdotter", "Fonseca", "Grünwald", "Iwamori", "Kowalczenko", "Ruiz de la Vega")
_DEPARTMENTS = ("Sales", "Field Sales", "Customer Success", "Engineering", "People & Culture", "Finance")
_TITLES = ("Associate", "Account Executive", "Engineer", "Analyst", "Team Lead")


@dataclass(frozen=True, slots=True)
class Crowd:
    """The people of a seed, by number."""

    seed: int

    def scim_id(self, number: int) -> str:
        """Return a user's id; neighbours are as far apart as random ones."""
        return self._digest("user", number)

    def group_id(self, number: int) -> str:
        """Return a group's id."""
        return self._digest("group", number)

    def user_name(self, number: int) -> str:
        """Return a user's userName, which is also their address at work."""
        return f"person.{number:08d}@example.com"

    def external_id(self, number: int) -> str:
        """Return what the source calls a user."""
        return f"{self.seed:06d}-{number:08d}"

    def user(self, number: int) -> dict[str, Any]:
        """Return a user's document as an identity provider sends it, and as the directory keeps it."""
        given, family = _GIVEN[number % len(_GIVEN)], _FAMILY[number // len(_GIVEN) % len(_FAMILY)]
        emails: list[dict[str, Any]] = [{"value": self.user_name(number), "type": "work", "primary": True}]
        if number % 3 == 0:
            emails.append({"value": f"{number:08d}@home.example", "type": "home"})
        enterprise: dict[str, Any] = {
            "employeeNumber": f"{number:08d}",
            "department": _DEPARTMENTS[number % len(_DEPARTMENTS)],
        }
        if number >= 10:
            enterprise["manager"] = {"value": self.scim_id(number // 10)}
        return {
            "schemas": [CORE_USER, ENTERPRISE_USER],
            "externalId": self.external_id(number),
            "userName": self.user_name(number),
            "name": {"formatted": f"{given} {family}", "familyName": family, "givenName": given},
            "displayName": f"{given} {family}",
            "title": _TITLES[number % len(_TITLES)],
            "active": number % 50 != 49,
            "emails": emails,
            ENTERPRISE_USER: enterprise,
        }

    def group(self, name: str) -> dict[str, Any]:
        """Return a group's document."""
        return {"schemas": [CORE_GROUP], "displayName": name}

    def _digest(self, kind: str, number: int) -> str:
        # 32 characters that look like any other id; nothing here is a secret.
        return hashlib.blake2b(f"{self.seed}/{kind}/{number}".encode(), digest_size=16).hexdigest()


def build(store: Store, tenant: str, crowd: Crowd, numbers: range, *, source: str) -> Iterator[int]:
    """Add people, in teams, to the directory; yield after each transaction how many more there are."""
    for part in _parts(numbers):
        teams = [part[at : at + TEAM] for at in range(0, len(part), TEAM)]
        with store.begin(tenant) as tx:
            users = seeding.put(tx, USER, [_user(crowd, number) for number in part], source=source)
            seeds = [_seed(crowd.group_id(team.start), crowd.group(f"Team {team.start:08d}")) for team in teams]
            groups = seeding.put(tx, GROUP, seeds, source=source)
            memberships = (
                (group, users[at])
                for group, first in zip(groups, range(0, len(part), TEAM), strict=True)
                for at in range(first, min(first + TEAM, len(part)))
            )
            seeding.put_members(tx, memberships)
        yield len(part)


def build_owed(
    store: Store, tenant: str, crowd: Crowd, numbers: range, *, source: str, lane_ids: Sequence[int]
) -> None:
    """Add people who are active and in no group, whom each of the lanes still has to be told of."""
    for part in _parts(numbers):
        seeds = [_seed(crowd.scim_id(number), {**crowd.user(number), "active": True}) for number in part]
        with store.begin(tenant) as tx:
            seeding.put(tx, USER, seeds, source=source, lane_ids=lane_ids)


def build_group(
    store: Store, tenant: str, crowd: Crowd, *, name: str, users: int, members: Iterable[int], source: str
) -> str:
    """Add people, and one group that some of them (by number) are in; return the group's id."""
    numbers: list[int] = []
    for part in _parts(range(users)):
        with store.begin(tenant) as tx:
            numbers += seeding.put(tx, USER, [_user(crowd, number) for number in part], source=source)
    with store.begin(tenant) as tx:
        seed = _seed(crowd.group_id(0), crowd.group(name))
        (group,) = seeding.put(tx, GROUP, [seed], source=source)
        seeding.put_members(tx, ((group, numbers[member]) for member in members))
    return seed.scim_id


def _parts(numbers: range) -> Iterator[range]:
    for at in range(0, len(numbers), AT_A_TIME):
        yield numbers[at : at + AT_A_TIME]


def _user(crowd: Crowd, number: int) -> Seed:
    return _seed(crowd.scim_id(number), crowd.user(number))


def _seed(scim_id: str, document: dict[str, Any]) -> Seed:
    return Seed(scim_id=scim_id, document=document, attributes=edits.touched({}, document))
