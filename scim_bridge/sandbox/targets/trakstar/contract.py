"""The OpenAPI document of Trakstar Learn as a judge of requests and answers."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from functools import cache
from importlib import resources
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

Schema = dict[str, Any]

_FORMATS = FormatChecker(formats=())
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


@_FORMATS.checks("email")
def _is_email(value: object) -> bool:
    return not isinstance(value, str) or _EMAIL.fullmatch(value) is not None


@_FORMATS.checks("date", raises=ValueError)
def _is_date(value: object) -> bool:
    return not isinstance(value, str) or (len(value) == 10 and bool(date.fromisoformat(value)))


@_FORMATS.checks("date-time", raises=ValueError)
def _is_instant(value: object) -> bool:
    return not isinstance(value, str) or bool(read_instant(value))


@_FORMATS.checks("int64")
def _is_int64(value: object) -> bool:
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def read_instant(text: str) -> datetime:
    """Read an ISO 8601 date or date-time; without a zone it is UTC. Raises ValueError.

    The document's text allows the bare date that its own format excludes.
    """
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document that is shipped beside this module."""
    text = resources.files(__package__).joinpath("openapi.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


@cache
def operations() -> dict[str, tuple[str, str, Mapping[str, Any]]]:
    """Return method, path and definition of every operation by operationId."""
    return {
        definition["operationId"]: (method.upper(), path, definition)
        for path, methods in document()["paths"].items()
        for method, definition in methods.items()
    }


def breaches_of_body(operation_id: str, body: Any, *, is_strict: bool, custom_fields: str = "customfield") -> list[str]:
    """Return what is wrong with a request body: nothing when it fits. `is_strict` refuses undeclared members.

    `custom_fields` is the name under which the ten custom fields go.
    """
    return _complaints(_request_validator(operation_id, is_strict, custom_fields), body)


def breaches_of_user(user: Any, *, is_strict: bool, custom_fields: str = "customfield") -> list[str]:
    """Return what is wrong with one new user."""
    return _complaints(_user_validator(is_strict, custom_fields), user)


def breaches_of_query(operation_id: str, query: Mapping[str, str], *, is_strict: bool) -> list[str]:
    """Return what is wrong with query parameters, each declared one by its schema."""
    declared = {
        each["name"]: each["schema"]
        for each in operations()[operation_id][2].get("parameters", ())
        if each["in"] == "query"
    }
    complaints = []
    for name, text in query.items():
        if name not in declared:
            # The vendor's pages ask for responseFormat where the document forgets it.
            if is_strict and name != "responseFormat":
                complaints.append(f"{name} is not a parameter of this call")
            continue
        value: Any = int(text) if declared[name]["type"] == "integer" and re.fullmatch(r"-?\d{1,19}", text) else text
        complaints += [f"{name}: {each}" for each in _complaints(_validator(_plain(declared[name], None)), value)]
    return complaints


def breaches_of_answer(operation_id: str, status: int, body: Any) -> list[str]:
    """Return what is wrong with an answer of ours; an undeclared status is one breach."""
    declared = operations()[operation_id][2]["responses"].get(str(status))
    if declared is None:
        return [f"{operation_id} declares no answer {status}"]
    content = _resolve(declared).get("content")
    if content is None:
        return [] if body is None else [f"{operation_id} declares no body for {status}"]
    return _complaints(_validator(_plain(content["application/json"]["schema"], None)), body)


@cache
def _request_validator(operation_id: str, is_strict: bool, custom_fields: str) -> Draft202012Validator:  # noqa: FBT001
    definition = operations()[operation_id][2]["requestBody"]
    schema = _plain(definition["content"]["application/json"]["schema"], custom_fields, is_strict=is_strict)
    if operation_id == "addUsers":
        # Each user is judged alone, so that an option may decide what one of them costs.
        schema["properties"]["users"]["items"] = {"type": "object"}
    return _validator(schema)


@cache
def _user_validator(is_strict: bool, custom_fields: str) -> Draft202012Validator:  # noqa: FBT001
    schema = _plain(document()["components"]["schemas"]["NewUser"], custom_fields, is_strict=is_strict)
    # The description says so, the schema does not.
    return _validator({**schema, "anyOf": [{"required": ["email"]}, {"required": ["username"]}]})


def _validator(schema: Schema) -> Draft202012Validator:
    return Draft202012Validator(schema, format_checker=_FORMATS)


def _complaints(validator: Draft202012Validator, value: Any) -> list[str]:
    return [_sentence(error) for error in _leaves(validator.iter_errors(value))]


def _leaves(errors: Iterator[ValidationError]) -> Iterator[ValidationError]:
    yield from sorted(errors, key=lambda error: [str(part) for part in error.absolute_path])


def _sentence(error: ValidationError) -> str:
    """Say what is wrong and with which field, but not whose: nobody promises a position."""
    names = [str(part) for part in error.absolute_path if not isinstance(part, int)]
    rule = error.validator
    where = names[-1] if names else "body"
    return {
        "maxLength": f"{where} is longer than {error.validator_value}",
        "anyOf": "email or username is required",
        "format": f"{where} is no valid {error.validator_value}",
        "enum": f"{where} is not an allowed value",
        "type": f"{where} must be {error.validator_value}",
        "maxItems": f"{where} has more than {error.validator_value} entries",
    }.get(str(rule), error.message)


def _resolve(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        found: Any = document()
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def _plain(schema: Mapping[str, Any], custom_fields: str | None, *, is_strict: bool = False) -> Schema:
    """Return OpenAPI 3.0's dialect as JSON Schema; for a request `custom_fields` is given, and readOnly is refused."""
    schema = _resolve(schema)
    plain: Schema = {
        k: v for k, v in schema.items() if k in {"type", "format", "enum", "maxLength", "maxItems", "required"}
    }
    if schema.get("nullable"):
        plain["type"] = [schema["type"], "null"]
    if "items" in schema:
        plain["items"] = _plain(schema["items"], custom_fields, is_strict=is_strict)
    if "allOf" in schema:
        plain["allOf"] = [_plain(each, custom_fields) for each in schema["allOf"]]
    if "properties" in schema:
        plain["properties"] = {
            _spelled(name, custom_fields): False
            if custom_fields is not None and each.get("readOnly")
            else _plain(each, custom_fields, is_strict=is_strict)
            for name, each in schema["properties"].items()
        }
        if is_strict:
            plain["additionalProperties"] = False
    return plain


def _spelled(name: str, custom_fields: str | None) -> str:
    return name.replace("customfield", custom_fields) if custom_fields else name
