"""The first look at a request's JSON: what no part of the bridge could hold or walk is refused here."""

import json
import re
from collections.abc import Iterable
from typing import Any

from pydantic_core import from_json
from scim2_models import InvalidSyntaxException, InvalidValueException, PayloadTooLargeException
from scim2_server.errors import UnsupportedMediaTypeException

from scim_bridge.domain.texts import is_storable
from scim_bridge.intake.scim.bounds import MAX_ITEMS

MAX_DEPTH = 24
"""SCIM needs about six levels; a patch in a bulk request, ten."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^\s";]*)', re.IGNORECASE)
_ASCII_OR_UTF8 = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii"})
_END_OF_NAME = re.compile(rb'"\s*:')


def read_json(body: bytes) -> Any:
    """Return the JSON value of a request body. A byte order mark before it is passed over (RFC 8259 section 8.1).

    Raises:
        InvalidSyntaxException: it is no JSON, is no object, is nested deeper than MAX_DEPTH, or an object has two
            values for one attribute, so that nobody can know which is meant.
        InvalidValueException: a text holds a NUL character or half a surrogate pair, which no database text can hold.
        PayloadTooLargeException: it holds more than MAX_ITEMS values.
    """
    body = body.removeprefix(_BYTE_ORDER_MARK)
    try:
        payload = from_json(body, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        raise InvalidSyntaxException(detail=f"The body is not valid JSON: {error}") from None
    if not isinstance(payload, dict):
        raise InvalidSyntaxException(detail="The body must be a JSON object")
    names = _check(payload)
    # Every name of an object ends like this, and a text may: where there are no more ends than names were read, no
    # name was read over another. Otherwise the slower parser tells.
    if len(_END_OF_NAME.findall(body)) > names:
        json.loads(body, object_pairs_hook=_refuse_repeated, parse_int=str, parse_float=str)
    return payload


def check_encoding(body: bytes, content_type: str | None) -> None:
    """Refuse a body that says it is in another encoding than JSON's, unless it is the same in both (RFC 8259).

    Raises:
        UnsupportedMediaTypeException: it could be misread.
    """
    found = _CHARSET.search(content_type or "")
    if found is None or found[1].lower() in _ASCII_OR_UTF8 or (body.isascii() and b"\x00" not in body):
        return
    raise UnsupportedMediaTypeException(detail="The body must be in UTF-8, as all JSON is")


def check_text(text: str, *, where: str) -> None:
    """Refuse a text that no database text can hold.

    Raises:
        InvalidValueException: it holds a NUL character or half a surrogate pair.
    """
    if not is_storable(text):
        raise InvalidValueException(detail=f"{where} holds a NUL character or half a surrogate pair")


def _check(payload: Any) -> int:
    """Check all values and return how many names of attributes there are."""
    level: list[Any] = [payload]
    items = names = 0
    for _ in range(MAX_DEPTH):
        following: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                for key in value:
                    check_text(key, where="An attribute name")
                if len({key.lower() for key in value}) < len(value):
                    _refuse_repeated(value.items())
                names += len(value)
                following += value.values()
            elif isinstance(value, list):
                following += value
            elif isinstance(value, str):
                check_text(value, where="A value")
        items += len(following)
        if items > MAX_ITEMS:
            raise PayloadTooLargeException(detail=f"The body holds more than {MAX_ITEMS} values. Send less at once.")
        if not following:
            return names
        level = following
    raise InvalidSyntaxException(detail=f"The body is nested deeper than {MAX_DEPTH} levels")


def _refuse_repeated(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's members, whose names' case does not count (RFC 7643 section 2.1); refuse two values of one."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if found.setdefault(name.lower(), value) != value:
            raise InvalidSyntaxException(detail=f"The body has two values for {name[:64]!r} in one object")
    return found
