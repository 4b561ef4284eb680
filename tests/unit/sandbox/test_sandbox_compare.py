"""Wishes against what a target holds."""

from typing import Any

import pytest

from scim_bridge.sandbox.compare import Desired, Difference, DifferenceKind, differences, directory_state
from scim_bridge.sandbox.targets.holdings import HeldAccount, HeldState


def account(name: str, **changes: Any) -> HeldAccount:
    whole: dict[str, Any] = {
        "account_id": name,
        "user_name": f"{name}@example.com",
        "email": f"{name}@example.com",
        "first_name": name.title(),
        "last_name": "Example",
        "active": True,
        "attributes": {},
    }
    return HeldAccount(**{**whole, **changes})


def state(*accounts: HeldAccount) -> HeldState:
    return HeldState(accounts=accounts, groups=())


def wish(name: str, **changes: Any) -> Desired:
    whole: dict[str, Any] = {
        "user_name": f"{name}@example.com",
        "email": f"{name}@example.com",
        "first_name": name.title(),
        "last_name": "Example",
    }
    return Desired(**{**whole, **changes})


def test_agreement_is_an_empty_list() -> None:
    assert differences([wish("ann"), wish("bo")], state(account("bo"), account("ann"))) == []


def test_names_match_whatever_their_letter_case() -> None:
    held = account("ann", user_name=None, email="ANN@Example.com")
    assert differences([wish("ann")], state(held)) == []


@pytest.mark.parametrize(
    ("desired", "held", "field"),
    [
        (wish("ann", active=False), account("ann"), "active"),
        (wish("ann"), account("ann", active=False), "active"),
        (wish("ann", first_name="Anna"), account("ann"), "first_name"),
        (wish("ann", last_name="Other"), account("ann"), "last_name"),
        (wish("ann", email="new@example.com"), account("ann"), "email"),
        (wish("ann", groups=frozenset({"G"})), account("ann"), "groups"),
        (wish("ann", groups=frozenset()), account("ann", groups=frozenset({"G"})), "groups"),
    ],
)
def test_every_part_that_differs_is_named(desired: Desired, held: HeldAccount, field: str) -> None:
    found = differences([desired], state(held))
    assert [(each.kind, each.field) for each in found] == [(DifferenceKind.DIFFERS, field)]


def test_a_missing_person_is_found() -> None:
    assert differences([wish("ann")], state()) == [Difference(kind=DifferenceKind.MISSING, who="ann@example.com")]


def test_somebody_inactive_needs_no_account() -> None:
    assert differences([wish("ann", active=False)], state()) == []


def test_an_account_nobody_asked_for_is_extra_unless_left_out() -> None:
    assert [each.kind for each in differences([], state(account("ann")))] == [DifferenceKind.EXTRA]
    assert differences([], state(account("ann")), extras=False) == []


def test_two_accounts_of_one_person_are_a_duplicate() -> None:
    twice = state(account("ann"), account("ann2", user_name="x", email="Ann@example.com"))
    assert [each.kind for each in differences([wish("ann")], twice)] == [DifferenceKind.DUPLICATE]
    assert twice.duplicates() == ("ann@example.com",)


FORMER = frozenset({"Miss@Example.com"})


def test_a_leaver_may_be_found_archived_under_a_former_address() -> None:
    archived = account("miss", active=False)
    assert differences([wish("ann", active=False, former=FORMER)], state(archived)) == []
    assert [each.kind for each in differences([wish("ann", active=False)], state(archived))] == [DifferenceKind.EXTRA]


@pytest.mark.parametrize(
    ("desired", "held", "found"),
    [
        # A leaver whose account works on under the former address.
        (wish("ann", active=False, former=FORMER), [account("miss")], ["active", "email", "first_name"]),
        # Somebody who works there, and is known by the former address only.
        (wish("ann", former=FORMER), [account("miss", first_name="Ann")], ["email"]),
        (wish("ann", former=FORMER), [account("miss", first_name="Ann", active=False)], ["active", "email"]),
        # Two accounts of one person, whether or not one of them is archived.
        (wish("ann", former=FORMER), [account("miss"), account("ann")], [DifferenceKind.DUPLICATE]),
        (wish("ann", former=FORMER), [account("miss", active=False), account("ann")], [DifferenceKind.DUPLICATE]),
        (
            wish("ann", active=False, former=FORMER),
            [account("miss", active=False), account("ann", active=False)],
            [DifferenceKind.DUPLICATE],
        ),
    ],
)
def test_a_former_address_excuses_nothing_else(desired: Desired, held: list[HeldAccount], found: list[str]) -> None:
    assert [each.field or each.kind for each in differences([desired], state(*held))] == found


def test_a_former_address_that_is_somebody_elses_now_leads_to_them() -> None:
    left = wish("ann", active=False, former=FORMER)
    assert differences([left, wish("miss")], state(account("miss"))) == []


def test_shortened_names_agree_within_the_limit() -> None:
    long = wish("ann", last_name="x" * 40)
    assert differences([long], state(account("ann", last_name="x" * 35)), name_limit=35) == []
    assert len(differences([long], state(account("ann", last_name="x" * 35)))) == 1


def test_what_is_not_wished_for_is_not_compared() -> None:
    held = account("ann", email=None, groups=frozenset({"G"}))
    assert differences([Desired(user_name="ann@example.com")], state(held)) == []


def test_users_of_the_directory_are_compared_like_accounts() -> None:
    document = {
        "userName": "ann@example.com",
        "name": {"givenName": "Ann", "familyName": "Example"},
        "emails": [{"value": "Ann@example.com", "primary": True}],
        "active": False,
    }
    [found] = differences([wish("ann")], directory_state([document]))
    assert (found.field, found.desired, found.held) == ("active", True, False)


def test_two_wishes_for_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="same userName"):
        differences([wish("ann"), Desired(user_name="ANN@example.com")], state())


def test_a_state_survives_its_way_through_json() -> None:
    held = state(account("ann", groups=frozenset({"G"})))
    assert HeldState.from_json(held.to_json()) == held
