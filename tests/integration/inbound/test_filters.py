"""Filters in SQL find exactly what the library's own matching finds, on both databases."""

from typing import Any

import pytest
from scim2_models import ScimFilter, SearchRequest
from scim2_server.utils import parametrize

from scim_bridge.domain.models import MODELS
from scim_bridge.domain.resources import CORE_USER, ENTERPRISE_USER, GROUP, USER
from scim_bridge.intake.scim.shown import load, model_of
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder
from scim_bridge.store.engine import Store
from scim_bridge.store.search import pages

TENANT = "filters"

USERS: list[dict[str, Any]] = [
    {
        "userName": "Ann@Example.com",
        "externalId": "00uA",
        "displayName": "Ann Ärger",
        "title": "Boss",
        "userType": "Employee",
        "name": {"givenName": "Ann", "familyName": "Ärger"},
        "emails": [
            {"value": "ann@home.example", "type": "home"},
            {"value": "Ann@Work.example", "type": "work", "primary": True},
        ],
        "phoneNumbers": [{"value": "+49 30 1", "type": "mobile"}],
        "addresses": [{"locality": "Berlin", "type": "work"}],
        ENTERPRISE_USER: {"department": "Straße 7", "employeeNumber": "007", "manager": {"value": "M1"}},
    },
    {"userName": "bob", "active": False, "externalId": "00ua", "emails": [{"value": "bob@work.example"}]},
    {"userName": "Ωmega", "title": "", "name": {"familyName": "ÄRGER"}, "roles": [{"value": "admin", "primary": True}]},
    {"userName": "dave_%", "title": "50% off", "nickName": "Zoë\u0301", "x509Certificates": [{"value": "aGVsbG8="}]},
    {"userName": "emoji😀", "title": "\uffee", "emails": [{"type": "work"}, {"value": "e@x", "type": "home"}]},
]

USER_FILTERS = [
    'userName eq "ANN@example.COM"',
    'userName eq "ωMEGA"',
    'userName ne "bob"',
    'userName sw "dave_"',
    'userName ew "_%"',
    'userName co "E"',
    'userName co ""',
    'userName gt "c" and userName lt "z"',
    'title ge "\uffee"',
    'title le "boss"',
    'title ew "boss"',
    'title ew "a long text that is longer than the value"',
    'title sw ""',
    "title pr",
    "not (title pr)",
    "title eq null",
    "title ne null",
    'title ne "boss"',
    'not (title eq "boss")',
    'externalId eq "00uA"',
    'externalId ne "00uA"',
    'displayName co "är"',
    'nickName eq "zoé\u0301"',
    'nickName eq "ZOË\u0301"',
    'name.familyName eq "ärger"',
    'name.familyName eq "ÄRGER" or title pr',
    "name pr",
    "name.givenName pr",
    "not (name pr)",
    "active eq true",
    "active eq false",
    "active ne true",
    'emails eq "ann@work.EXAMPLE"',
    'emails.value eq "u1"',
    'emails ne "bob@work.example"',
    'emails co "work"',
    "emails.value eq null",
    "emails.value ne null",
    "emails eq null",
    "emails ne null",
    'emails.type eq "work"',
    'emails.type ne "work"',
    "emails.primary eq true",
    "emails.primary ne true",
    "emails pr",
    "emails.primary pr",
    'emails[type eq "work" and value co "@work"]',
    'emails[type eq "home" and value eq "ANN@work.example"]',
    'emails[type eq "work" and value eq "ANN@work.example"]',
    'emails[type eq "home" or value eq "bob@work.example"]',
    'emails[not (value eq "bob@work.example")]',
    'not (emails[value eq "bob@work.example"])',
    "emails[primary eq true]",
    "emails[value pr and type pr]",
    "emails[value eq null]",
    'addresses[locality sw "ber"]',
    'addresses.locality eq "BERLIN"',
    "addresses pr",
    'roles[primary eq true and value eq "Admin"]',
    'phoneNumbers co "49 30"',
    'x509Certificates.value eq "aGVsbG8="',
    f'{ENTERPRISE_USER}:department eq "STRAßE 7"',
    f'{ENTERPRISE_USER}:department eq "strasse 7"',
    f'{ENTERPRISE_USER}:employeeNumber eq "007"',
    f'{ENTERPRISE_USER}:employeeNumber gt "0"',
    f'{ENTERPRISE_USER}:manager.value eq "m1"',
    f'{ENTERPRISE_USER}:manager.value eq "M1"',
    f"{ENTERPRISE_USER}:manager pr",
    f"not ({ENTERPRISE_USER}:department pr)",
    f'{CORE_USER}:userName eq "bob"',
    'USERNAME EQ "bob" AND TITLE NE "x"',
    'schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"',
    'schemas[value sw "urn:ietf:params:scim:schemas:extension"]',
    'meta.resourceType eq "User"',
    'meta.resourceType eq "user"',
    'meta.version eq "W/\\"1\\""',
    'meta.created gt "2023-11-14T22:13:20.0005Z"',
    'meta.created ge "2023-11-14T22:13:20Z"',
    'meta.lastModified lt "2000-01-01T00:00:00Z"',
    'meta.created eq "2023-11-14T23:13:20+01:00"',
    'meta.created co "2023"',
    "meta.location pr",
    'groups.display eq "sales & more"',
    'groups[type eq "direct"]',
    "groups pr",
    "not (groups pr)",
    'groups.value eq "nobody"',
    '(title pr or active eq false) and not (userName eq "bob")',
    # What an index finds must still satisfy the rest.
    'userName eq "bob" and title pr',
    'userName eq "bob" and active eq false',
    'emails.value eq "bob@work.example" and not (externalId eq "00ua")',
    'externalId eq "00uA" or displayName eq "x"',
    'externalId eq "00uA" or title eq "50% OFF"',
    '(userName eq "bob" and title pr) or (externalId eq "00uA" and active eq true)',
    'emails[value eq "bob@work.example"] and emails[value eq "e@x"]',
    'emails[type eq "home" and value eq "e@x"] or emails[type eq "work" and value eq "e@x"]',
    'groups[type eq "direct" and value eq "nobody"]',
    'title pr and active eq true or userName eq "bob"',
]

GROUP_FILTERS = [
    'displayName eq "sales & MORE"',
    "members pr",
    "not (members pr)",
    'members[type eq "User"]',
    "members.display pr",
    'members ne "x"',
    'userName eq "bob"',
    'not (displayName co "sales")',
]


@pytest.fixture(scope="module")
def directory(shared_store: Store) -> dict[str, str]:
    """The people above and two groups, one of them empty."""
    ids: dict[str, str] = {}
    with shared_store.begin(TENANT) as tx:
        recorder = Recorder(tx, scopes={}, origin=Origin(source="idp", correlation_id="c"))
        for user in USERS:
            document = {"schemas": [CORE_USER, *([ENTERPRISE_USER] if ENTERPRISE_USER in user else [])], **user}
            ids[user["userName"]] = recorder.create(USER, document).scim_id
        recorder.create(GROUP, {"schemas": [], "displayName": "Sales & more"}, member_ids=[ids["bob"]])
        recorder.create(GROUP, {"schemas": [], "displayName": "Empty"})
    return ids


def found_by_sql(store: Store, kind: str, text: str) -> list[str]:
    request = parametrize(SearchRequest, MODELS[kind]).model_construct(
        filter=parametrize(ScimFilter, MODELS[kind])(text)
    )
    with store.begin(TENANT, write=False) as tx:
        page = pages.find(tx, [(kind, MODELS[kind])], request)
        assert page.total == len(page.resources)
        return [each.scim_id for each in page.resources]


def found_by_the_library(store: Store, kind: str, text: str) -> list[str]:
    scim_filter = parametrize(ScimFilter, MODELS[kind])(text)
    with store.begin(TENANT, write=False) as tx:
        everybody = pages.find(tx, [(kind, MODELS[kind])], parametrize(SearchRequest, MODELS[kind])())
        return [each.stored.scim_id for each in load(tx, everybody.resources) if scim_filter.match(model_of(each))]


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize("text", USER_FILTERS)
def test_a_filter_over_users_finds_what_the_library_would(shared_store: Store, text: str) -> None:
    assert found_by_sql(shared_store, USER, text) == found_by_the_library(shared_store, USER, text)


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize("text", GROUP_FILTERS)
def test_a_filter_over_groups_finds_what_the_library_would(shared_store: Store, text: str) -> None:
    assert found_by_sql(shared_store, GROUP, text) == found_by_the_library(shared_store, GROUP, text)


def test_a_member_is_found_by_id(shared_store: Store, directory: dict[str, str]) -> None:
    text = f'members eq "{directory["bob"]}"'
    assert len(found_by_sql(shared_store, GROUP, text)) == 1
    assert found_by_sql(shared_store, GROUP, text) == found_by_the_library(shared_store, GROUP, text)


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize(
    ("first", "then"),
    [
        # A moment without a zone is neither before nor after one that has a zone.
        ('meta.created gt "2000-01-01T00:00:00Z"', 'meta.created gt "2000-01-01T00:00:00"'),
        ('meta.created ne "2000-01-01T00:00:00"', 'meta.created ne "2000-01-01T00:00:00Z"'),
        # The empty text is contained in every other.
        ('title co "boss"', 'title co ""'),
        ('emails[value ew "x"]', 'emails[value ew "home.example"]'),
        ("title eq null", 'title eq "null"'),
        ('active eq "True"', 'active eq "0"'),
        ('title sw "b"', 'title sw "50% off"'),
        ('userName eq "bob"', 'userName eq "Ann@Example.com"'),
    ],
)
def test_a_statement_that_serves_one_value_is_right_for_the_next(shared_store: Store, first: str, then: str) -> None:
    for text in (first, then, first):
        assert found_by_sql(shared_store, USER, text) == found_by_the_library(shared_store, USER, text)


@pytest.mark.usefixtures("directory")
def test_the_filters_of_the_table_find_different_people(shared_store: Store) -> None:
    """A table in which everything finds nobody would prove nothing."""
    answers = {tuple(found_by_sql(shared_store, USER, text)) for text in USER_FILTERS}
    assert len(answers) > 15
