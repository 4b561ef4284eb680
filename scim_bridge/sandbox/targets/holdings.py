"""What a simulated target holds, in one form for every kind: accounts, groups and counts."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAccount:
    """One account as a simulator holds it; `groups` and `courses` are names."""

    account_id: str
    user_name: str | None
    email: str | None
    first_name: str
    last_name: str
    active: bool
    groups: frozenset[str] = frozenset()
    courses: frozenset[str] = frozenset()
    required_courses: frozenset[str] = frozenset()
    attributes: Mapping[str, Any]
    """What else is held, in the target's own names."""

    def to_json(self) -> dict[str, Any]:
        """Return the account as JSON members, sets as sorted lists."""
        return {
            "account_id": self.account_id,
            "user_name": self.user_name,
            "email": self.email,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "active": self.active,
            "groups": sorted(self.groups),
            "courses": sorted(self.courses),
            "required_courses": sorted(self.required_courses),
            "attributes": dict(self.attributes),
        }

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        sets = {name: frozenset(members[name]) for name in ("groups", "courses", "required_courses")}
        return cls(**{**members, **sets})


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldState:
    """Everything that a simulator holds at one moment."""

    accounts: tuple[HeldAccount, ...]
    groups: tuple[tuple[str, str, int], ...]
    """Identifier, name and number of members of each group; names may repeat."""

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of accounts, active ones, inactive ones and groups."""
        active = sum(account.active for account in self.accounts)
        return {
            "accounts": len(self.accounts),
            "active": active,
            "inactive": len(self.accounts) - active,
            "groups": len(self.groups),
        }

    def find(self, who: str) -> HeldAccount | None:
        """Return the account with this userName or email, letter case aside; None when there is none."""
        folded = who.casefold()
        matching = (a for a in self.accounts if folded in {(a.user_name or "").casefold(), (a.email or "").casefold()})
        return next(matching, None)

    def duplicates(self) -> tuple[str, ...]:
        """Return every userName or email, folded, that more than one account bears: none, if all is well."""
        owners: dict[str, set[str]] = defaultdict(set)
        for account in self.accounts:
            for name in {(account.user_name or "").casefold(), (account.email or "").casefold()} - {""}:
                owners[name].add(account.account_id)
        return tuple(sorted(name for name, accounts in owners.items() if len(accounts) > 1))

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON members, with counts and duplicates for a reader without this class."""
        return {
            "accounts": [account.to_json() for account in self.accounts],
            "groups": [{"id": group_id, "name": name, "members": members} for group_id, name, members in self.groups],
            "counts": self.counts,
            "duplicates": list(self.duplicates()),
        }

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(
            accounts=tuple(HeldAccount.from_json(each) for each in members["accounts"]),
            groups=tuple((each["id"], each["name"], each["members"]) for each in members["groups"]),
        )
