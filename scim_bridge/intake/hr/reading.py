"""Reads the body of an HR delivery, JSON or a form, and the ids in it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from pydantic_core import from_json
from scim2_models import SCIMException

from scim_bridge.intake.scim import payloads
from scim_bridge.intake.webhooks.refusals import WebhookRefused

FORM = "application/x-www-form-urlencoded"

DEEPEST_FORM = 16
"""Parts of a form's name, one within the other."""

MOST_FIELDS = 20_000
"""Of a form; more would only keep us busy."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MOST_OF_A_NUMBER = 2**63


def read_object(body: bytes, content_type: str | None) -> Mapping[str, Any]:
    """Return the JSON object of a body, or what a form with names like `employees[0][id]` says in its place.

    Raises:
        WebhookRefused: it is neither.
    """
    if (content_type or "").partition(";")[0].strip().lower() == FORM:
        return _form(body)
    document = read_json(body, content_type)
    if not isinstance(document, dict):
        raise WebhookRefused(400, "The body must be a JSON object.")
    return document


def read_json(body: bytes, content_type: str | None) -> Any:
    """Return the JSON value of a body.

    Raises:
        WebhookRefused: it is none.
    """
    try:
        payloads.check_encoding(body, content_type)
        return from_json(body.removeprefix(_BYTE_ORDER_MARK), allow_inf_nan=False, cache_strings="keys")
    except SCIMException as error:
        raise WebhookRefused(int(error.status), str(error.detail)) from None
    except ValueError as error:
        # The parser names line and column, and quotes nothing of the body.
        raise WebhookRefused(400, f"The body is not valid JSON: {error}") from None


def id_of(value: object) -> str:
    """Return an id as text: as it came, without blanks around it. Empty where it is none."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MOST_OF_A_NUMBER:
        return str(value)
    return ""


def object_of(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a member that is an object; an empty one where it is missing or something else."""
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _form(body: bytes) -> Mapping[str, Any]:
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise WebhookRefused(400, "The body is not a form in UTF-8.") from None
    document: dict[str, Any] = {}
    for name, value in pairs:
        first, *within = name.replace("]", "").split("[")
        if len(within) > DEEPEST_FORM:
            raise WebhookRefused(400, "The form is nested too deeply.")
        place = document
        for key in (first, *within)[:-1]:
            inner = place.setdefault(key, {})
            if not isinstance(inner, dict):
                raise WebhookRefused(400, "The form gives one name a value and parts.")
            place = inner
        place[(first, *within)[-1]] = value
    if not document:
        raise WebhookRefused(400, "The body is an empty form.")
    return {name: _with_lists(value) for name, value in document.items()}


def _with_lists(value: Any) -> Any:
    """Return a part of a form with lists where its names are 0, 1, 2 and so on; custom fields have numbers too."""
    if not isinstance(value, dict):
        return value
    parts = {name: _with_lists(part) for name, part in value.items()}
    if list(parts) == [str(number) for number in range(len(parts))] or list(parts) == [""]:
        return list(parts.values())
    return parts
