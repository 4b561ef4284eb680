"""JSON schemas of what answers are made of. Every key that they name is there; a client must bear further ones."""

from scim_bridge.web.api.operations import Schema

TEXT: Schema = {"type": "string"}
TEXT_OR_NONE: Schema = {"type": ["string", "null"]}
COUNT: Schema = {"type": "integer", "minimum": 0}
COUNT_OR_NONE: Schema = {"type": ["integer", "null"]}
NUMBER: Schema = {"type": "integer", "minimum": 1}
NUMBER_OR_NONE: Schema = {"type": ["integer", "null"], "minimum": 1}
TRUTH: Schema = {"type": "boolean"}
TRUTH_OR_NONE: Schema = {"type": ["boolean", "null"]}
INSTANT: Schema = {"type": "string", "format": "date-time"}
INSTANT_OR_NONE: Schema = {"type": ["string", "null"], "format": "date-time"}
ANYTHING: Schema = {}
OBJECT: Schema = {"type": "object"}
TEXTS: Schema = {"type": "array", "items": TEXT}
COUNTS: Schema = {"type": "object", "additionalProperties": COUNT}
"""How many there are of each kind."""


def record(**keys: Schema) -> Schema:
    """Return the schema of an object that has at least these keys; a key that is a word of Python ends in `_`."""
    return record_of({name.rstrip("_"): schema for name, schema in keys.items()})


def record_of(keys: dict[str, Schema], *, optional: dict[str, Schema] | None = None) -> Schema:
    """Return the schema of an object that has at least these keys, and perhaps the optional ones."""
    return {"type": "object", "required": list(keys), "properties": {**keys, **(optional or {})}}


def body(*, optional: dict[str, Schema] | None = None, **keys: Schema) -> Schema:
    """Return the schema of a request's body: all of these keys, perhaps the optional ones, and no others."""
    return {**record_of(keys, optional=optional), "additionalProperties": False}


def list_of(item: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": item}


def one_of(*words: str) -> Schema:
    """Return the schema of a text that is one of some words."""
    return {"type": "string", "enum": list(words)}
