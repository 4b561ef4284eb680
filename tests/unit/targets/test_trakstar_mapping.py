"""Records and requests in Trakstar's words."""

from typing import Any

import pytest
from fakes.people import person
from fakes.shipped import shipped_settings

from scim_bridge.domain.people import Problem, Record, Step
from scim_bridge.planning.calls import Call, Item
from scim_bridge.settings.models import GroupSettings
from workers.targets.options import OptionsRefused
from workers.targets.trakstar import accounts, mapping
from workers.targets.trakstar.options import TrakstarOptions, read_options

PERMISSIONS = {"Trainee": 169000100, "Manager": 169000200, "Team Lead": 169000600}
OPTIONS = TrakstarOptions(base_url="http://x", api_key="k", permissions=PERMISSIONS)
CAMEL = TrakstarOptions(base_url="http://x", api_key="k", custom_field_style="camel", invite_path="vendor")


def record(*, active: bool = True, **attributes: Any) -> Record:
    return Record(active=active, attributes=attributes)


def items(count: int, step: Step, **parts: Any) -> tuple[Item, ...]:
    return tuple(
        Item(step=step, person=person(n), desired=record(email=f"u{n}@x.example"), account_id=str(n), **parts)
        for n in range(1, count + 1)
    )


@pytest.mark.parametrize(
    ("value", "code"),
    [("Manager", 169000200), ("team lead", 169000600), (169000100, 169000100), ("169000200", 169000200)],
)
def test_permissions_are_codes_by_name_or_number(value: Any, code: int) -> None:
    assert mapping.finish(record(email="a@x", permissions=value), permissions=PERMISSIONS) == record(
        email="a@x", permissions=code
    )


@pytest.mark.parametrize("value", ["King", True, 1.5, -1, ["Manager"]])
def test_permissions_that_name_nothing_are_a_problem(value: Any) -> None:
    problem = mapping.finish(record(email="a@x", permissions=value), permissions=PERMISSIONS)
    assert isinstance(problem, Problem)
    assert (problem.code, problem.field) == ("invalid_value", "permissions")


def test_everything_else_is_text() -> None:
    finished = mapping.finish(record(email="a@x", customfield0=7, customfield1=True), permissions={})
    assert finished == record(email="a@x", customfield0="7", customfield1="true")


def test_somebody_active_needs_an_address_or_a_username() -> None:
    problem = mapping.finish(record(firstName="Ann"), permissions={})
    assert isinstance(problem, Problem)
    assert problem.code == "missing_field"


def test_a_leaver_needs_neither() -> None:
    finished = mapping.finish(record(active=False, firstName="Ann", customfield0=["x"]), permissions={})
    assert finished == record(active=False, firstName="Ann")


def test_a_create_carries_users_places_date_and_number() -> None:
    call = Call(
        step=Step.CREATE,
        items=items(2, Step.CREATE),
        groups=("Sales",),
        courses=("11",),
        required_courses=("12",),
    )
    body = mapping.body_of(call, OPTIONS, group_ids={"Sales": "5"}, batch_number=9, today="2026-02-03")
    assert body == {
        "users": [{"email": "u1@x.example"}, {"email": "u2@x.example"}],
        "groupIds": [5],
        "courseIds": [11],
        "requiredCourseIds": [12],
        "clientDatestamp": "2026-02-03",
        "batchId": 9,
    }


@pytest.mark.parametrize(
    ("step", "count", "route"),
    [
        (Step.UPDATE, 1, ("POST", "/user/1")),
        (Step.DEACTIVATE, 1, ("POST", "/user/1/archive")),
        (Step.DEACTIVATE, 2, ("POST", "/user/archive")),
        (Step.REACTIVATE, 1, ("POST", "/user/1/unarchive")),
        (Step.JOIN, 1, ("POST", "/group/5/user/1")),
        (Step.JOIN, 2, ("POST", "/group/5/user")),
        (Step.LEAVE, 1, ("DELETE", "/group/5/user/1")),
        (Step.LEAVE, 2, ("POST", "/group/5/user/action/delete")),
        (Step.ENROL, 2, ("POST", "/course/11/user")),
        (Step.LOOK_UP, 3, ("GET", "/user")),
        (Step.LOOK_UP, 0, ("GET", "/group")),
        (Step.CREATE_GROUP, 0, ("POST", "/group")),
    ],
)
def test_each_step_has_its_path(step: Step, count: int, route: tuple[str, str]) -> None:
    call = Call(step=step, items=items(count, step, course="11"), groups=("Sales",))
    assert mapping.route_of(call, OPTIONS, group_id="5") == route


def test_the_vendors_spellings_are_options() -> None:
    call = Call(step=Step.ENROL, items=items(1, Step.ENROL, course="11"))
    assert mapping.route_of(call, CAMEL)[1] == "/course/11/invite"
    edit = Call(step=Step.UPDATE, items=items(1, Step.UPDATE, changes={"customfield3": "x"}))
    assert mapping.body_of(edit, CAMEL, group_ids={}, batch_number=1, today="") == {"customField3": "x"}


def test_a_value_that_went_away_is_emptied_and_a_role_falls_back() -> None:
    changes = {"customfield3": None, "permissions": None, "firstName": "Ann"}
    call = Call(step=Step.UPDATE, items=items(1, Step.UPDATE, changes=changes))
    body = mapping.body_of(call, OPTIONS, group_ids={}, batch_number=1, today="")
    assert body == {"customfield3": "", "permissions": 169000100, "firstName": "Ann"}


LISTED = {
    "id": 333,
    "firstName": "Jo",
    "lastName": "Doe",
    "username": "JDoe",
    "email": "JDoe@x.example",
    "status": "Active",
    "type": "Manager",
    "isOwner": 0,
    "groups": [{"id": 1, "name": "Sales"}],
}


def test_a_listed_user_is_an_account() -> None:
    account = accounts.account_of(LISTED, protect=[], permissions=PERMISSIONS)
    assert account is not None
    assert account.account_id == "333"
    assert account.matching == {"email": "jdoe@x.example", "userName": "jdoe"}
    assert account.known == Record(
        active=True,
        attributes={
            "firstName": "Jo",
            "lastName": "Doe",
            "email": "JDoe@x.example",
            "username": "JDoe",
            "permissions": 169000200,
        },
        groups=frozenset({"Sales"}),
    )


@pytest.mark.parametrize(
    ("status", "active"),
    [("Active", True), ("Archived", False), (109000200, True), (109000700, False), ("109000700", False), (None, True)],
)
def test_the_status_is_read_in_both_spellings(status: Any, active: bool) -> None:  # noqa: FBT001 - a table's column
    account = accounts.account_of({"id": 1, "userName": "jo", "status": status}, protect=[], permissions={})
    assert account is not None
    assert account.known.active is active
    assert account.matching == {"userName": "jo"}


def test_what_a_listing_does_not_show_is_not_known() -> None:
    account = accounts.account_of({"id": 1, "email": "", "username": None}, protect=[], permissions={})
    assert account is not None
    assert account.known.attributes == {}
    assert account.matching == {}


@pytest.mark.parametrize(
    ("user", "protect", "is_protected"),
    [
        ({"isOwner": 1}, ["owner"], True),
        ({"isOwner": 1}, [], False),
        ({"type": "Administrator"}, ["administrator"], True),
        ({"type": "Administrator"}, ["owner"], False),
        ({"type": "Trainee", "isOwner": 0}, ["owner", "Administrator"], False),
    ],
)
def test_owners_and_administrators_are_protected_where_it_is_said(
    user: dict[str, Any],
    protect: list[str],
    is_protected: bool,  # noqa: FBT001 - a table's column
) -> None:
    account = accounts.account_of({"id": 1, **user}, protect=protect, permissions={})
    assert account is not None
    assert account.protected is is_protected


@pytest.mark.parametrize("user", [None, [], "x", {}, {"id": None}, {"id": True}, {"id": "abc"}])
def test_what_is_no_user_is_no_account(user: Any) -> None:
    assert accounts.account_of(user, protect=[], permissions={}) is None


@pytest.mark.parametrize(
    ("group", "pair"),
    [
        ({"id": 5, "name": "Sales", "userCount": 2}, ("Sales", "5")),
        ([1, None, "Sales", None, 5], ("Sales", "5")),
        ([1, None, "Sales"], None),
        ({"name": "Sales"}, None),
        ("Sales", None),
    ],
)
def test_a_group_is_read_as_object_and_as_array(group: Any, pair: tuple[str, str] | None) -> None:
    assert accounts.group_of(group) == pair


def test_wrong_options_are_named_all_at_once() -> None:
    settings = shipped_settings(
        "trakstar",
        {},
        base_url="ftp://x",
        unarchive="maybe",
        timeout_s="soon",
        permissions={"King": "x"},
        groups={"Sales": GroupSettings(courses=["intro"])},
    )
    with pytest.raises(OptionsRefused) as caught:
        read_options(settings)
    for name in ("base_url", "api_key", "unarchive", "timeout_s", "permissions.King", "'intro'"):
        assert name in str(caught.value)


def test_the_shipped_options_are_those_that_the_code_reads() -> None:
    settings = shipped_settings("trakstar", {"api_key": "hush-hush"})
    options = read_options(settings)
    assert set(settings.options) <= {*TrakstarOptions.__slots__}
    assert options.permissions["Team Lead"] == 169000600
    assert "hush" not in repr(options)
