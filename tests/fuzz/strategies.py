"""Requests as chance makes them: near enough to right ones that many are accepted, far enough that many are not."""

import json
from typing import Any

from fuzz.watched import MARK
from hypothesis import strategies as st

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"

ATTRIBUTES = f"""schemas id externalId meta userName name displayName nickName profileUrl title userType active password
emails phoneNumbers addresses groups members manager department roles entitlements ims photos x509Certificates locale
primary value type $ref display op path Operations Value OP nosuch USERNAME Emails {ENTERPRISE} {CORE}:title urn:x:y
name.givenName emails.value emails.type meta.created meta.version meta.location roles.primary members.value
groups.display {ENTERPRISE}:manager {ENTERPRISE}:manager.value {ENTERPRISE}:department""".split()

TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "True",
            "false",
            "work",
            "home",
            "Employee",
            "Sales",
            "add",
            "😀",
            "a'b\"c",
            "%_\\",
            "\u0130",
            "{user}",
        ]
    ),
    st.sampled_from([f"{MARK}-ann@example.com", f"{MARK.upper()}-BOB@EXAMPLE.COM", f"{MARK}-new", "M1", "{group}"]),
    st.text(max_size=12),
)
NUMBERS = st.integers(-3, 2**70) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
NAMES = st.sampled_from([*ATTRIBUTES, 'emails[type eq "work"].value', ""]) | st.text(max_size=6)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=10
)

_ELEMENT = st.fixed_dictionaries(
    {"value": TEXTS},
    optional={
        "type": st.sampled_from(["work", "home", "other", "", "x"]),
        "primary": st.booleans() | st.sampled_from(["True", "false"]),
        "display": TEXTS,
        "$ref": TEXTS,
    },
)
_PLAUSIBLE: dict[str, st.SearchStrategy[Any]] = {
    "externalId": TEXTS,
    "displayName": TEXTS,
    "title": TEXTS,
    "userType": st.sampled_from(["Employee", "Guest", ""]),
    "active": st.booleans() | st.sampled_from(["True", "False", "perhaps"]),
    "name": st.fixed_dictionaries({}, optional={"givenName": TEXTS, "familyName": TEXTS}),
    "emails": st.lists(_ELEMENT, max_size=3),
    "roles": st.lists(_ELEMENT, max_size=2) | VALUES,
    "x509Certificates": st.lists(_ELEMENT, max_size=2),
    "manager": TEXTS,
    ENTERPRISE: st.fixed_dictionaries({}, optional={"department": TEXTS, "manager": TEXTS | _ELEMENT}),
    "members": st.lists(_ELEMENT | st.sampled_from([{"value": "{user}"}, {"value": "{other}"}]), max_size=3),
}
_OWN_NAMES = st.text(min_size=1, max_size=20).map(lambda text: f"{MARK}-{text}")


def _merged(parts: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    return {**parts[0], **parts[1]}


USERS = st.tuples(
    st.fixed_dictionaries({"userName": _OWN_NAMES | TEXTS}, optional=_PLAUSIBLE),
    st.dictionaries(NAMES, VALUES, max_size=2),
).map(_merged)
GROUPS = st.tuples(
    st.fixed_dictionaries(
        {"displayName": st.sampled_from(["Sales", "Other"]) | TEXTS},
        optional={name: _PLAUSIBLE[name] for name in ("externalId", "members", "active")},
    ),
    st.dictionaries(NAMES, VALUES, max_size=1),
).map(_merged)
NONSENSE = st.dictionaries(NAMES, VALUES, max_size=5)

# -- Filters and paths ---------------------------------------------------------------------------------------------

_FILTER_ATTRIBUTES = st.sampled_from(ATTRIBUTES)
_OPERATORS = st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "EQ", "Co", "xx", "="])
_QUOTED = st.one_of(
    TEXTS.map(json.dumps),
    TEXTS.map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.sampled_from(
        ['"\\u0000"', '"\\ud800"', '"\\x"', '"', "'a'", '"2020-01-01T00:00:00Z"', '"2020-13-45"', '"a" "b"']
    ),
    st.sampled_from(["true", "False", "null", "7", "-1.5e3", "1e400", "9" * 400, "bare", "", "]", "\u00a0"]),
)
_COMPARISONS = st.tuples(_FILTER_ATTRIBUTES, _OPERATORS, _QUOTED).map(" ".join)
_PRESENCE = _FILTER_ATTRIBUTES.map(lambda name: f"{name} pr")
_TERMS = _COMPARISONS | _PRESENCE


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from([" and ", " or ", " AND ", " xor ", " "]), inner).map("".join),
        inner.map(lambda text: f"not ({text})"),
        inner.map(lambda text: f"({text})"),
        st.tuples(_FILTER_ATTRIBUTES, inner).map(lambda parts: f"{parts[0]}[{parts[1]}]"),
        inner.map(lambda text: f"{text})"),
    )


FILTERS = st.recursive(_TERMS, _grown, max_leaves=6) | st.text(max_size=20)


def _path(parts: tuple[str, str, str]) -> str:
    name, condition, sub = parts
    return f"{name}[{condition}]{sub}"


_SELECTIONS = st.sampled_from(
    [
        'type eq "work"',
        'value eq "{user}"',
        'value eq "{other}" or value eq "{user}"',
        'type eq "new"',
        "primary eq true",
    ]
)
PATHS = st.one_of(
    st.sampled_from(ATTRIBUTES),
    st.tuples(
        st.sampled_from(["emails", "members", "roles", "addresses", "title", f"{CORE}:emails"]),
        _SELECTIONS | _TERMS | FILTERS,
        st.sampled_from(["", ".value", ".type", ".primary", ".display", ".nosuch", "."]),
    ).map(_path),
    st.sampled_from(
        ["emails[", "]", "a.b.c", ".", ":", f"{ENTERPRISE}:", f"{ENTERPRISE}:nosuch", " title ", "emails[]"]
    ),
    st.text(max_size=12),
)

# -- Patches, searches, bulk ---------------------------------------------------------------------------------------

_PATCH_VALUES = st.one_of(VALUES, st.lists(_ELEMENT, max_size=2), st.just([{"value": "{user}"}]), USERS)
_OPS = st.sampled_from(["add", "Add", "replace", "Replace", "remove", "REMOVE"])
_MEANT = st.sampled_from(sorted(_PLAUSIBLE)).flatmap(
    lambda name: st.fixed_dictionaries({"op": _OPS, "path": st.just(name), "value": _PLAUSIBLE[name]})
)
_SELECTED = st.fixed_dictionaries(
    {
        "op": _OPS,
        "path": st.tuples(
            st.sampled_from(["emails", "members", "roles"]), _SELECTIONS, st.sampled_from(["", ".value"])
        ).map(_path),
    },
    optional={"value": TEXTS | _ELEMENT},
)
_ANY = st.fixed_dictionaries({"op": _OPS | st.just("move")}, optional={"path": PATHS | SCALARS, "value": _PATCH_VALUES})
_WHOLE = st.fixed_dictionaries({"op": _OPS, "value": st.fixed_dictionaries({}, optional=_PLAUSIBLE)})
PATCH_OPERATIONS = st.one_of(_MEANT, _MEANT, _SELECTED, _WHOLE, _ANY)
PATCHES = st.lists(PATCH_OPERATIONS, min_size=1, max_size=3).map(lambda operations: {"Operations": operations})

_PAGES: dict[str, st.SearchStrategy[Any]] = {
    "filter": FILTERS,
    "sortBy": _FILTER_ATTRIBUTES | TEXTS,
    "sortOrder": st.sampled_from(["ascending", "descending", "Descending", "up"]),
    "startIndex": st.integers(-(10**30), 10**30) | SCALARS,
    "count": st.integers(-5, 300) | st.integers(10**9, 10**30) | SCALARS,
    "cursor": TEXTS,
    "attributes": st.lists(_FILTER_ATTRIBUTES | TEXTS, max_size=3),
    "excludedAttributes": st.lists(_FILTER_ATTRIBUTES | TEXTS, max_size=3),
}
SEARCHES = st.fixed_dictionaries({}, optional=_PAGES) | NONSENSE


def _as_query(search: dict[str, Any]) -> dict[str, str]:
    return {
        name: ",".join(map(str, value)) if isinstance(value, list) else str(value) for name, value in search.items()
    }


QUERIES = st.fixed_dictionaries({}, optional=_PAGES).map(_as_query)

_BULK_PATHS = st.sampled_from(
    [
        *("/Users", "/Groups", "Users", "/Users/{user}", "/Groups/{group}", "/users/{other}", "/Users/bulkId:1", "/Me"),
        *("/Bulk", "/Users/.search", "", "/", "//", "/Users/%00", "/Users/{user}/x"),
        "https://example.com/scim/v2/Users/{user}",
    ]
)
_MEMBERS = st.lists(
    st.sampled_from(["bulkId:1", "bulkId:2", "{user}", "{other}", "nobody"]).map(lambda scim_id: {"value": scim_id}),
    max_size=3,
)
_WITH_MEMBERS = st.fixed_dictionaries({"displayName": st.just("Sales"), "members": _MEMBERS})
_ODD_OPERATIONS = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["POST", "PUT", "PATCH", "DELETE", "post", "GET", ""]),
        "path": _BULK_PATHS | TEXTS,
    },
    optional={
        "bulkId": st.sampled_from(["1", "2", "bulkId:1", ""]) | SCALARS,
        "data": USERS | GROUPS | PATCHES | VALUES,
        "version": st.sampled_from(['W/"1"', "*", ""]) | SCALARS,
    },
)


def _step(method: str, path: str, data: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    bulk_id = st.sampled_from(["1", "2"])
    return st.fixed_dictionaries({"method": st.just(method), "path": st.just(path), "bulkId": bulk_id, "data": data})


_MEANT_OPERATIONS = st.one_of(
    _step("POST", "/Users", USERS),
    _step("POST", "/Groups", _WITH_MEMBERS),
    _step("PUT", "/Groups/{group}", _WITH_MEMBERS),
    _step("PUT", "/Users/{user}", USERS),
    _step("PATCH", "/Groups/{group}", PATCHES),
    _step("PATCH", "/Users/{other}", PATCHES),
    _step("DELETE", "/Users/{other}", st.none()),
)
_BULK_OPERATIONS = _MEANT_OPERATIONS | _MEANT_OPERATIONS | _ODD_OPERATIONS
BULKS = st.fixed_dictionaries(
    {"Operations": st.lists(_BULK_OPERATIONS, max_size=5)},
    optional={"failOnErrors": st.integers(-1, 3) | SCALARS, "schemas": VALUES},
)


@st.composite
def broken(draw: st.DrawFn, bodies: st.SearchStrategy[Any]) -> bytes:
    """A body as JSON, now and then with a piece of it lost, doubled or put somewhere else."""
    text = json.dumps(draw(bodies), ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 9)) != 5:
        return text
    at = draw(st.integers(0, len(text)))
    wedge = draw(
        st.sampled_from([b"", b'"', b"{", b"]", b",", b"\x00", b"\xff", b"\\u0000", b"\\ud800", b"1e999", text])
    )
    return text[:at] + wedge + text[at + draw(st.integers(0, 5)) :]
