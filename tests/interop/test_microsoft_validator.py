"""The cases of Microsoft's SCIM validators, one test a case.

The hosted Entra SCIM Validator publishes no list; its cases and payloads are known from the results that it hands out.
The cases of the gallery's validation (SCIM-Validation-Test-Overview.md in AzureAD/SCIMReferenceCode) that speak SCIM
directly are at the end. Both look at the resource after each change, so every case does.
"""

import re
from typing import Any

import pytest
from running.door import FrontDoor
from steps import Answer, Check, Step, Variables, equal, filled, is_false, is_true, lacks, not_empty, run

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
SCIM = {"Content-Type": "application/scim+json; charset=utf-8"}
MANAGER = f"{ENTERPRISE}:manager"

LOGIN = "julien.vonrueden@ondricka.us"
FULL_USER = {
    "userName": LOGIN,
    "active": True,
    "displayName": "NDSQQTECVAAC",
    "title": "CJSGUNOAAMMQ",
    "emails": [{"type": "work", "value": "thaddeus@hammes.info", "primary": True}],
    "preferredLanguage": "hi",
    "name": {
        "givenName": "Elfrieda",
        "familyName": "Urban",
        "formatted": "Myah",
        "middleName": "Cindy",
        "honorificPrefix": "Minerva",
        "honorificSuffix": "Micaela",
    },
    "addresses": [
        {
            "type": "work",
            "formatted": "ZQEHBLETAAQE",
            "streetAddress": "25928 Katlyn Row",
            "locality": "YRAKBQCGOHZF",
            "region": "XCCVLAIDMQYR",
            "postalCode": "cx47 4mz",
            "primary": True,
            "country": "Sierra Leone",
        }
    ],
    "phoneNumbers": [
        {"type": "work", "value": "10-040-1308", "primary": True},
        {"type": "mobile", "value": "10-040-1308"},
        {"type": "fax", "value": "10-040-1308"},
    ],
    ENTERPRISE: {
        "employeeNumber": "OXYYEGWVLTGW",
        "department": "ZYWTBPDFHIIP",
        "costCenter": "ASHTVSKANCGL",
        "organization": "DPQRRHJMBXZE",
        "division": "WXNFEJQDRAVI",
        "manager": {"value": "XYMKVVRYDIOO"},
    },
    "roles": [{"primary": "True", "display": "MRONYWGFFHXQ", "value": "WDEIISGWWQBE", "type": "XVTUOHMYUFRL"}],
    "userType": "GZILLRZCFPNC",
    "nickName": "FOGSIQTKHIPG",
    "locale": "RJWNTUNNOHNZ",
    "timezone": "America/Guayaquil",
    "profileUrl": "BAPNQLJSRQGD",
    "externalId": "087af0b9-d1e1-480d-acb8-03ceaa8ea85b",
    "schemas": [USER, ENTERPRISE],
}

OTHERS: dict[str, Any] = {
    "active": True,
    "displayName": "RJEXKNFYZKXS",
    "title": "AQRBJVCQOVZL",
    'emails[type eq "work"].value': "broderick_ohara@blick.name",
    'emails[type eq "work"].primary': True,
    "preferredLanguage": "pa",
    "name.givenName": "Terrence",
    "name.familyName": "Brandi",
    "name.formatted": "Yasmin",
    "name.middleName": "Rae",
    "name.honorificPrefix": "Dudley",
    "name.honorificSuffix": "Lue",
    'addresses[type eq "work"].formatted': "GWRTLPBWYNPV",
    'addresses[type eq "work"].streetAddress': "845 Anastacio Radial",
    'addresses[type eq "work"].locality': "GIZRDTXXWJZC",
    'addresses[type eq "work"].region': "JSKIBHIRPFHK",
    'addresses[type eq "work"].postalCode': "zl48 3xh",
    'addresses[type eq "work"].primary': True,
    'addresses[type eq "work"].country': "Belize",
    'phoneNumbers[type eq "work"].value': "56-357-7743",
    'phoneNumbers[type eq "work"].primary': True,
    'phoneNumbers[type eq "mobile"].value': "56-357-7744",
    'phoneNumbers[type eq "fax"].value': "56-357-7745",
    f"{ENTERPRISE}:employeeNumber": "LXDAHKZRQYLX",
    f"{ENTERPRISE}:department": "KDELNISIUEDX",
    f"{ENTERPRISE}:costCenter": "PCTBWQQHYLIH",
    f"{ENTERPRISE}:organization": "CJVPTEPRUCKO",
    f"{ENTERPRISE}:division": "JBYUDRIYLEDA",
    'roles[primary eq "True"].display': "TQBJFQYVJCAG",
    'roles[primary eq "True"].value': "UOYTUVLKIPND",
    'roles[primary eq "True"].type': "VGNBBCPQEMYC",
    "userType": "ZEKBCKVMSSHY",
    "nickName": "ALLEWIPTSPGW",
    "locale": "PUWGYNUKSGVE",
    "timezone": "Africa/Harare",
    "profileUrl": "RVSZJGLGMDLF",
    "externalId": "16bf3b76-243b-49e1-a939-5176753d02c8",
}
"""Another value for every attribute, by the path that the validator names it with."""


def holds(path: str, value: Any) -> Check:
    """Expect the value at a SCIM path; None expects none, or an empty text."""

    def check(answer: Answer, variables: Variables) -> str | None:
        found = value_at(answer.document, path)
        wanted = filled(value, variables) if isinstance(value, str) else value
        is_same = found in (None, "") if wanted is None else found == wanted and type(found) is type(wanted)
        return None if is_same else f"{path} is {found!r}, not {wanted!r}"

    return check


def value_at(document: Any, path: str) -> Any:
    """Return the value at a path such as `emails[type eq "work"].value`, None where there is none."""
    if path.startswith("urn:"):
        urn, _, path = path.rpartition(":")
        document = document.get(urn, {})
    for part in re.findall(r"\w+(?:\[[^\]]*\])?", path):
        name, _, condition = part.partition("[")
        document = (document or {}).get(name)
        if condition:
            sub, _, wanted = condition.rstrip("]").partition(" eq ")
            chosen = [each for each in document or [] if str(each.get(sub)).lower() == wanted.strip('"').lower()]
            document = chosen[0] if chosen else None
    return document


def patch(*operations: dict[str, Any]) -> dict[str, Any]:
    """Return a PATCH body."""
    return {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": list(operations)}


def one_each(op: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one operation an attribute, as a "verbose" request has them."""
    return [{"op": op, "path": path, "value": value} for path, value in values.items()]


def at_once(op: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one operation for each element of a list, and one without a path for all the rest."""
    plain = {path: value for path, value in values.items() if "[" not in path}
    return [*one_each(op, {path: value for path, value in values.items() if "[" in path}), {"op": op, "value": plain}]


def created(body: Any = None, endpoint: str = "/Users", *, keep: str = "id") -> Step:
    """Return the step in which the validator makes what the case is about."""
    return Step("Create", "POST", endpoint, 201, FULL_USER if body is None else body, SCIM, keeps={keep: "id"})


def changed(*operations: dict[str, Any], status: int = 200, endpoint: str = "/Users") -> Step:
    """Return the PATCH of a case."""
    return Step("Patch", "PATCH", f"{endpoint}/{{{{id}}}}", status, patch(*operations), SCIM)


def read(*checks: Check, endpoint: str = "/Users", query: str = "") -> Step:
    """Return the look at the resource afterwards."""
    return Step("Get", "GET", f"{endpoint}/{{{{id}}}}{query}", 200, checks=checks)


def found(filter_text: str, *checks: Check, endpoint: str = "/Users", more: str = "") -> Step:
    """Return the look by a filter."""
    return Step("Filter", "GET", f"{endpoint}?{more}filter={filter_text}", 200, checks=checks)


def deleted(status: int = 204, *, endpoint: str = "/Users", scim_id: str = "{{id}}") -> Step:
    """Return a DELETE."""
    return Step("Delete", "DELETE", f"{endpoint}/{scim_id}", status)


def gone(endpoint: str = "/Users") -> Step:
    """Return the look that finds nothing."""
    error = "urn:ietf:params:scim:api:messages:2.0:Error"
    return Step(
        "Get", "GET", f"{endpoint}/{{{{id}}}}", 404, checks=[equal("status", "404"), equal("schemas[0]", error)]
    )


WHOLE = [
    holds(path, value)
    for path, value in {
        "userName": LOGIN,
        'emails[type eq "work"].value': "thaddeus@hammes.info",
        'addresses[type eq "work"].country': "Sierra Leone",
        'phoneNumbers[type eq "fax"].value': "10-040-1308",
        "name.honorificSuffix": "Micaela",
        f"{ENTERPRISE}:division": "WXNFEJQDRAVI",
        f"{MANAGER}.value": "XYMKVVRYDIOO",
        "roles[primary eq true].value": "WDEIISGWWQBE",
        "roles[primary eq true].primary": True,
        "profileUrl": "BAPNQLJSRQGD",
    }.items()
]
ONE = [equal("totalResults", 1), equal("Resources[0].id", "{{id}}"), equal("itemsPerPage", 1), equal("startIndex", 1)]
NONE = [equal("totalResults", 0), equal("Resources", [])]
NOBODY = {"userName": "eleanore@boyercorwin.biz", "schemas": [USER]}

PRIMARIES = {
    "emails[primary eq true].value": "mary@dickens.co.uk",
    "phoneNumbers[primary eq true].value": "39-949-9451",
    "addresses[primary eq true].formatted": "EMZNFSDRVIIF",
    "addresses[primary eq true].streetAddress": "2645 Renner Burg",
    "addresses[primary eq true].locality": "ZNKYOYRSCLWA",
    "addresses[primary eq true].country": "Ukraine",
    "externalId": "16bf3b76-243b-49e1-a939-5176753d02c8",
    "displayName": "COMBINED",
}


def manager_case(op: str, value: Any, expected: str | None) -> list[Step]:
    """Return a case that sets the manager; the validator sends an object, Entra often the bare id."""
    return [
        created(),
        changed({"op": op, "path": MANAGER, "value": value}),
        read(holds(f"{MANAGER}.value", expected), holds(f"{ENTERPRISE}:division", "WXNFEJQDRAVI")),
    ]


USER_CASES = {
    "Create a new User": [created(), read(*WHOLE), found(f'userName+eq+"{LOGIN}"', *ONE)],
    "Create a duplicate User": [
        created(),
        Step("Again", "POST", "/Users", 409, FULL_USER, SCIM, [equal("status", "409")]),
    ],
    "Filter for an existing user": [created(), found(f'userName+eq+"{LOGIN.replace("@", "%40")}"', *ONE)],
    "Filter for a non-existing user": [created(), found('userName+eq+"nobody"', *NONE)],
    "Filter for an existing user with a different case": [created(), found(f'userName+eq+"{LOGIN.upper()}"', *ONE)],
    "Patch User - Replace Attributes": [
        created(),
        changed(*at_once("replace", OTHERS)),
        read(*(holds(path, value) for path, value in OTHERS.items()), holds("userName", LOGIN)),
    ],
    "Patch User - Replace Attributes, by primary": [
        created(),
        changed(*at_once("replace", PRIMARIES)),
        read(*(holds(path, value) for path, value in PRIMARIES.items())),
    ],
    "Patch User - Replace Attributes Verbose Request": [
        created(),
        changed(*one_each("replace", OTHERS)),
        read(*(holds(path, value) for path, value in OTHERS.items())),
    ],
    "Patch User - Add Attributes": [
        created(NOBODY),
        changed(*at_once("add", OTHERS)),
        read(*(holds(path, value) for path, value in OTHERS.items())),
    ],
    "Patch User - Add Attributes Verbose Request": [
        created(NOBODY),
        changed(*one_each("add", OTHERS)),
        read(*(holds(path, value) for path, value in OTHERS.items())),
    ],
    "Patch User - nothing to do": [created(), changed(), read(*WHOLE)],
    "Update User userName": [
        created(),
        changed({"op": "replace", "value": {"userName": "emilio@hermann.uk"}}),
        read(equal("userName", "emilio@hermann.uk")),
        found('userName+eq+"emilio@hermann.uk"', *ONE),
        found(f'userName+eq+"{LOGIN}"', *NONE),
    ],
    "Patch User - Disable User": [
        created(),
        changed({"op": "replace", "value": {"active": False}}),
        read(is_false("active")),
        found(f'userName+eq+"{LOGIN}"', *ONE, is_false("Resources[0].active")),
    ],
    "Patch User - Add Manager": manager_case("add", {"value": "AXTKDLNRKMKT"}, "AXTKDLNRKMKT"),
    "Patch User - Replace Manager": manager_case("replace", {"value": "CBEQXYNPNAZS"}, "CBEQXYNPNAZS"),
    "Patch User - Replace Manager, bare": manager_case("Replace", "CBEQXYNPNAZS", "CBEQXYNPNAZS"),
    "Patch User - Remove Manager": manager_case("replace", {"value": ""}, None),
    "Patch User - Remove Manager, bare": manager_case("replace", "", None),
    "Patch User - Multiple Operations on different attributes": [
        created(),
        changed(
            {"op": "remove", "path": "nickName"},
            {"op": "add", "value": {"externalId": "8e25e04b-a001-4820-905c-7807436e33b1"}},
            {"op": "replace", "value": {"displayName": "UPDATED"}},
        ),
        read(
            holds("nickName", None),
            equal("externalId", "8e25e04b-a001-4820-905c-7807436e33b1"),
            equal("displayName", "UPDATED"),
        ),
    ],
    "Patch User - Multiple Operations on same attribute": [
        created(),
        changed(
            {"op": "remove", "path": "externalId"},
            {"op": "add", "value": {"externalId": "d4d1c35e"}},
            {"op": "replace", "value": {"externalId": "8e25e04b"}},
        ),
        read(equal("externalId", "8e25e04b")),
    ],
    "Delete a User": [created(), deleted(), gone()],
    "Delete a non-existent User": [deleted(404, scim_id="d950a5ce-61da-4979-8423-4600c745a897")],
    "Delete the same User twice": [created(), deleted(), deleted(404)],
}

A_GROUP = {"displayName": "ZGHZBQHCAPZU", "externalId": "087af0b9-d1e1-480d-acb8-03ceaa8ea85b", "schemas": [GROUP]}
MEMBER = {**FULL_USER, "userName": "member_odessa@gulgowski.uk"}
SECOND = {**FULL_USER, "userName": "member_ciara@botsfordlittle.co.uk"}


def a_group() -> Step:
    """Return the step that makes the group of a case."""
    return created(A_GROUP, "/Groups")


def regrouped(*operations: dict[str, Any]) -> Step:
    """Return the PATCH of a group."""
    return changed(*operations, status=204, endpoint="/Groups")


def look(*checks: Check, query: str = "") -> Step:
    """Return the look at the group afterwards."""
    return read(*checks, endpoint="/Groups", query=query)


def by_name(name: str, *checks: Check, more: str = "") -> Step:
    """Return the look for a group by its name."""
    return found(f'displayName+eq+"{name}"', *checks, endpoint="/Groups", more=more)


BOTH = {"op": "replace", "path": "members", "value": [{"value": "{{first}}"}, {"value": "{{second}}"}]}

GROUP_CASES = {
    "Create a new Group": [
        Step(
            "Create",
            "POST",
            "/Groups",
            201,
            A_GROUP,
            SCIM,
            [equal("displayName", "ZGHZBQHCAPZU"), not_empty("meta.location"), equal("members", [])],
        )
    ],
    "Create a duplicate Group": [
        a_group(),
        Step("Again", "POST", "/Groups", 409, A_GROUP, SCIM, [equal("scimType", "uniqueness")]),
        by_name("ZGHZBQHCAPZU", *ONE),
    ],
    "Get group by id excluding members": [a_group(), look(lacks("members"), query="?excludedAttributes=members")],
    "Filter for existing group excluding members": [
        a_group(),
        by_name("ZGHZBQHCAPZU", *ONE, lacks("members"), more="excludedAttributes=members&"),
    ],
    "Filter for an existing group": [a_group(), by_name("ZGHZBQHCAPZU", *ONE)],
    "Filter for a non-existing group": [a_group(), by_name("MIKMFSFZFILL", *NONE)],
    "Filter for an existing group with a different case": [a_group(), by_name("zghzbqhcapzu", *ONE)],
    "Patch Group - Replace Attributes": [
        a_group(),
        regrouped({"op": "replace", "value": {"externalId": "663fa3a8-e2b6-4ac0-96c8-363432cdc01d"}}),
        look(equal("externalId", "663fa3a8-e2b6-4ac0-96c8-363432cdc01d"), equal("displayName", "ZGHZBQHCAPZU")),
    ],
    "Update Group displayName": [
        a_group(),
        regrouped({"op": "replace", "value": {"displayName": "WUZPWMBDDCGI"}}),
        look(equal("displayName", "WUZPWMBDDCGI")),
    ],
    "Patch Group - Add Member": [
        created(MEMBER, keep="first"),
        a_group(),
        regrouped({"op": "replace", "path": "members", "value": [{"value": "{{first}}"}]}),
        look(equal("members[0].value", "{{first}}")),
    ],
    "Patch Group - Remove Member": [
        created(MEMBER, keep="first"),
        created(SECOND, keep="second"),
        a_group(),
        regrouped(BOTH),
        regrouped({"op": "remove", "path": 'members[value eq "{{first}}"]'}),
        look(lacks("{{first}}"), equal("members[0].value", "{{second}}")),
    ],
    "Patch Group - Multiple Operations on same attribute": [
        created(MEMBER, keep="first"),
        a_group(),
        regrouped(
            {"op": "add", "path": "members", "value": [{"value": "{{first}}"}]},
            {"op": "remove", "path": 'members[value eq "{{first}}"]'},
        ),
        look(equal("members", [])),
    ],
    "Delete a Group": [a_group(), deleted(endpoint="/Groups"), gone("/Groups")],
    "Delete a non-existent Group": [deleted(404, endpoint="/Groups", scim_id="d950a5ce-61da-4979-8423-4600c745a897")],
    "Delete the same Group twice": [a_group(), deleted(endpoint="/Groups"), deleted(404, endpoint="/Groups")],
}

EMPTIED = {path: value for path, value in OTHERS.items() if isinstance(value, str) and path != "externalId"}


def pages(endpoint: str, bodies: list[dict[str, Any]]) -> list[Step]:
    """Return a walk through eleven resources, five at a time."""
    walk = [
        Step(
            f"Page {page}",
            "GET",
            f"{endpoint}?startIndex={page * 5 + 1}&count=5",
            200,
            checks=[equal("startIndex", page * 5 + 1), equal("totalResults", 11), equal("itemsPerPage", length)],
        )
        for page, length in enumerate([5, 5, 1, 0])
    ]
    return [*(created(body, endpoint) for body in bodies), *walk]


def cleared(value: Any) -> list[Step]:
    """Return the case that empties every attribute that may be empty, one operation each and then all at once."""
    nothing = [holds(path, None) for path in EMPTIED]
    return [
        created(),
        changed(*one_each("replace", dict.fromkeys(EMPTIED, value))),
        read(*nothing, equal("userName", LOGIN)),
        changed(*at_once("replace", dict.fromkeys(EMPTIED, value))),
        read(*nothing, is_true("active")),
    ]


GALLERY_CASES = {
    "SCIM_Null_Update_Test, empty texts": cleared(""),
    "SCIM_Null_Update_Test, nulls": cleared(None),
    "SCIM_User_Create_Test": [
        Step("Create", "POST", "/Users", 201, FULL_USER, SCIM, [not_empty("id"), equal("userName", LOGIN)])
    ],
    "SCIM_User_Update_Test": [
        created(),
        changed(*one_each("Replace", OTHERS)),
        read(*(holds(path, value) for path, value in OTHERS.items())),
    ],
    "SCIM_Group_Create_Test": [
        Step("Create", "POST", "/Groups", 201, A_GROUP, SCIM, [not_empty("id"), equal("displayName", "ZGHZBQHCAPZU")])
    ],
    "SCIM_Group_Update_Test": [
        a_group(),
        regrouped(*one_each("Replace", {"displayName": "RENAMED", "externalId": "e2"})),
        look(equal("displayName", "RENAMED"), equal("externalId", "e2")),
    ],
    "SCIM_User_Pagination_Test": pages(
        "/Users", [{"schemas": [USER], "userName": f"scpage{number}@test.com"} for number in range(11)]
    ),
    "SCIM_Group_Pagination_Test": pages(
        "/Groups", [{"schemas": [GROUP], "displayName": f"scpage{number}"} for number in range(11)]
    ),
    "SCIM_Update_Manager_Test": [
        created(NOBODY),
        changed({"op": "Add", "path": MANAGER, "value": "M1"}),
        read(holds(f"{MANAGER}.value", "M1")),
        changed({"op": "Replace", "path": MANAGER, "value": "M2"}),
        read(holds(f"{MANAGER}.value", "M2")),
        changed({"op": "Replace", "path": MANAGER, "value": ""}),
        read(holds(f"{MANAGER}.value", None)),
    ],
}

CASES = {**USER_CASES, **GROUP_CASES, **GALLERY_CASES}


@pytest.mark.parametrize("case", CASES)
def test_the_validators_case_passes(front_door: FrontDoor, case: str) -> None:
    problems = run(CASES[case], base_url=front_door.url, variables={"auth": f"Bearer {front_door.token}"})
    assert not problems, "\n".join(problems)


def test_every_attribute_that_entra_maps_is_discoverable(front_door: FrontDoor) -> None:
    """Schema_Discoverability_Test: /Schemas is flattened to names such as `emails[type eq "work"].value`."""
    schemas: dict[str, Any] = {}

    def keep(answer: Answer, _: Variables) -> str | None:
        schemas.update({each["id"]: each["attributes"] for each in answer.document["Resources"]})
        return None

    run(
        [Step("Get Schemas", "GET", "/Schemas", 200, checks=[keep])],
        base_url=front_door.url,
        variables={"auth": f"Bearer {front_door.token}"},
    )
    names = set(flattened(schemas[USER])) | {f"{ENTERPRISE}:{each['name']}" for each in schemas[ENTERPRISE]}
    # What no schema lists, because it is common to all resources (RFC 7643 section 3.1).
    missing = {path for path in {**OTHERS, MANAGER: ""} if path not in names} - {"externalId"}
    # Roles have no canonical types; the validator asks for them by `primary`.
    assert missing == {f'roles[primary eq "True"].{sub}' for sub in ("display", "value", "type")}
    assert {"displayName", "members"} <= {each["name"] for each in schemas[GROUP]}


def flattened(attributes: list[dict[str, Any]]) -> list[str]:
    """Return attribute names as the gallery's validation makes them of a schema."""
    names = []
    for each in attributes:
        subs = each.get("subAttributes", [])
        types = next((sub.get("canonicalValues", []) for sub in subs if sub["name"] == "type"), [])
        if each["multiValued"]:
            names += [f'{each["name"]}[type eq "{kind}"].{sub["name"]}' for kind in types for sub in subs]
        elif subs:
            names += [f"{each['name']}.{sub['name']}" for sub in subs]
        else:
            names.append(each["name"])
    return names
