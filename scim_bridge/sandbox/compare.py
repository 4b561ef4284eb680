"""What was asked for against what a simulated target holds; the proof, from outside, that nothing was lost."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from scim_bridge.sandbox.targets.holdings import HeldAccount, HeldState


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """One person as a target should hold them; what is None is not compared."""

    user_name: str
    email: str | None = None
    active: bool = True
    first_name: str | None = None
    last_name: str | None = None
    groups: frozenset[str] | None = None
    """Names of groups in the target."""
    former: frozenset[str] = frozenset()
    """UserNames and addresses that the person had before, and under which an account of theirs may still be found."""


class DifferenceKind(StrEnum):
    """What can be wrong with one person in a target."""

    MISSING = "missing"
    EXTRA = "extra"
    DUPLICATE = "duplicate"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is wrong; `field`, `desired` and `held` are given where values differ."""

    kind: DifferenceKind
    who: str
    field: str | None = None
    desired: object = None
    held: object = None


def differences(
    desired: Iterable[Desired], state: HeldState, *, name_limit: int | None = None, extras: bool = True
) -> list[Difference]:
    """Return every difference, in order of people; an empty list means that target and wishes agree.

    People are matched by userName or email, letter case aside; by former ones too, where these are nobody else's now.
    Whoever should be active differs when the account still bears a former address, and two accounts of one person are
    a duplicate under whatever names. A person who should be inactive and has no account is no difference. `name_limit`
    is the length to which the target shortens names; without `extras`, accounts that nobody asked for are left out.
    Two wishes for one userName are refused with ValueError.
    """
    wishes = list(desired)
    if len({each.user_name.casefold() for each in wishes}) != len(wishes):
        raise ValueError("two wishes bear the same userName")
    current = {name for each in wishes for name in _names(each.user_name, each.email)}
    holders: dict[str, dict[str, HeldAccount]] = defaultdict(dict)
    for account in state.accounts:
        for name in _names(account.user_name, account.email):
            holders[name][account.account_id] = account
    found: list[Difference] = []
    matched: set[str] = set()
    for wish in wishes:
        names = _names(wish.user_name, wish.email) | (_names(*wish.former) - current)
        accounts = {k: v for name in names for k, v in holders.get(name, {}).items()}
        matched.update(accounts)
        found += _judge(wish, list(accounts.values()), name_limit)
    if extras:
        found += [
            Difference(kind=DifferenceKind.EXTRA, who=account.user_name or account.email or account.account_id)
            for account in state.accounts
            if account.account_id not in matched
        ]
    return found


def directory_state(documents: Iterable[Mapping[str, Any]]) -> HeldState:
    """Return SCIM Users of the directory in the form of a target's accounts, so that they can be compared too."""
    return HeldState(accounts=tuple(map(_account, documents)), groups=())


def _account(document: Mapping[str, Any]) -> HeldAccount:
    name = document.get("name") or {}
    addresses = [each["value"] for each in document.get("emails") or ()]
    return HeldAccount(
        account_id=document["userName"],
        user_name=document["userName"],
        email=addresses[0] if addresses else None,
        first_name=name.get("givenName", ""),
        last_name=name.get("familyName", ""),
        active=document.get("active", True),
        attributes={"title": document.get("title")},
    )


def _judge(wish: Desired, accounts: list[HeldAccount], name_limit: int | None) -> list[Difference]:
    if not accounts:
        return [Difference(kind=DifferenceKind.MISSING, who=wish.user_name)] if wish.active else []
    if len(accounts) > 1:
        identifiers = sorted(each.account_id for each in accounts)
        return [Difference(kind=DifferenceKind.DUPLICATE, who=wish.user_name, held=identifiers)]
    account = accounts[0]
    if not wish.active and not account.active:
        # A leaver's other attributes, groups among them, wait for the day of a return.
        return []
    pairs: list[tuple[str, object, object]] = [
        ("active", wish.active, account.active),
        ("email", _folded(wish.email), _folded(account.email)),
        ("first_name", _cut(wish.first_name, name_limit), _cut(account.first_name, name_limit)),
        ("last_name", _cut(wish.last_name, name_limit), _cut(account.last_name, name_limit)),
        ("groups", wish.groups, account.groups),
    ]
    return [
        Difference(kind=DifferenceKind.DIFFERS, who=wish.user_name, field=field, desired=wanted, held=held)
        for field, wanted, held in pairs
        if wanted is not None and wanted != held
    ]


def _names(*names: str | None) -> set[str]:
    return {name.casefold() for name in names if name}


def _folded(text: str | None) -> str | None:
    return None if text is None else text.casefold()


def _cut(text: str | None, limit: int | None) -> str | None:
    return text if text is None or limit is None else text[:limit]
