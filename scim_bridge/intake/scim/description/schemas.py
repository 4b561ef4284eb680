"""JSON Schemas of what travels over the SCIM endpoints. Resources come from their models, messages from the RFCs."""

from typing import Any

from scim2_models import Attribute, BulkRequest, BulkResponse, ListResponse, Mutability, PatchOp, Required, Resource
from scim2_models import Error as ErrorMessage
from scim2_models import SearchRequest as SearchMessage

JsonSchema = dict[str, Any]

SCIM_TYPES = [
    *("invalidFilter", "tooMany", "uniqueness", "mutability", "invalidSyntax", "invalidPath", "noTarget"),
    *("invalidValue", "invalidVers", "sensitive", "invalidCursor", "expiredCursor", "invalidCount"),
]
"""RFC 7644 table 9 and RFC 9865 section 2.1."""

METHODS = ("POST", "PUT", "PATCH", "DELETE")

_TYPES: dict[Attribute.Type, JsonSchema] = {
    Attribute.Type.boolean: {"type": "boolean"},
    Attribute.Type.decimal: {"type": "number"},
    Attribute.Type.integer: {"type": "integer"},
    Attribute.Type.date_time: {"type": "string", "format": "date-time"},
    Attribute.Type.binary: {"type": "string", "contentEncoding": "base64"},
}

_META: JsonSchema = {
    "type": "object",
    "description": "What the server says about the resource (RFC 7643 section 3.1)",
    "properties": {
        "resourceType": {"type": "string"},
        "created": {"type": "string", "format": "date-time"},
        "lastModified": {"type": "string", "format": "date-time"},
        "location": {"type": "string", "format": "uri"},
        "version": {"type": "string", "description": "The entity tag that If-Match takes"},
    },
}


def reference(name: str) -> JsonSchema:
    """Return a reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def shown(model: type[Resource[Any]]) -> JsonSchema:
    """Return the schema of a resource as an answer shows it; `attributes` may leave out all but schemas and id."""
    own = [each for each in _attributes_of(model) if str(each.returned) != "never"]
    properties = {"schemas": _uris(), "id": {"type": "string"}, **_properties(own)}
    for urn, extension in model.get_extension_models().items():
        properties[str(urn)] = {"type": "object", "properties": _properties(_attributes_of(extension))}
    return {"type": "object", "properties": {**properties, "meta": _META}, "required": ["schemas", "id"]}


def sent(model: type[Resource[Any]]) -> JsonSchema:
    """Return the schema of a resource as a sender writes it. What the server makes is passed over, so it is no part."""
    own = _writable(_attributes_of(model))
    properties = {"schemas": _uris(), "externalId": {"type": "string"}, **_properties(own, is_sent=True)}
    for urn, extension in model.get_extension_models().items():
        written = _properties(_writable(_attributes_of(extension)), is_sent=True)
        if written:
            properties[str(urn)] = {"type": "object", "properties": written}
    required = [str(each.name) for each in own if each.required == Required.true]
    return {"type": "object", "properties": properties, "required": required}


def listed(*names: str) -> JsonSchema:
    """Return the schema of a page of resources (RFC 7644 section 3.4.2, RFC 9865)."""
    items = [reference(name) for name in names]
    return _message(
        ListResponse.__schema__,
        {
            "totalResults": {"type": "integer", "minimum": 0},
            "itemsPerPage": {"type": "integer", "minimum": 0},
            "startIndex": {"type": "integer", "minimum": 1},
            "nextCursor": {"type": "string"},
            "previousCursor": {"type": "string"},
            "Resources": {"type": "array", "items": items[0] if len(items) == 1 else {"anyOf": items}},
        },
        required=["itemsPerPage", "Resources"],
    )


def messages(sent_names: list[str]) -> dict[str, JsonSchema]:
    """Return the schemas of the messages of RFC 7644, by name. `sent_names` name the resources as they are sent."""
    return {
        "Error": _message(
            ErrorMessage.__schema__,
            {
                "status": {"type": "string", "pattern": "^[1-5][0-9][0-9]$"},
                "scimType": {"enum": SCIM_TYPES},
                "detail": {"type": "string"},
            },
            required=["status", "detail"],
        ),
        "SearchRequest": _message(
            SearchMessage.__schema__,
            {name: schema for name, (schema, _) in SEARCH_PARAMETERS.items()},
        ),
        "PatchOp": _message(
            PatchOp.__schema__,
            {"Operations": {"type": "array", "minItems": 1, "items": reference("PatchOperation")}},
            required=["Operations"],
        ),
        "PatchOperation": {
            "type": "object",
            "properties": {
                "op": {"enum": ["add", "replace", "remove"]},
                "path": {"type": "string", "description": "RFC 7644 figure 7; a whole resource without one"},
                "value": {"description": "A value, an object or a list, as the path takes it"},
            },
            "required": ["op"],
        },
        "BulkRequest": _message(
            BulkRequest.__schema__,
            {
                "failOnErrors": {"type": "integer", "minimum": 1},
                "Operations": {"type": "array", "items": _bulk_operation(sent_names)},
            },
            required=["Operations"],
        ),
        "BulkResponse": _message(
            BulkResponse.__schema__,
            {"Operations": {"type": "array", "items": _BULK_OUTCOME}},
            required=["Operations"],
        ),
    }


def _names(description: str) -> JsonSchema:
    return {"type": "array", "items": {"type": "string"}, "description": description}


SEARCH_PARAMETERS: dict[str, tuple[JsonSchema, str]] = {
    "filter": ({"type": "string"}, "Which resources, as RFC 7644 section 3.4.2.2 writes it"),
    "sortBy": ({"type": "string"}, "The attribute that gives the order"),
    "sortOrder": ({"enum": ["ascending", "descending"]}, "Ascending, unless told otherwise"),
    "startIndex": ({"type": "integer"}, "The first resource to show, counted from 1; what is less means 1"),
    "count": ({"type": "integer"}, "How many resources at most; what is less than 0 means 0"),
    "cursor": ({"type": "string"}, "Where to go on, as nextCursor says; empty for the first page (RFC 9865)"),
    "attributes": (_names("Show only these"), "Show only these attributes"),
    "excludedAttributes": (_names("Leave these out"), "Leave these attributes out"),
}
"""What a search takes, in a query and in a body: the schema of each, and what it means."""

_BULK_OUTCOME: JsonSchema = {
    "type": "object",
    "properties": {
        "method": {"enum": list(METHODS)},
        "bulkId": {"type": "string"},
        "version": {"type": "string"},
        "location": {"type": "string"},
        "status": {"type": "string", "pattern": "^[1-5][0-9][0-9]$"},
        "response": reference("Error"),
    },
    "required": ["status"],
}


def _bulk_operation(sent_names: list[str]) -> JsonSchema:
    return {
        "type": "object",
        "properties": {
            "method": {"enum": list(METHODS)},
            "path": {"type": "string", "description": "Relative to the SCIM root: /Users, or /Users/ with an id"},
            "bulkId": {"type": "string", "description": "Names what a POST creates; others refer to it by bulkId:..."},
            "version": {"type": "string", "description": "As If-Match"},
            "data": {"anyOf": [reference(name) for name in [*sent_names, "PatchOp"]]},
        },
        "required": ["method", "path"],
    }


def _message(urn: Any, properties: dict[str, JsonSchema], *, required: list[str] | None = None) -> JsonSchema:
    schemas = {"type": "array", "items": {"type": "string"}, "examples": [[str(urn)]]}
    return {"type": "object", "properties": {"schemas": schemas, **properties}, "required": required or []}


def _uris() -> JsonSchema:
    return {"type": "array", "items": {"type": "string"}}


def _attributes_of(model: type[Any]) -> list[Attribute]:
    return list(model.to_schema().attributes or [])


def _writable(attributes: list[Attribute]) -> list[Attribute]:
    return [each for each in attributes if each.mutability != Mutability.read_only]


def _properties(attributes: list[Attribute], *, is_sent: bool = False) -> dict[str, JsonSchema]:
    return {str(each.name): _attribute(each, is_sent=is_sent) for each in attributes}


def _attribute(attribute: Attribute, *, is_sent: bool) -> JsonSchema:
    subs = attribute.sub_attributes or []
    if attribute.type == Attribute.Type.complex:
        schema: JsonSchema = {
            "type": "object",
            "properties": _properties(_writable(subs) if is_sent else subs, is_sent=is_sent),
        }
    else:
        schema = dict(_TYPES.get(attribute.type or Attribute.Type.string, {"type": "string"}))
    if attribute.canonical_values:
        schema["examples"] = list(attribute.canonical_values)
    if attribute.multi_valued:
        schema = {"type": "array", "items": schema}
    if attribute.description:
        schema["description"] = " ".join(attribute.description.split())
    return schema
