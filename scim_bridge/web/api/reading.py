"""Reads a request as its operation describes it; what does not fit is refused, all of it named."""

import itertools
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import jsonschema

from scim_bridge.domain.instants import Millis
from scim_bridge.errors import NotThere, UsageError
from scim_bridge.operators.moments import parse_moment
from scim_bridge.web.api.operations import LONGEST_REASON, Asked, Operation, Parameter, Schema

MOST_BODY_BYTES = 1_048_576
FAULTS_LOOKED_AT = 20
MOST_DIGITS = 16
"""Of a whole number: those that every client reads exactly have no more."""

_TRUTHS = {"true": True, "false": False}


def query_of(operation: Operation, given: Mapping[str, list[str]], *, now: Millis) -> dict[str, Any]:
    """Return the query's parameters by name, read as their schemas say; defaults are filled in.

    Raises:
        UsageError: there is none of a name, one is missing, given twice, or of the wrong form.
    """
    known = {each.name: each for each in operation.parameters if f"{{{each.name}}}" not in operation.path}
    unknown = sorted(set(given) - set(known))
    if unknown:
        there = ", ".join(sorted(known)) or "none"
        raise UsageError(f"There is no parameter {', '.join(map(repr, unknown))} here (there: {there}).")
    read = {}
    for name, parameter in known.items():
        values = given.get(name, [])
        if len(values) > 1:
            raise UsageError(f"The parameter {name} is given {len(values)} times; give it once.")
        if values:
            read[name] = read_value(parameter, values[0], now=now)
        elif parameter.required:
            raise UsageError(f"The parameter {name} is missing: {parameter.tells}")
        elif "default" in parameter.schema:
            read[name] = parameter.schema["default"]
    return read


def path_of(operation: Operation, given: Mapping[str, str], *, now: Millis) -> dict[str, Any]:
    """Return the path's parameters by name, read as their schemas say.

    Raises:
        NotThere: one is of the wrong form, so that nothing bears it.
    """
    known = {each.name: each for each in operation.parameters}
    try:
        return {name: read_value(known[name], value, now=now) for name, value in given.items()}
    except UsageError as error:
        raise NotThere(str(error)) from None


def read_value(parameter: Parameter, text: str, *, now: Millis) -> Any:
    """Return the value that a text gives a parameter.

    Raises:
        UsageError: it gives none.
    """
    value: Any = text
    kind = parameter.schema.get("type", "string")
    if kind == "integer" and text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS:
        value = int(text)
    elif kind == "boolean":
        value = _TRUTHS.get(text, text)
    fault = first_fault(parameter.schema, value)
    if fault is None and isinstance(value, str) and not value.isprintable():
        fault = "it holds characters that cannot be printed"
    if fault is not None:
        raise UsageError(f"The parameter {parameter.name} cannot be read: {fault}.")
    return read_moment(parameter.name, value, now=now) if parameter.schema.get("format") == "moment" else value


def read_moment(name: str, text: str, *, now: Millis) -> Millis:
    """Return the instant that a text gives what is called `name`.

    Raises:
        UsageError: it gives none.
    """
    try:
        return parse_moment(text, now)
    except UsageError as error:
        raise UsageError(f"{name} cannot be read: {error}.") from None


def body_of(operation: Operation, content: bytes, content_type: str | None) -> dict[str, Any]:
    """Return the body's JSON object.

    Raises:
        UsageError: it is none, or not as the operation describes it.
    """
    if operation.body is None:
        if content:
            raise UsageError("This takes no body.")
        return {}
    if content and (content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise UsageError("Send the body as application/json.")
    try:
        body = json.loads(
            content or b"{}", parse_constant=_refuse_constant, parse_int=_whole_number, parse_float=_number
        )
        can_be_kept = _can_be_kept(body)
    except (ValueError, RecursionError):
        raise UsageError("The body is no JSON that can be read here.") from None
    if not can_be_kept:
        raise UsageError("The body holds the character U+0000, which cannot be kept.")
    fault = first_fault(operation.body, body)
    if fault is not None:
        raise UsageError(f"The body is not as it should be: {fault}.")
    assert isinstance(body, dict)  # noqa: S101 - every operation's schema asks for an object
    return body


def reason_of(asked: Asked) -> str:
    """Return why something is done, "" when that was not said.

    Raises:
        UsageError: it is more than one line of text.
    """
    told = str(asked.body.get("reason", "")).strip()
    if not told.isprintable() or ("reason" in asked.body and not told):
        raise UsageError(f"Say why in `reason`: one line of text, {LONGEST_REASON} characters at the most.")
    return told


def first_fault(schema: Schema, value: Any) -> str | None:
    """Return what is wrong with a value by a schema, without quoting it; None: nothing."""
    # One is told of. Of a list of a hundred thousand wrong things not each is looked at.
    some = itertools.islice(_validator(json.dumps(schema)).iter_errors(value), FAULTS_LOOKED_AT)
    error = jsonschema.exceptions.best_match(some)
    if error is None:
        return None
    where = "/".join(map(str, error.absolute_path))
    wanted = json.dumps(error.validator_value, ensure_ascii=False)
    rule = str(error.validator)
    if rule == "additionalProperties":
        return f"{where or 'it'} has keys that are not known here (known: {', '.join(error.schema['properties'])})"
    if rule == "required":
        return f"{where or 'it'} needs {', '.join(error.validator_value)}"
    return f"{where + ' ' if where else ''}must have {rule} {wanted[:200]}"


@cache
def _validator(schema: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(schema))


def _can_be_kept(value: Any) -> bool:
    """Tell whether every database takes the texts in a value.

    Raises:
        ValueError: one has half of a character in it (RFC 8259, section 8.2), which no text has.
    """
    if isinstance(value, str):
        return b"\0" not in value.encode()
    if isinstance(value, dict):
        return all(map(_can_be_kept, (*value.keys(), *value.values())))
    return all(map(_can_be_kept, value)) if isinstance(value, list) else True


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _whole_number(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError("too long")
    return int(text)


def _number(text: str) -> float | int:
    """Return 1.0 as 1: JSON schema takes both for the same, and so do most clients."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < 10**MOST_DIGITS else number
