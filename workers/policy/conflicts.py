"""Whose account is it: matching accounts to people, and what to do with an account that was already there."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from scim_bridge.domain.people import Account

BY_LINK = "link"
"""What a match by the link's account id is called beside the matching attributes."""

EXACT = frozenset({"externalId"})
"""Matching attributes that compare exactly (RFC 7643 section 3.1); all others compare without letter case."""


def fold(attribute: str, value: str) -> str:
    """Return a value in the form in which it is compared."""
    return value if attribute in EXACT else value.strip().casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The accounts that one person matches, and by what. One: found. None: not there. More: nobody can tell which."""

    accounts: tuple[Account, ...] = ()
    by: str | None = None

    @property
    def account(self) -> Account | None:
        """Return the account when there is exactly one."""
        return self.accounts[0] if len(self.accounts) == 1 else None

    @property
    def is_ambiguous(self) -> bool:
        """Tell whether several accounts match equally well."""
        return len(self.accounts) > 1


class Accounts:
    """Accounts that a look-up showed, found by id or by matching value in constant time."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._by_id: dict[str, Account] = {}
        self._by_value: dict[tuple[str, str], dict[str, Account]] = defaultdict(dict)
        for account in accounts:
            self._by_id[account.account_id] = account
            for attribute, value in account.matching.items():
                self._by_value[attribute, value][account.account_id] = account

    def match(self, matching: Mapping[str, str], *, match_by: Sequence[str], account_id: str | None = None) -> Match:
        """Return what a person matches: the link's account, else by the first attribute of `match_by` that finds any.

        `matching` holds folded values. A weaker attribute never overrules or widens a stronger one.
        """
        if account_id is not None and account_id in self._by_id:
            return Match(accounts=(self._by_id[account_id],), by=BY_LINK)
        for attribute in match_by:
            value = matching.get(attribute)
            found = self._by_value.get((attribute, value)) if value else None
            if found:
                return Match(accounts=tuple(found.values()), by=attribute)
        return Match()


class Resolution(StrEnum):
    """What to do about a person whose account was looked up."""

    UPDATE = "update"
    """Take the account over and bring it to the desired state."""
    SKIP = "skip"
    """Take the account over and change nothing."""
    HOLD = "hold"
    """A person must decide."""
    DEAD = "dead"
    """There is nothing to decide about; permanent and visible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do, and the code of the catalogue that says why."""

    step: Resolution
    code: str
    account: Account | None = None


def resolve_conflict(match: Match, *, on_conflict: Literal["update", "skip", "hold"]) -> Decision:
    """Decide about a person of whom the target said that the account exists already.

    Owners and administrators are held, never taken over silently; an account that the link already names is ours.
    """
    account = match.account
    if account is None:
        return Decision(step=Resolution.DEAD, code="merge_needed")
    if match.by == BY_LINK:
        return Decision(step=Resolution.UPDATE, code="ok", account=account)
    if account.protected:
        return Decision(step=Resolution.HOLD, code="protected", account=account)
    step, code = {
        "update": (Resolution.UPDATE, "adopted"),
        "skip": (Resolution.SKIP, "conflict_skipped"),
        "hold": (Resolution.HOLD, "conflict_held"),
    }[on_conflict]
    return Decision(step=step, code=code, account=account)
