"""The form of a document that comparisons see: strings as `ScimFilter` compares them, flat, one key an attribute.

SQLite folds only ASCII and PostgreSQL folds by its locale, so neither is asked to: what is compared is folded here,
once, when it is written. A key is `title`, `name.familyName` or `urn:...:User:department`; a multi-valued attribute is
a list of flat objects. What has a column of its own (userName, displayName, externalId, active) is not repeated.
"""

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import Any
from unicodedata import normalize

from scim_bridge.domain.resources import ENTERPRISE_USER, USER
from scim_bridge.domain.texts import is_storable
from scim_bridge.store.engine import compact_json

LOOKUP_PATHS = frozenset({"emails.value", f"{ENTERPRISE_USER}:employeeNumber", f"{ENTERPRISE_USER}:manager.value"})
"""Attributes that are indexed in `lookup`, because senders look people up by them."""

MAX_INDEXED_BYTES = 2000
"""The longest value of an indexed attribute: PostgreSQL's indexes take no more than about 2,700 bytes a row."""

Fold = Callable[[str], str]


class ValueTooLong(ValueError):  # noqa: N818 - says what is wrong
    """An attribute that people are looked up by holds more text than can be indexed. Its name is the only argument."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """What the columns and look-up rows of a resource hold for searching."""

    unique_key: str | None = field(repr=False)
    external_id: str | None = field(repr=False)
    display_key: str | None = field(repr=False)
    active: bool | None
    """None: the document does not say."""
    document: str = field(repr=False)
    """The folded document as JSON."""
    lookups: tuple[tuple[str, int, str], ...] = field(repr=False)
    """Attribute path, element and value."""


class NotStorable(ValueError):  # noqa: N818 - as above
    """An attribute holds a character that no database text can hold. Its name is the only argument."""


def fold_text(value: str) -> str:
    """Return the form that a string takes where case does not count (RFC 8265 UsernameCaseMapped, as scim2-models)."""
    if value.isascii():
        return value.lower()
    return normalize("NFC", normalize("NFC", value).lower())


def keep_case(value: str) -> str:
    """Return the form that a case-exact string takes."""
    return value if value.isascii() else normalize("NFC", value)


def base64_text(value: bytes) -> str:
    """Return the form that a binary value takes."""
    return b64encode(value).decode()


def fold(kind: str, document: Mapping[str, Any]) -> Folded:
    """Return how a document is searched. The document has SCIM's own names, as the models write it.

    Raises:
        ValueTooLong: an attribute that people are looked up by is too long to be indexed.
        NotStorable: an attribute holds a character that no database text can hold.
    """
    flat = dict(_flattened(_shapes(kind), document))
    external_id = _column(document, "externalId", keep_case)
    display_key = _column(document, "displayName", fold_text)
    user_name = _column(document, "userName", fold_text) if kind == USER else None
    return Folded(
        unique_key=user_name if kind == USER else _group_key(display_key, external_id),
        external_id=external_id,
        display_key=display_key,
        active=document.get("active"),
        document=compact_json(flat),
        lookups=tuple((path, element, _short(path, value)) for path, element, value in _lookups(flat)),
    )


def _group_key(display_key: str | None, external_id: str | None) -> str | None:
    """Return what no two groups share: name and externalId together. One name alone may stand for several groups."""
    if not display_key or not external_id:
        return None
    return sha256(f"{external_id}\n{display_key}".encode()).hexdigest()


def _column(document: Mapping[str, Any], name: str, fold: Fold) -> str | None:
    value = document.get(name)
    return _short(name, _storable(name, fold(value))) if isinstance(value, str) else None


def _storable(path: str, value: str) -> str:
    if not is_storable(value):
        raise NotStorable(path)
    return value


def _short(path: str, value: str) -> str:
    if len(value) * 4 > MAX_INDEXED_BYTES and len(value.encode()) > MAX_INDEXED_BYTES:
        raise ValueTooLong(path)
    return value


@dataclass(frozen=True, slots=True)
class Shape:
    """How one attribute of a document becomes keys of the folded one."""

    name: str
    key: str
    is_multivalued: bool
    fold: Fold
    subs: Mapping[str, Fold] | None = None


Shapes = tuple[tuple[str | None, tuple[Shape, ...]], ...]
"""The shapes of a resource type: of the resource itself (None), then of each extension by its URN."""


@cache
def _shapes(kind: str) -> Shapes:
    from scim_bridge.store.search import outlines  # noqa: PLC0415 - the models are slow to read, and few processes fold

    return outlines.of(kind)


def _flattened(shapes: Shapes, document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for urn, of_part in shapes:
        part = document if urn is None else document.get(urn)
        if not isinstance(part, Mapping):
            continue
        for shape in of_part:
            value = part.get(shape.name)
            if value is None:
                continue
            if shape.is_multivalued:
                yield shape.key, [_element(shape, item) for item in value]
            elif shape.subs is None:
                yield shape.key, _scalar(shape.key, shape.fold, value)
            else:
                for sub, folded in _element(shape, value).items():
                    yield f"{shape.key}.{sub}", folded


def _element(shape: Shape, value: Any) -> dict[str, str]:
    if shape.subs is None:
        return {"value": _scalar(shape.key, shape.fold, value)}
    return {sub: _scalar(shape.key, fold, value[sub]) for sub, fold in shape.subs.items() if value.get(sub) is not None}


def _scalar(path: str, fold: Fold, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _storable(path, fold(str(value)))


def _lookups(flat: Mapping[str, Any]) -> Iterator[tuple[str, int, str]]:
    for key, value in flat.items():
        if isinstance(value, list):
            for number, element in enumerate(value):
                for sub, text in element.items():
                    if f"{key}.{sub}" in LOOKUP_PATHS:
                        yield f"{key}.{sub}", number, text
        elif key in LOOKUP_PATHS:
            yield key, 0, value
