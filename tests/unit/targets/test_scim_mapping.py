"""Records and SCIM resources, there and back; filters; what a target says of itself."""

import json
from dataclasses import replace
from typing import Any

import pytest
from fakes.people import person
from fakes.shipped import shipped_settings

from scim_bridge.domain.people import Link, Record, Step
from scim_bridge.planning.calls import Call, Item
from workers.targets import port
from workers.targets.mindtickle.options import read_options
from workers.targets.options import OptionsRefused
from workers.targets.scim import attributes, lookups, mapping, merging
from workers.targets.scim.capabilities import Capabilities, KnownCapabilities, read_config

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
FLAT = {
    "userName": "ann",
    "email": "ann@x.example",
    "name.givenName": "Ann",
    "name.familyName": "Lee",
    f"{ENTERPRISE}:department": "R&D",
    f"{ENTERPRISE}:manager.value": "m1",
}
RESOURCE = {
    "schemas": [attributes.CORE, ENTERPRISE],
    "userName": "ann",
    "emails": [{"value": "ann@x.example", "type": "work", "primary": True}],
    "name": {"givenName": "Ann", "familyName": "Lee"},
    ENTERPRISE: {"department": "R&D", "manager": {"value": "m1"}},
}


def part(number: int = 1, step: Step = Step.UPDATE, **parts: Any) -> Item:
    desired = Record(active=True, attributes={"userName": "ann"})
    return Item(step=step, **{"person": person(number), "desired": desired, "account_id": f"a{number}", **parts})


def operation(item: Item, *, patches: bool = True) -> mapping.Operation:
    (made,) = mapping.operations_of([item], group_ids={"Sales": "g1"}, patches=patches)
    return made


def test_flat_names_become_a_resource_and_are_found_in_it_again() -> None:
    assert attributes.resource_of(FLAT) == RESOURCE
    assert {name: attributes.value_in(RESOURCE, name) for name in FLAT} == FLAT


@pytest.mark.parametrize(
    "resource", [{}, {"name": None}, {"name": "x", "emails": "x"}, {"emails": []}, {"emails": ["x"]}]
)
def test_what_a_resource_lacks_is_nothing(resource: dict[str, Any]) -> None:
    assert [attributes.value_in(resource, name) for name in FLAT] == [None] * len(FLAT)


def test_the_primary_address_comes_before_others() -> None:
    emails = [{"value": "a@x"}, {"value": "b@x", "primary": True}]
    assert attributes.value_in({"emails": emails}, "email") == "b@x"


def test_an_update_replaces_what_differs_and_removes_what_went_away() -> None:
    changes = {"title": "Boss", "email": "b@x", f"{ENTERPRISE}:department": None}
    made = operation(part(changes=changes))
    assert (made.method, made.path) == ("PATCH", "/Users/a1")
    assert made.data["Operations"] == [
        {"op": "replace", "path": "title", "value": "Boss"},
        {"op": "add", "path": "emails", "value": [{"value": "b@x", "type": "work", "primary": True}]},
        {"op": "remove", "path": f"{ENTERPRISE}:department"},
    ]


@pytest.mark.parametrize(
    ("value", "change"),
    [
        ("b@x", {"op": "replace", "path": 'emails[value eq "a@x"].value', "value": "b@x"}),
        (None, {"op": "remove", "path": 'emails[value eq "a@x"]'}),
    ],
)
def test_of_several_addresses_only_the_one_that_is_known_is_touched(value: Any, change: dict[str, Any]) -> None:
    link = Link(account_id="a1", known=Record(active=True, attributes={"email": "a@x"}))
    made = operation(part(person=replace(person(1), link=link), changes={"email": value}))
    assert made.data["Operations"] == [change]


@pytest.mark.parametrize(("step", "active"), [(Step.DEACTIVATE, False), (Step.REACTIVATE, True)])
def test_leaving_and_returning_are_real_booleans(step: Step, active: bool) -> None:  # noqa: FBT001 - a table's column
    made = operation(part(step=step))
    assert made.data["Operations"] == [{"op": "replace", "path": "active", "value": active}]


@pytest.mark.parametrize(("step", "active"), [(Step.DEACTIVATE, False), (Step.REACTIVATE, True), (Step.UPDATE, True)])
def test_a_target_without_patch_gets_the_whole_user(step: Step, active: bool) -> None:  # noqa: FBT001 - a table's column
    made = operation(part(step=step), patches=False)
    assert (made.method, made.path) == ("PUT", "/Users/a1")
    assert merging.document_for(made, {"id": "a1", "userName": "ann", "active": True}) == {
        "id": "a1",
        "userName": "ann",
        "active": active,
    }


def test_a_leaver_without_a_record_is_still_deactivated() -> None:
    assert operation(part(step=Step.DEACTIVATE, desired=None)).data["Operations"][0]["value"] is False


def test_a_filter_quotes_what_it_holds() -> None:
    item = part(account_id=None, matching={"externalId": 'a" or userName pr', "email": "zoë+1@x.example"})
    assert mapping.filter_for([item]) == ('externalId eq "a\\" or userName pr" or emails.value eq "zoë+1@x.example"')


def test_a_filter_names_each_value_once() -> None:
    items = [part(n, account_id="a", matching={"email": "same@x"}) for n in (1, 2)]
    assert mapping.filter_for(items) == 'id eq "a" or emails.value eq "same@x"'


@pytest.mark.parametrize(
    ("matching", "expected"),
    [
        ({"externalId": "E", "userName": "u"}, ['userName eq "u"', 'externalId eq "E"']),
        ({"externalId": "E"}, ['externalId eq "E"']),
        ({}, []),
    ],
)
def test_single_comparisons_begin_with_the_surest_value(matching: dict[str, str], expected: list[str]) -> None:
    assert mapping.single_filters_for(part(matching=matching)) == expected


def test_a_long_query_does_not_go_into_a_url() -> None:
    few = Call(step=Step.LOOK_UP, items=(part(1),))
    many = Call(step=Step.LOOK_UP, items=tuple(part(n, matching={"email": f"user{n}@x.example"}) for n in range(100)))
    assert not lookups.search_for(few, Capabilities()).is_long
    assert lookups.search_for(many, Capabilities()).is_long


def test_a_page_that_does_not_show_all_is_not_complete() -> None:
    answer = {"totalResults": 2, "Resources": [{"id": "1", "userName": "a"}]}
    call = Call(step=Step.LOOK_UP, items=(part(),))
    assert not lookups.read_accounts(answer, call, mapped=["userName"], protect=[]).complete
    nobody = lookups.read_accounts({"totalResults": 0}, call, mapped=["userName"], protect=[])
    assert (nobody.complete, nobody.accounts) == (True, ())


def test_a_group_is_found_under_the_name_that_was_asked_for() -> None:
    shown = [{"id": "g1", "displayName": "SALES"}]
    assert lookups.read_groups(shown, ["Sales"], complete=True).group_ids == {"Sales": "g1", "SALES": "g1"}


def test_an_account_knows_only_mapped_attributes() -> None:
    resource = {
        **RESOURCE,
        "id": "7",
        "active": False,
        "externalId": "E1",
        "nickName": "x",
        "groups": [{"display": "S"}],
    }
    account = mapping.account_of(resource, mapped=["userName", "name.givenName", "title"], protect=[])
    assert account is not None
    assert account.known == Record(
        active=False, attributes={"userName": "ann", "name.givenName": "Ann"}, groups=frozenset({"S"})
    )
    assert account.matching == {"externalId": "E1", "email": "ann@x.example", "userName": "ann"}


@pytest.mark.parametrize(
    ("resource", "is_protected"),
    [
        ({"userType": "Admin"}, True),
        ({"roles": [{"value": "Owner"}]}, True),
        ({"roles": ["x"], "userType": "user"}, False),
    ],
)
def test_administrators_are_protected(resource: dict[str, Any], is_protected: bool) -> None:  # noqa: FBT001 - a table's column
    account = mapping.account_of({"id": "1", **resource}, mapped=[], protect=["owner", "admin"])
    assert account is not None
    assert account.protected is is_protected


@pytest.mark.parametrize(
    ("config", "mixed", "look_ups"),
    [
        ({"bulk": {"supported": True, "maxOperations": 100, "maxPayloadSize": 1_048_576}}, 100, 200),
        ({"filter": {"supported": False}}, 0, 1_000_000),
        ({"bulk": {"supported": True, "maxOperations": 1000, "maxPayloadSize": 20_480}}, 1000, 200),
        ({"bulk": {"supported": True}, "filter": {"maxResults": 50}}, 1, 50),
        ({"bulk": {"supported": False, "maxOperations": 100}}, 0, 200),
        ({"bulk": {"supported": "true"}}, 0, 200),
        ({}, 0, 200),
        (None, 0, 200),
    ],
)
def test_sizes_are_what_the_target_says_of_itself(config: Any, mixed: int, look_ups: int) -> None:
    known = KnownCapabilities(clock=lambda: 0)
    known.learn(read_config(config))
    abilities = known.abilities()
    assert (abilities.mixed, abilities.sizes[Step.LOOK_UP]) == (mixed, look_ups)


def test_people_are_weighed_where_the_target_limits_bytes() -> None:
    known = KnownCapabilities(clock=lambda: 0)
    known.learn(read_config({"bulk": {"supported": True, "maxOperations": 1000, "maxPayloadSize": 20_480}}))
    assert known.abilities().payload_limit == 20_480


@pytest.mark.parametrize("value", ["", "x" * 500, 'q"uo\\te', "zoë", "漢字" * 50, "😀" * 50, "\x00\x1f"])
def test_the_bytes_of_a_user_are_never_taken_for_fewer(value: str) -> None:
    attributes_of = {**dict.fromkeys(FLAT, value), "title": value}
    most = attributes.most_bytes(attributes_of)
    assert most is not None
    assert most + 300 >= len(json.dumps({**attributes.resource_of(attributes_of), "active": True}).encode())


def test_without_patch_only_new_users_share_a_call() -> None:
    known = KnownCapabilities(clock=lambda: 0)
    known.learn(read_config({"patch": {"supported": False}, "bulk": {"supported": True, "maxOperations": 9}}))
    assert known.abilities().mixable == {Step.CREATE}


def test_what_was_learned_is_believed_for_an_hour() -> None:
    now = [0]
    known = KnownCapabilities(clock=lambda: now[0])
    assert known.is_stale()
    known.learn(Capabilities(bulk_operations=7))
    now[0] = 3_599_999
    assert not known.is_stale()
    now[0] = 3_600_000
    assert known.is_stale()
    assert known.current.bulk_operations == 7  # until it is learned anew


def test_a_doubted_limit_is_asked_for_again() -> None:
    known = KnownCapabilities(clock=lambda: 5)
    known.learn(Capabilities())
    known.doubt()
    assert known.is_stale()


@pytest.mark.parametrize(
    ("header", "headers"),
    [
        ("X-Company-Id", {"X-Company-Id": "acme"}),
        ("Company-Id", {"Company-Id": "acme"}),
        ("both", {"X-Company-Id": "acme", "Company-Id": "acme"}),
        ("none", {}),
    ],
)
def test_the_company_is_named_as_the_option_says(header: str, headers: dict[str, str]) -> None:
    secrets = {"api_key": "k", "company_id": "acme"}
    assert read_options(shipped_settings("mindtickle", secrets, company_header=header)).company_headers == headers


def test_the_scim_token_defaults_to_the_api_key() -> None:
    secrets = {"api_key": "k", "company_id": "acme"}
    assert read_options(shipped_settings("mindtickle", secrets)).scim_token == "k"
    assert read_options(shipped_settings("mindtickle", {**secrets, "scim_token": "t"})).scim_token == "t"


def test_wrong_options_are_named_all_at_once() -> None:
    settings = shipped_settings(
        "mindtickle", {}, scim_base_url="", rest_base_url="", bulk_mode="rest", company_header="X"
    )
    with pytest.raises(OptionsRefused) as caught:
        read_options(settings)
    for name in ("scim_base_url", "rest_base_url", "api_key", "company_id", "company_header"):
        assert name in str(caught.value)


def test_no_secret_is_shown() -> None:
    secrets = {"api_key": "hush1", "company_id": "hush2", "scim_token": "hush3"}
    assert "hush" not in repr(read_options(shipped_settings("mindtickle", secrets)))


def test_where_filters_cannot_be_joined_several_people_are_never_asked_for_at_once() -> None:
    """A call may have been planned before another one learned it."""
    both = Call(step=Step.LOOK_UP, items=(part(1), part(2)))
    with pytest.raises(port.AbilitiesChanged):
        lookups.search_for(both, Capabilities(joins_filters=False))
