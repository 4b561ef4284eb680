"""Whose account is it: matching accounts to people, and what to do with an account that was already there."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeVar

from scim_bridge.domain.people import Account

K = TypeVar("K", bound=Hashable)

EXACT = frozenset({"externalId"})
"""Matching attributes that compare exactly (RFC 7643 section 3.1); all others compare without letter case."""


def fold(attribute: str, value: str) -> str:
    """Return a value in the form in which it is compared."""
    return value if attribute in EXACT else value.strip().casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Whose account is looked for: the id that the link names, and folded values by matching attribute."""

    account_id: str | None = None
    matching: Mapping[str, str] = field(default_factory=dict, repr=False)


def match_accounts(
    wanted: Mapping[K, Wanted], accounts: Iterable[Account], *, match_by: Sequence[str]
) -> dict[K, Account]:
    """Return the account of each person who has exactly one; who is missing has none, or is among the `ambiguous`.

    The link's account id comes first, then the first attribute of `match_by` that finds any account: a weaker
    attribute never overrules or widens a stronger one.
    """
    return {key: found[0] for key, found in _candidates(wanted, accounts, match_by) if len(found) == 1}


def ambiguous(wanted: Mapping[K, Wanted], accounts: Iterable[Account], *, match_by: Sequence[str]) -> frozenset[K]:
    """Return those whom several accounts match equally well, so that nobody can tell which is theirs."""
    return frozenset(key for key, found in _candidates(wanted, accounts, match_by) if len(found) > 1)


class Decision(StrEnum):
    """What to do with an account that was there before us."""

    UPDATE = "update"
    """Take it over and bring it to the desired state."""
    SKIP = "skip"
    """Take it over and change nothing."""
    HOLD = "hold"
    """A person must decide."""


def decide(on_conflict: Literal["update", "skip", "hold"], *, is_protected: bool, is_leaver: bool = False) -> Decision:
    """Decide about an account that is met for the first time.

    Owners and administrators are held, never taken over silently. A leaver's account is closed whatever the policy:
    that an account was not made by us is no reason to leave it open.
    """
    if is_protected:
        return Decision.HOLD
    return Decision.UPDATE if is_leaver else Decision(on_conflict)


def _candidates(
    wanted: Mapping[K, Wanted], accounts: Iterable[Account], match_by: Sequence[str]
) -> Iterator[tuple[K, list[Account]]]:
    by_id: dict[str, Account] = {}
    by_value: dict[tuple[str, str], dict[str, Account]] = defaultdict(dict)
    for account in accounts:
        by_id[account.account_id] = account
        for attribute, value in account.matching.items():
            by_value[attribute, value][account.account_id] = account
    for key, person in wanted.items():
        if person.account_id is not None and person.account_id in by_id:
            yield key, [by_id[person.account_id]]
            continue
        values = ((attribute, person.matching.get(attribute)) for attribute in match_by)
        found = (by_value[attribute, value] for attribute, value in values if value and (attribute, value) in by_value)
        yield key, list(next(found, {}).values())
