"""Bends PATCH requests of real senders into operations that RFC 7644 section 3.5.2 knows, before validation."""

from collections.abc import Iterator
from typing import Any

from scim2_models import InvalidPathException, PatchOp

from scim_bridge.intake.scim import filter_text, tolerances
from scim_bridge.intake.scim.attributes import MANAGER, Attribute, core_schema, schemas_of

NO_CHANGE: dict[str, Any] = {"op": "add", "value": {}}
"""Stands for operations that came down to nothing, or are none (Microsoft's validator): a patch needs at least one."""


def tolerate_patch(kind: str, payload: Any) -> Any:
    """Return a PatchOp message as the models read it. What cannot be read is left for them to refuse."""
    if not isinstance(payload, dict):
        return payload
    kept = {key: value for key, value in payload.items() if key.lower() != "operations"}
    operations = next((value for key, value in payload.items() if key.lower() == "operations"), None)
    if isinstance(operations, dict):
        operations = [operations]
    if not isinstance(operations, list):
        return payload
    tolerated = [each for operation in operations for each in _tolerate(kind, operation)]
    kept["Operations"] = tolerated or [NO_CHANGE]
    return kept


def attributes_named(kind: str, patch: "PatchOp[Any]") -> set[str]:
    """Return the attributes that a patch speaks of, changed or not; those of an extension by their URN."""
    heads = [_head(kind, str(each.path))[0] for each in patch.operations or () if each.path is not None]
    return {
        each.name if each.urn == core_schema(kind) else f"{each.urn}:{each.name}" for each in heads if each is not None
    }


def _tolerate(kind: str, operation: Any) -> Iterator[Any]:
    """Give the operations that one operation stands for: none, itself, or one for each key of its value."""
    if not isinstance(operation, dict):
        yield operation
        return
    members = {str(key).lower(): value for key, value in operation.items()}
    op = members.get("op")
    kept: dict[str, Any] = {"op": op.lower() if isinstance(op, str) else op}
    if "value" in members:
        kept["value"] = members["value"]
    path = members.get("path")
    if isinstance(path, str):
        path = path.strip()
    if path is not None and path != "":
        yield from _at_path(kind, kept, path)
        return
    value = kept.get("value")
    # SCIM-SDK, and so Keycloak's plugins, put the one object in a list.
    values: list[Any] = value if isinstance(value, list) else [value]
    if kept["op"] in ("add", "replace") and values and all(isinstance(each, dict) for each in values):
        for each in values:
            yield from _without_path(kind, kept["op"], each)
    else:
        yield kept


def _without_path(kind: str, op: str, value: dict[str, Any]) -> Iterator[Any]:
    """Give an operation for each attribute (Okta: {id, displayName}; Entra: dotted and URN-qualified keys)."""
    for key, item in value.items():
        folded = str(key).lower()
        if folded == "schemas" or tolerances.is_server_owned(kind, folded):
            continue
        if folded in schemas_of(kind):
            if isinstance(item, dict):
                yield from _in_schema(kind, op, folded, item)
            continue
        yield from _at_path(kind, {"op": op, "value": item}, str(key))


def _in_schema(kind: str, op: str, folded_urn: str, value: dict[str, Any]) -> Iterator[Any]:
    """Give an operation for each attribute of an object that stands for a whole schema."""
    for key, item in value.items():
        yield from _at_path(kind, {"op": op, "value": item}, f"{schemas_of(kind)[folded_urn]}:{key}")


def _at_path(kind: str, operation: dict[str, Any], path: Any) -> Iterator[Any]:
    if not isinstance(path, str):
        yield {**operation, "path": path}
        return
    if path.lower() in schemas_of(kind) and isinstance(operation.get("value"), dict) and operation["op"] != "remove":
        yield from _in_schema(kind, operation["op"], path.lower(), operation["value"])
        return
    path = filter_text.with_quotes(_with_colon(kind, path))
    attribute, rest = _head(kind, path)
    if attribute is None:
        # Nothing here has that name; the policy passes over it, but would first look at the value of a remove.
        kept = {"op": "remove"} if operation["op"] == "remove" else operation
        yield {**kept, "path": path}
        return
    if attribute.name == "password" or _says_nothing(operation, attribute):
        return
    if attribute.name == "active" and rest:
        # What is unknown is passed over, but nobody must believe that a leaver was heard.
        raise InvalidPathException(detail=f"active has no parts; the path {path[:100]!r} must be 'active'")
    if attribute.urn != core_schema(kind):
        path = f"{attribute.urn}:{attribute.name}{rest}"
    if f"{attribute.urn}:{attribute.name}" == MANAGER:
        yield from _manager(operation, rest)
        return
    yield {**_with_value(operation, attribute, rest), "path": path}


def _with_colon(kind: str, path: str) -> str:
    """Return a path with the colon after its schema; Entra's jobs of before 2019 write a dot there."""
    for urn in schemas_of(kind):
        if path.lower().startswith(f"{urn}."):
            return f"{path[: len(urn)]}:{path[len(urn) + 1 :]}"
    return path


def _says_nothing(operation: dict[str, Any], attribute: Attribute) -> bool:
    """Tell whether an operation names an attribute only to say nothing of it (Entra's explicit nulls).

    An Add of null adds nothing. Nobody's `active` is unset, and no group emptied, by a null that is to be added or
    set; the choices are told in `tolerances`. A remove is what it says, whatever stands beside it: Keycloak takes the
    last member out by one with a null.
    """
    if "value" not in operation or operation["op"] == "remove":
        return False
    value = operation["value"]
    if attribute.name == "active":
        return tolerances.is_blank(tolerances.scalar_of(value))
    return value is None and (operation["op"] == "add" or attribute.name == "members")


def _with_value(operation: dict[str, Any], attribute: Attribute, rest: str) -> dict[str, Any]:
    if "value" not in operation:
        return operation
    value = operation["value"]
    if operation.get("op") == "remove":
        # A value beside a filter, beside a plain attribute or of null selects nothing more than the path does.
        if rest or value is None or not attribute.is_multivalued:
            return {"op": "remove"}
        return {"op": "remove", "value": tolerances.elements_of(attribute, value)}
    if rest.startswith(".") or "]." in rest:
        return {**operation, "value": tolerances.scalar_of(value)}
    if rest:
        return {**operation, "value": _one_element(attribute, value)}
    return {**operation, "value": tolerances.tolerate_value(attribute, value)}


def _one_element(attribute: Attribute, value: Any) -> Any:
    """Return what a value filter selects as one object, whether it came as such, in a list or as a bare text."""
    elements = tolerances.elements_of(attribute, value)
    return elements[0] if isinstance(elements, list) and len(elements) == 1 else value


def _manager(operation: dict[str, Any], rest: str) -> Iterator[Any]:
    """Give the operation on the manager as a whole; displayName is ours to show, not the sender's to set."""
    folded = rest.lower()
    if folded == ".displayname":
        return
    if operation.get("op") == "remove":
        yield {"op": "remove", "path": MANAGER + rest}
        return
    if folded == ".$ref":
        yield {**operation, "path": MANAGER + rest}
        return
    manager = tolerances.manager_of(operation.get("value"))
    if manager is None:
        yield {"op": "remove", "path": MANAGER}
    else:
        yield {**operation, "path": MANAGER, "value": manager}


def _head(kind: str, path: str) -> tuple[Attribute | None, str]:
    """Return the attribute at the head of a path, and what follows it: a filter, a sub-attribute or nothing."""
    start = path.find("[")
    head = path if start < 0 else path[:start]
    prefix, colon, name = head.rpartition(":")
    name, dot, _ = name.partition(".")
    key = f"{prefix}{colon}{name}"
    return tolerances.named(kind, key), path[len(key) :] if dot or start >= 0 else ""
