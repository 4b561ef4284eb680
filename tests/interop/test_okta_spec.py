"""Okta's published suites for whoever wants into its integration network, step for step.

"Okta SCIM 2.0 SPEC Test" and "Okta SCIM 2.0 CRUD Test", Runscope tests that developer.okta.com offers under
standards/SCIM/SCIMFiles (as of 2026). The pauses of 5 to 40 seconds between their steps are left out.
"""

import json
import random
import string
from typing import Any

from running.door import FrontDoor
from steps import Step, equal, has_value, is_a_number, is_false, is_true, not_empty, run

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"

READS = {
    "Accept-Charset": "utf-8",
    "Content-Type": "application/scim+json; charset=utf-8",
    "Accept": "application/scim+json",
    "User-Agent": "OKTA SCIM Integration",
}
WRITES = {"Content-Type": "application/json", "Accept": "application/scim+json; charset=utf-8"}

NEW_USER = {
    "schemas": [USER],
    "userName": "{{randomUsername}}",
    "name": {"givenName": "{{randomGivenName}}", "familyName": "{{randomFamilyName}}"},
    "emails": [{"primary": True, "value": "{{randomEmail}}", "type": "work"}],
    "displayName": "{{randomGivenName}} {{randomFamilyName}}",
    "active": True,
}

SPEC = [
    Step(
        "Required Test: Test Users endpoint",
        "GET",
        "/Users?count=1&startIndex=1",
        200,
        headers=READS,
        checks=[
            not_empty("Resources"),
            has_value("schemas", LIST),
            is_a_number("itemsPerPage"),
            is_a_number("startIndex"),
            is_a_number("totalResults"),
            not_empty("Resources[0].id"),
            not_empty("Resources[0].name.familyName"),
            not_empty("Resources[0].name.givenName"),
            not_empty("Resources[0].userName"),
            not_empty("Resources[0].active"),
            not_empty("Resources[0].emails[0].value"),
        ],
        keeps={"ISVUserid": "Resources[0].id"},
    ),
    Step(
        "Required Test: Get Users/{{id}}",
        "GET",
        "/Users/{{ISVUserid}}",
        200,
        headers=READS,
        checks=[
            not_empty("id"),
            not_empty("name.familyName"),
            not_empty("name.givenName"),
            not_empty("userName"),
            not_empty("active"),
            not_empty("emails[0].value"),
            equal("id", "{{ISVUserid}}"),
        ],
    ),
    Step(
        "Required Test: Test invalid User by username",
        "GET",
        '/Users?filter=userName eq "{{InvalidUserEmail}}"',
        200,
        headers=READS,
        checks=[has_value("schemas", LIST), equal("totalResults", 0)],
    ),
    Step(
        "Required Test: Test invalid User by ID",
        "GET",
        "/Users/{{UserIdThatDoesNotExist}}",
        404,
        headers=READS,
        checks=[not_empty("detail"), has_value("schemas", ERROR)],
    ),
    Step(
        "Required Test: Make sure random user doesn't exist",
        "GET",
        '/Users?filter=userName eq "{{randomEmail}}"',
        200,
        headers=READS,
        checks=[equal("totalResults", 0), has_value("schemas", LIST)],
    ),
    Step(
        "Required Test: Create Okta user with realistic values",
        "POST",
        "/Users",
        201,
        NEW_USER,
        WRITES,
        checks=[
            is_true("active"),
            not_empty("id"),
            equal("name.familyName", "{{randomFamilyName}}"),
            equal("name.givenName", "{{randomGivenName}}"),
            has_value("schemas", USER),
            equal("userName", "{{randomUsername}}"),
        ],
        keeps={"idUserOne": "id", "randomUserEmail": "emails[0].value"},
    ),
    Step(
        "Required Test: Verify that user was created",
        "GET",
        "/Users/{{idUserOne}}",
        200,
        headers=READS,
        checks=[
            equal("userName", "{{randomUsername}}"),
            equal("name.familyName", "{{randomFamilyName}}"),
            equal("name.givenName", "{{randomGivenName}}"),
        ],
    ),
    Step(
        "Required Test: Expect failure when recreating user with same values",
        "POST",
        "/Users",
        409,
        {**NEW_USER, "emails": [{"primary": True, "value": "{{randomUsername}}", "type": "work"}]},
        WRITES,
    ),
    Step(
        "Required Test: Username Case Sensitivity Check",
        "GET",
        '/Users?filter=userName eq "{{randomUsernameCaps}}"',
        200,
        headers=READS,
        # The suite looks at the status alone; what it is named for is this.
        checks=[equal("totalResults", 1), equal("Resources[0].id", "{{idUserOne}}")],
    ),
    Step(
        "Optional Test: Verify Groups endpoint",
        "GET",
        "/Groups",
        200,
        headers=READS,
        checks=[is_a_number("totalResults"), equal("Resources", [])],
    ),
    Step(
        "Required Test: Check status 401",
        "GET",
        '/Users?filter=userName eq "{{randomUsernameCaps}}"',
        401,
        headers={**READS, "Authorization": "non-token"},
        checks=[not_empty("detail"), equal("status", "401"), has_value("schemas", ERROR)],
    ),
    Step(
        "Required Test: Check status 404",
        "GET",
        "/Users/00919288221112222",
        404,
        headers=READS,
        checks=[not_empty("detail"), equal("status", "404"), has_value("schemas", ERROR)],
    ),
]


def seen(name: str, url: str, *checks: Any, **keeps: str) -> Step:
    """Return a step in which the CRUD suite looks at our side."""
    return Step(name, "GET", url, 200, headers={"Accept": "application/scim+json"}, checks=checks, keeps=keeps)


def pushed(name: str, method: str, url: str, body: Any, status: int = 200, **keeps: str) -> Step:
    """Return what Okta sends us after the suite's call to Okta's own API, in the shapes of its SCIM reference."""
    client = {
        "User-Agent": "Okta SCIM Client 1.0.0",
        "Accept": "application/scim+json",
        "Content-Type": "application/scim+json; charset=utf-8",
    }
    return Step(name, method, url, status, body, client, keeps=keeps)


OKTA_USER = {
    "schemas": [USER],
    "userName": "{{okta_user_email}}",
    "name": {"givenName": "{{okta_user_firstname}}", "familyName": "{{okta_user_lastname}}"},
    "emails": [{"primary": True, "value": "{{okta_user_email}}", "type": "work"}],
    "displayName": "{{okta_user_firstname}} {{okta_user_lastname}}",
    "locale": "en-US",
    "externalId": "00ujl29u0le5T6Aj10h7",
    "groups": [],
    "password": "1mz050nq",
    "active": True,
}


def activity(*, active: bool) -> dict[str, Any]:
    """Return the PATCH with which Okta switches a user on and off."""
    return {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "value": {"active": active}}],
    }


CRUD = [
    pushed("Assign user to SCIM App", "POST", "/Users", OKTA_USER, 201, assigned="id"),
    seen(
        "Verify if user is created in SCIM App",
        '/Users?filter=userName eq "{{okta_user_email}}"',
        equal("Resources[0].id", "{{assigned}}"),
        equal("Resources[0].userName", "{{okta_user_email}}"),
        equal("Resources[0].emails[0].value", "{{okta_user_email}}"),
        equal("Resources[0].name.familyName", "{{okta_user_lastname}}"),
        equal("Resources[0].name.givenName", "{{okta_user_firstname}}"),
        scim_id="Resources[0].id",
    ),
    pushed(
        "Update user firstname",
        "PUT",
        "/Users/{{scim_id}}",
        {
            **OKTA_USER,
            "id": "{{scim_id}}",
            "name": {"givenName": "{{okta_user_firstname_update}}", "familyName": "{{okta_user_lastname}}"},
            "meta": {"resourceType": "User"},
        },
    ),
    seen(
        "Verify firstname update in SCIM App",
        "/Users/{{scim_id}}",
        equal("name.givenName", "{{okta_user_firstname_update}}"),
    ),
    pushed("Deactivate user in Okta", "PATCH", "/Users/{{scim_id}}", activity(active=False)),
    seen("Verify if user is deactivated in SCIM App", "/Users/{{scim_id}}", is_false("active")),
    pushed("Assign user to SCIM App again", "PATCH", "/Users/{{scim_id}}", activity(active=True)),
    seen("Verify if user is reactivated in SCIM App", "/Users/{{scim_id}}", is_true("active")),
    pushed("Removes an assignment for a user in Okta", "PATCH", "/Users/{{scim_id}}", activity(active=False)),
    seen("Verify if user is deactivated in SCIM App", "/Users/{{scim_id}}", is_false("active")),
]


def made_up(door: FrontDoor) -> dict[str, str]:
    """Return the variables as the suite's initial script makes them up."""
    chance = random.Random(7)
    given = "Runscope" + "".join(chance.choices(string.digits, k=3))
    family = "".join(
        [
            chance.choice(string.ascii_uppercase),
            *chance.choices(string.ascii_lowercase, k=8),
            *chance.choices("0123456789", k=3),
        ]
    )
    email = f"{given}{family}@atko.com"
    return {
        "auth": f"Bearer {door.token}",
        "randomGivenName": given,
        "randomFamilyName": family,
        "randomEmail": email,
        "randomUsername": email,
        "randomUsernameCaps": email.upper(),
        "InvalidUserEmail": "abcdefgh@atko.com",
        "UserIdThatDoesNotExist": "010101001010101011001010101011",
        "okta_user_email": email,
        "okta_user_firstname": given,
        "okta_user_lastname": family,
        "okta_user_firstname_update": f"{given}Updated",
    }


def test_oktas_spec_suite_finds_nothing_to_object_to(front_door: FrontDoor) -> None:
    # The suite expects somebody to be there before it starts.
    somebody = {
        **NEW_USER,
        "userName": "bjensen@atko.com",
        "name": {"givenName": "Barbara", "familyName": "Jensen"},
        "emails": [{"primary": True, "value": "bjensen@atko.com", "type": "work"}],
    }
    before = Step("before", "POST", "/Users", 201, json.dumps(somebody), WRITES)
    problems = run([before, *SPEC], base_url=front_door.url, variables=made_up(front_door))
    assert not problems, "\n".join(problems)


def test_oktas_crud_suite_sees_what_okta_pushed(front_door: FrontDoor) -> None:
    problems = run(CRUD, base_url=front_door.url, variables=made_up(front_door))
    assert not problems, "\n".join(problems)
