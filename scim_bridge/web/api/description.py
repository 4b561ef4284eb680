"""The OpenAPI 3.1 document of the API, made from its operations."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from scim_bridge.web.api.operations import Operation, Parameter
from scim_bridge.web.api.problems import MEDIA_TYPE, PREFIX

_PROBLEMS = {
    "400": "The request is wrong; the detail says how.",
    "401": "No token, or one that is no good.",
    "403": "The token is not for this.",
    "404": "There is no such thing, or not for this tenant.",
    "409": "The request rests on a state that is gone; look again.",
    "413": "The body is too long.",
    "415": "The body is packed.",
    "429": "Too many requests; Retry-After says when.",
    "503": "The directory is busy or cannot be reached; nothing was done.",
}

_TEXT = {"type": "string"}
_COME_AGAIN = frozenset({"429", "503"})
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": _TEXT}}


def describe(operations: Sequence[Operation], *, public_url: str | None) -> dict[str, Any]:
    """Return the document."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "SCIM Bridge: operators",
            "version": "1",
            "description": "Everything is about the tenant whose token asks.",
        },
        "servers": [{"url": (public_url or "").rstrip("/") + PREFIX}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Problem": _PROBLEM},
        },
    }


_PROBLEM: Mapping[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
    },
}


def _operation(operation: Operation) -> dict[str, Any]:
    done: dict[str, Any] = {
        "description": operation.tells,
        # A media type without its parameters: what is described is the kind of content.
        "content": {operation.media_type.partition(";")[0]: {"schema": dict(operation.answer)}},
    }
    if operation.status == HTTPStatus.ACCEPTED:
        done["headers"] = {"Location": {"description": "Where it is told how far it has come.", "schema": _TEXT}}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.path.split("/")[1].partition(".")[0]],
        "summary": operation.tells,
        "description": f"Needs {operation.role.value}."
        + (f" On the command line: scim-bridge {operation.command}." if operation.command else ""),
        "parameters": [_parameter(each, operation) for each in operation.parameters],
        "responses": {
            str(operation.status): done,
            **{
                status: {
                    "description": tells,
                    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
                    **({"headers": _RETRY_AFTER} if status in _COME_AGAIN else {}),
                }
                for status, tells in _PROBLEMS.items()
            },
        },
    }
    if operation.body is not None:
        described["requestBody"] = {
            "required": "required" in operation.body,
            "content": {"application/json": {"schema": dict(operation.body)}},
        }
    return described


def _parameter(parameter: Parameter, operation: Operation) -> dict[str, Any]:
    is_in_path = f"{{{parameter.name}}}" in operation.path
    return {
        "name": parameter.name,
        "in": "path" if is_in_path else "query",
        "required": is_in_path or parameter.required,
        "description": parameter.tells,
        "schema": dict(parameter.schema),
    }
