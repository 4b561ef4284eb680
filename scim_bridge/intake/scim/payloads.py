"""The first look at a request's JSON: what no part of the bridge could hold or walk is refused here."""

from typing import Any

from pydantic_core import from_json
from scim2_models import InvalidSyntaxException, InvalidValueException

from scim_bridge.domain.texts import is_storable

MAX_DEPTH = 24
"""SCIM needs about six levels; a patch in a bulk request, ten."""


def read_json(body: bytes) -> Any:
    """Return the JSON value of a request body.

    Raises:
        InvalidSyntaxException: it is no JSON, is no object, or is nested deeper than MAX_DEPTH.
        InvalidValueException: a text holds a NUL character or half a surrogate pair, which no database text can hold.
    """
    try:
        payload = from_json(body, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        raise InvalidSyntaxException(detail=f"The body is not valid JSON: {error}") from None
    if not isinstance(payload, dict):
        raise InvalidSyntaxException(detail="The body must be a JSON object")
    _check(payload)
    return payload


def check_text(text: str, *, where: str) -> None:
    """Refuse a text that no database text can hold.

    Raises:
        InvalidValueException: it holds a NUL character or half a surrogate pair.
    """
    if not is_storable(text):
        raise InvalidValueException(detail=f"{where} holds a NUL character or half a surrogate pair")


def _check(payload: Any) -> None:
    level: list[Any] = [payload]
    for _ in range(MAX_DEPTH):
        following: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                for key in value:
                    check_text(key, where="An attribute name")
                following += value.values()
            elif isinstance(value, list):
                following += value
            elif isinstance(value, str):
                check_text(value, where="A value")
        if not following:
            return
        level = following
    raise InvalidSyntaxException(detail=f"The body is nested deeper than {MAX_DEPTH} levels")
