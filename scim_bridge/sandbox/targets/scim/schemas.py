"""What a simulated SCIM service accepts as a User, a Group, a PATCH and a bulk request, as JSON Schema."""

from typing import Any

from jsonschema import Draft202012Validator

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK_REQUEST = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
BULK_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
SEARCH_REQUEST = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"

READ_ONLY = frozenset({"id", "meta", "groups"})

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_NAME: Schema = {"type": "string", "minLength": 1}
_FLAG: Schema = {"type": "boolean"}


def _object(properties: Schema, *, required: tuple[str, ...] = ()) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required)}


def _list_of(properties: Schema, *, required: tuple[str, ...] = ()) -> Schema:
    return {"type": "array", "items": _object(properties, required=required)}


def _with_schema(urn: str) -> Schema:
    return {"type": "array", "items": _TEXT, "contains": {"const": urn}}


_VALUED: Schema = {"value": _TEXT, "display": _TEXT, "type": _TEXT, "primary": _FLAG}
_NAME_PARTS = ("formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix")
_ADDRESS_PARTS = ("formatted", "streetAddress", "locality", "region", "postalCode", "country", "type")
_ENTERPRISE_TEXTS = ("employeeNumber", "costCenter", "organization", "division", "department")
_USER_TEXTS = (
    *("externalId", "displayName", "nickName", "profileUrl", "title", "userType"),
    *("preferredLanguage", "locale", "timezone", "password"),
)

USER_SCHEMA = _object(
    {
        "schemas": _with_schema(USER),
        "userName": _NAME,
        **dict.fromkeys(_USER_TEXTS, _TEXT),
        "active": _FLAG,
        "name": _object(dict.fromkeys(_NAME_PARTS, _TEXT)),
        "emails": _list_of(_VALUED, required=("value",)),
        "phoneNumbers": _list_of(_VALUED),
        "ims": _list_of(_VALUED),
        "photos": _list_of(_VALUED),
        "entitlements": _list_of(_VALUED),
        "roles": _list_of(_VALUED),
        "x509Certificates": _list_of(_VALUED),
        "addresses": _list_of({**dict.fromkeys(_ADDRESS_PARTS, _TEXT), "primary": _FLAG}),
        ENTERPRISE: _object(
            {
                **dict.fromkeys(_ENTERPRISE_TEXTS, _TEXT),
                "manager": _object({"value": _TEXT, "displayName": _TEXT}),
            }
        ),
    },
    required=("schemas", "userName"),
)

GROUP_SCHEMA = _object(
    {
        "schemas": _with_schema(GROUP),
        "displayName": _NAME,
        "externalId": _TEXT,
        "members": {"type": "array"},
    },
    required=("schemas", "displayName"),
)

PATCH_SCHEMA = _object(
    {
        "schemas": _with_schema(PATCH_OP),
        "Operations": {
            **_list_of({"op": {"enum": ["add", "replace", "remove"]}, "path": _NAME}, required=("op",)),
            "minItems": 1,
        },
    },
    required=("schemas", "Operations"),
)

BULK_SCHEMA = _object(
    {
        "schemas": _with_schema(BULK_REQUEST),
        "failOnErrors": {"type": "integer", "minimum": 1},
        "Operations": _list_of(
            {
                "method": {"enum": ["POST", "PUT", "PATCH", "DELETE"]},
                "path": _NAME,
                "bulkId": _NAME,
                "data": {"type": "object"},
            },
            required=("method", "path"),
        ),
    },
    required=("schemas", "Operations"),
)

_VALIDATORS = {
    "User": Draft202012Validator(USER_SCHEMA),
    "Group": Draft202012Validator(GROUP_SCHEMA),
    "PatchOp": Draft202012Validator(PATCH_SCHEMA),
    "BulkRequest": Draft202012Validator(BULK_SCHEMA),
}

ATTRIBUTES = {"User": frozenset(USER_SCHEMA["properties"]), "Group": frozenset(GROUP_SCHEMA["properties"])}
"""Attributes that may be written, by type."""

MULTI_VALUED = frozenset(
    name
    for schema in (USER_SCHEMA, GROUP_SCHEMA)
    for name, each in schema["properties"].items()
    if each["type"] == "array"
)
"""Attributes that are lists."""


def breach(kind: str, document: Any) -> str | None:
    """Return the first thing that is wrong with a User, Group, PatchOp or BulkRequest: the place, but no value."""
    for error in _VALIDATORS[kind].iter_errors(document):
        place = ".".join(str(part) for part in error.absolute_path) or kind
        if error.validator == "required":
            missing = [name for name in error.validator_value if name not in error.instance]
            return f"{place} lacks {', '.join(missing)}"
        return f"{place} breaks the rule {error.validator}"
    # By hand, because a group of ten thousand is judged with every change of it.
    if kind == "Group" and not all(_is_member(each) for each in document.get("members", ())):
        return "members must be objects with a value"
    return None


def writable(kind: str, document: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes that this target knows and lets others write; the rest is ignored, as RFC 7644 3.3 allows.

    Passwords are dropped: nothing here can be logged into.
    """
    return {name: value for name, value in document.items() if name in ATTRIBUTES[kind] - {"password"}}


def _is_member(member: Any) -> bool:
    return isinstance(member, dict) and isinstance(member.get("value"), str) and bool(member["value"])
