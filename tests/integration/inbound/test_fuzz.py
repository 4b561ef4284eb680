"""Random nonsense at every door: always an answer of SCIM's own, never a 500, and the books balance."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from running.door import SCIM

from scim_bridge.store.verify import verify_ledger

ATTRIBUTES = """schemas id externalId meta userName name displayName active password emails phoneNumbers groups members
manager department title roles x509Certificates photos primary value type $ref op path Operations Value OP nosuch
urn:ietf:params:scim:schemas:extension:enterprise:2.0:User urn:ietf:params:scim:schemas:core:2.0:User:title urn:x:y
name.givenName emails.value meta.created meta.version roles.primary emails[type"""
NAMES = st.sampled_from([*ATTRIBUTES.split(), 'emails[type eq "work"].value', ""])
TEXTS = st.sampled_from(
    ["", " ", "True", "work", "add", "Replace", "remove", "members", "😀", "a'b\"c", "%_", "\u0130"]
)
SCALARS = st.none() | st.booleans() | st.integers(-3, 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
RESOURCES = st.dictionaries(NAMES, VALUES, max_size=6)
PATHS = NAMES | st.sampled_from(
    ['members[value eq "x"]', "emails[", "emails.type", 'emails[type eq "work" and primary eq true]', "a.b.c", "]"]
)
OPERATIONS = st.lists(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "Replace", "remove", "REMOVE", "move"])},
        optional={"path": PATHS | SCALARS, "value": VALUES},
    ),
    max_size=4,
)
TERMS = st.tuples(
    st.sampled_from(ATTRIBUTES.split()),
    st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "le", "pr", "xx"]),
    st.sampled_from(['"a"', "true", "null", "7", "1.5", '"2020-01-01T00:00:00Z"', '"😀%_"', "", '"', '"\\u0000"', "]"]),
)
FILTERS = st.lists(TERMS, min_size=1, max_size=4).flatmap(
    lambda terms: st.sampled_from([" and ", " or ", " and not (", ") or ("]).map(
        lambda joint: joint.join(" ".join(term) for term in terms)
    )
)
REQUESTS = st.one_of(
    st.tuples(st.just("POST"), st.sampled_from(["/Users", "/Groups", "/Users/.search", "/Bulk", "/Me"]), RESOURCES),
    st.tuples(st.just("PUT"), st.sampled_from(["/Users/{user}", "/Groups/{group}"]), RESOURCES),
    st.tuples(
        st.just("PATCH"),
        st.sampled_from(["/Users/{user}", "/Groups/{group}"]),
        OPERATIONS.map(lambda operations: {"Operations": operations}),
    ),
    st.tuples(
        st.just("POST"),
        st.just("/Bulk"),
        st.tuples(
            st.sampled_from(["POST", "PUT", "PATCH"]), st.sampled_from(["/Users", "/Groups/{group}"]), VALUES
        ).map(lambda parts: {"Operations": [{"method": parts[0], "path": parts[1], "bulkId": "1", "data": parts[2]}]}),
    ),
    st.tuples(st.just("GET"), st.sampled_from(["/Users", "/Groups", "/"]), FILTERS.map(lambda text: {"filter": text})),
)


@pytest.fixture
def places(sender: Any) -> dict[str, str]:
    ann = sender.user("ann", emails=[{"value": "ann@x", "type": "work", "primary": True}], manager="M1")
    return {"user": ann["id"], "group": sender.group("Sales", ann["id"])["id"]}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request=REQUESTS)
def test_no_request_makes_the_bridge_fail(sender: Any, places: dict[str, str], request: Any) -> None:
    method, path, body = request
    path = path.replace("{user}", places["user"]).replace("{group}", places["group"])
    if method == "GET":
        response = sender.client.get(
            f"/scim/v2{path}", query_string=body, headers={"Authorization": f"Bearer {sender.token}"}
        )
    else:
        response = sender.send(method, path, json.dumps(body))
    assert response.status_code < 500 or response.status_code == 501, response.text
    assert response.content_type == SCIM
    for operation in (response.json or {}).get("Operations", []) if response.status_code == 200 else []:
        assert not str(operation["status"]).startswith("5"), operation
    if response.status_code >= 400:
        assert response.json["detail"]


def test_the_books_balance_after_nonsense(sender: Any, shared_store: Any) -> None:
    sender.user("ann")
    assert verify_ledger(shared_store)["balanced"]
