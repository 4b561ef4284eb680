"""PATCH by RFC 7644 3.5.2, strictly: what a lenient server would guess at is refused here."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scim_bridge.sandbox.targets.scim import schemas
from scim_bridge.sandbox.targets.scim.answers import ScimError

_PATH = re.compile(r"(?P<attribute>[A-Za-z]\w*)(?:\[(?P<where>[^\]]+)\])?(?:\.(?P<sub>\w+))?")
_WHERE = re.compile(r'(?P<sub>\w+)\s+eq\s+(?P<value>"(?:[^"\\]|\\.)*"|true|false)', re.IGNORECASE)

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where an operation works: an attribute of `holder`, some of its elements, one part of them."""

    holder: Document
    attribute: str
    where: tuple[str, Any] | None
    sub: str | None

    def selected(self) -> list[Document]:
        """Return the elements that the value filter picks; all when there is none."""
        elements = self.holder.get(self.attribute) or []
        if self.where is None:
            return list(elements)
        name, wanted = self.where
        return [each for each in elements if each.get(name) == wanted]


def apply(kind: str, document: Document, operations: Sequence[Mapping[str, Any]]) -> Document:
    """Apply all operations to a document that is the caller's to change, and return it; raises ScimError."""
    for operation in operations:
        _apply_one(kind, document, operation)
    return {name: value for name, value in document.items() if value not in ([], {})}


def _apply_one(kind: str, document: Document, operation: Mapping[str, Any]) -> None:
    op, path, value = operation["op"], operation.get("path"), operation.get("value")
    if path is None:
        if op == "remove":
            raise ScimError(400, "a remove operation needs a path", "noTarget")
        if not isinstance(value, dict):
            raise ScimError(400, "without a path, value must be an object", "invalidValue")
        for name, each in value.items():
            _set_whole(_locate(kind, document, name), op, each)
        return
    place = _locate(kind, document, path)
    if op == "remove":
        if value is not None:
            raise ScimError(400, "a remove operation has no value: name the elements in the path", "invalidSyntax")
        _remove(place)
    elif "value" not in operation:
        raise ScimError(400, f"an {op} operation needs a value", "invalidValue")
    elif place.where is not None:
        _set_selected(place, op, value)
    elif place.sub is not None:
        _set_sub(place, value)
    else:
        _set_whole(place, op, value)


def _locate(kind: str, document: Document, path: str) -> _Place:
    if path == schemas.ENTERPRISE:
        return _Place(holder=document, attribute=path, where=None, sub=None)
    core = schemas.USER if kind == "User" else schemas.GROUP
    holder, known = document, schemas.ATTRIBUTES[kind]
    if path.startswith(f"{schemas.ENTERPRISE}:") and kind == "User":
        holder = document.setdefault(schemas.ENTERPRISE, {})
        known = frozenset(schemas.USER_SCHEMA["properties"][schemas.ENTERPRISE]["properties"])
        path = path.removeprefix(f"{schemas.ENTERPRISE}:")
    else:
        path = path.removeprefix(f"{core}:")
    parsed = _PATH.fullmatch(path)
    if parsed is not None and parsed["attribute"] in schemas.READ_ONLY and holder is document:
        raise ScimError(400, f"{parsed['attribute']} cannot be written", "mutability")
    if parsed is None or parsed["attribute"] not in known:
        raise ScimError(400, "the path names no attribute of this resource", "invalidPath")
    return _Place(holder=holder, attribute=parsed["attribute"], where=_where(parsed["where"]), sub=parsed["sub"])


def _where(text: str | None) -> tuple[str, Any] | None:
    if text is None:
        return None
    parsed = _WHERE.fullmatch(text.strip())
    if parsed is None:
        raise ScimError(400, "only eq is supported in a path", "invalidFilter")
    return parsed["sub"], json.loads(parsed["value"])


def _set_whole(place: _Place, op: str, value: Any) -> None:
    holder, name = place.holder, place.attribute
    if value is None:
        holder.pop(name, None)
    elif name in schemas.MULTI_VALUED and op == "add":
        existing = holder.setdefault(name, [])
        seen = {_identity(each) for each in existing}
        for each in value if isinstance(value, list) else [value]:
            if _identity(each) not in seen:
                seen.add(_identity(each))
                existing.append(each)
    elif isinstance(value, dict) and isinstance(holder.get(name), dict):
        holder[name].update(value)
    else:
        holder[name] = value


def _set_selected(place: _Place, op: str, value: Any) -> None:
    selected = place.selected()
    if not selected:
        raise ScimError(400, f"{op} found no element that the path picks", "noTarget")
    for element in selected:
        if place.sub is not None:
            element[place.sub] = value
        elif isinstance(value, dict):
            element.update(value)
        else:
            raise ScimError(400, "an element must be an object", "invalidValue")


def _set_sub(place: _Place, value: Any) -> None:
    inner = place.holder.setdefault(place.attribute, {})
    if not isinstance(inner, dict):
        raise ScimError(400, "only a complex attribute has parts", "invalidPath")
    inner[str(place.sub)] = value


def _remove(place: _Place) -> None:
    inner = place.holder.get(place.attribute)
    if place.where is not None:
        selected = place.selected()
        if place.sub is not None:
            for element in selected:
                element.pop(place.sub, None)
        else:
            place.holder[place.attribute] = [each for each in inner or [] if not any(each is one for one in selected)]
    elif place.sub is not None:
        if isinstance(inner, dict):
            inner.pop(place.sub, None)
    else:
        place.holder.pop(place.attribute, None)


def _identity(element: Any) -> str:
    # Elements of one value and type are the same one, whatever else they say.
    if isinstance(element, dict) and "value" in element:
        return f"{element['value']}\n{element.get('type')}"
    return json.dumps(element, sort_keys=True)
