from typing import Literal

import pytest

from scim_bridge.domain.people import Account, Record
from workers.policy import conflicts
from workers.policy.conflicts import Decision, Wanted

MATCH_BY = ["externalId", "email", "userName"]


def account(account_id: str, **matching: str) -> Account:
    return Account(account_id=account_id, known=Record(active=True, attributes={}), matching=matching)


ANN = account("1", externalId="E1", email="ann@x", userName="ann")
BOB = account("2", email="bob@x", userName="bob")
TWIN = account("3", email="bob@x", userName="bobby")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(account_id="2", matching={"externalId": "E1"}), "2"),  # the link comes first
        (Wanted(account_id="9", matching={"externalId": "E1"}), "1"),  # a link that leads nowhere is passed over
        (Wanted(matching={"externalId": "E1", "userName": "bob"}), "1"),  # a weaker attribute never overrules
        (
            Wanted(matching={"externalId": "E7", "userName": "bob"}),
            "2",
        ),  # an attribute that finds nobody is passed over
        (Wanted(matching={"userName": "bobby"}), "3"),
        (Wanted(matching={"email": "bob@x"}), None),  # two hold it
        (Wanted(matching={"email": "nobody@x"}), None),
        (Wanted(matching={"employeeNumber": "7"}), None),  # not configured
        (Wanted(), None),
    ],
)
def test_accounts_are_matched_in_the_configured_order(wanted: Wanted, found: str | None) -> None:
    matched = conflicts.match_accounts({"who": wanted}, [ANN, BOB, TWIN], match_by=MATCH_BY)
    assert {key: each.account_id for key, each in matched.items()} == ({"who": found} if found else {})


def test_who_matches_two_accounts_is_ambiguous_and_not_absent() -> None:
    wanted = {"bob": Wanted(matching={"email": "bob@x"}), "none": Wanted(matching={"email": "no@x"})}
    assert conflicts.ambiguous(wanted, [ANN, BOB, TWIN], match_by=MATCH_BY) == {"bob"}


@pytest.mark.parametrize(
    ("attribute", "value", "folded"),
    [("email", " Ann@X.Example ", "ann@x.example"), ("userName", "STRASSE", "strasse"), ("externalId", "E1a", "E1a")],
)
def test_only_external_ids_compare_exactly(attribute: str, value: str, folded: str) -> None:
    assert conflicts.fold(attribute, value) == folded


@pytest.mark.parametrize(
    ("on_conflict", "is_protected", "is_leaver", "decision"),
    [
        ("update", False, False, Decision.UPDATE),
        ("skip", False, False, Decision.SKIP),
        ("hold", False, False, Decision.HOLD),
        ("update", True, False, Decision.HOLD),  # owners and administrators are never adopted silently
        ("skip", False, True, Decision.UPDATE),  # a leaver's account is closed whatever the policy
        ("hold", False, True, Decision.UPDATE),
        ("skip", True, True, Decision.HOLD),
    ],
)
def test_the_policy_decides_unless_an_account_is_protected_or_its_owner_leaves(
    on_conflict: Literal["update", "skip", "hold"],
    is_protected: bool,  # noqa: FBT001 - a table's column
    is_leaver: bool,  # noqa: FBT001 - a table's column
    decision: Decision,
) -> None:
    assert conflicts.decide(on_conflict, is_protected=is_protected, is_leaver=is_leaver) is decision
