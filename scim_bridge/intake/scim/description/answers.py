"""What each kind of operation takes, and which answers it may give."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from scim2_server.responses import SCIM_MEDIA_TYPE

from scim_bridge.intake.scim import acknowledging
from scim_bridge.intake.scim.description import schemas

_PLAIN_JSON = "application/json"

ID: dict[str, Any] = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What is particular to an operation. `success` gives the schema of each successful answer, None for no body."""

    success: dict[int, str | None]
    errors: tuple[int, ...] = ()
    parameters: tuple[dict[str, Any], ...] = ()
    body: str | None = None
    headers: tuple[str, ...] = ()
    is_served: bool = True


def content(name: str, *, is_request: bool = False) -> dict[str, Any]:
    """Return a body of a schema by its media types: both are read, one is written."""
    media_types = (SCIM_MEDIA_TYPE, _PLAIN_JSON) if is_request else (SCIM_MEDIA_TYPE,)
    return {media_type: {"schema": schemas.reference(name)} for media_type in media_types}


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string"}}


def _query(name: str) -> dict[str, Any]:
    schema, description = schemas.SEARCH_PARAMETERS[name]
    listed = {"style": "form", "explode": False} if schema.get("type") == "array" else {}
    return {"name": name, "in": "query", "description": description, "schema": schema, **listed}


_CONDITIONS = (
    _header("If-Match", "Only if the resource still has this version, as its ETag says"),
    _header("If-None-Match", "Only if the resource has another version than this"),
)
_ONCE = _header("Idempotency-Key", "The same key with the same body gets the first answer, and is recorded once")
_PROJECTION = (_query("attributes"), _query("excludedAttributes"))

_WRITE_ERRORS = (400, 409, 413, 415, 422)

DELETION = Part(
    success={HTTPStatus.NO_CONTENT: None},
    errors=(400, 404, 409, 412, 422),
    parameters=(*_CONDITIONS, _ONCE),
    headers=(acknowledging.HEADER,),
)
BULK = Part(
    success={HTTPStatus.OK: "BulkResponse"},
    errors=_WRITE_ERRORS,
    parameters=(_ONCE,),
    body="BulkRequest",
    headers=(acknowledging.HEADER,),
)
NOT_SERVED = Part(success={}, errors=(501,), is_served=False)


def creation(kind: str) -> Part:
    """Return what creating a resource takes and gives."""
    return Part(
        success={HTTPStatus.CREATED: kind},
        errors=_WRITE_ERRORS,
        parameters=(_ONCE,),
        body=f"{kind}Request",
        headers=("ETag", "Location", "Content-Location", acknowledging.HEADER),
    )


def reading(kind: str) -> Part:
    """Return what reading one resource takes and gives."""
    return Part(
        success={HTTPStatus.OK: kind, HTTPStatus.NOT_MODIFIED: None},
        errors=(400, 404, 412),
        parameters=(*_PROJECTION, *_CONDITIONS),
        headers=("ETag",),
    )


def writing(kind: str, *, body: str, is_silent: bool = False) -> Part:
    """Return what changing one resource takes and gives; a silent one shows it only where attributes are asked for."""
    silent: dict[int, str | None] = {HTTPStatus.NO_CONTENT: None} if is_silent else {}
    return Part(
        success={HTTPStatus.OK: kind, **silent},
        errors=(*_WRITE_ERRORS, 404, 412),
        parameters=(*_PROJECTION, *_CONDITIONS, _ONCE),
        body=body,
        headers=("ETag", acknowledging.HEADER),
    )


def search(page: str) -> Part:
    """Return what a search by query takes and gives."""
    return Part(
        success={HTTPStatus.OK: page},
        errors=(400,),
        parameters=tuple(_query(each) for each in schemas.SEARCH_PARAMETERS),
    )


def search_with_body(page: str) -> Part:
    """Return what a search by body takes and gives."""
    return Part(success={HTTPStatus.OK: page}, errors=(400, 413, 415), body="SearchRequest")


def discovery(name: str, *, is_one: bool) -> Part:
    """Return what a discovery endpoint gives. It takes no filter (RFC 7644 section 4)."""
    return Part(success={HTTPStatus.OK: name}, errors=(404,) if is_one else ())


def of(part: Part) -> dict[str, Any]:
    """Return all answers of an operation: its own, and those that every one may give."""
    found: dict[str, Any] = {}
    for status, schema in part.success.items():
        answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
        if schema is not None:
            answer["content"] = content(schema)
        if part.headers:
            answer["headers"] = {
                name: {"schema": {"type": "string"}} for name in part.headers if _carries(status, name)
            }
        found[str(int(status))] = answer
    for status in sorted({*part.errors, *_EVERYWHERE}):
        found[str(status)] = {"$ref": f"#/components/responses/{_name(status)}"}
    return found


def _carries(status: int, header: str) -> bool:
    return header in ("ETag", acknowledging.HEADER) or status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


_EVERYWHERE = (401, 403, 429, 503)

_REASONS = {
    400: "The request says something that cannot be done; `scimType` and `detail` tell what",
    401: "There is no token, or it is wrong, expired or revoked",
    403: "The token is for something else, or the request comes from where it may not",
    404: "There is no such resource",
    409: "Another user has this userName, another group this displayName and externalId, or the first request with "
    "this Idempotency-Key is still running",
    412: "The resource has another version",
    413: "The body is too large; /ServiceProviderConfig tells the limits of Bulk",
    415: "The body is not JSON, or not in an encoding that is read",
    422: "The Idempotency-Key came with another body before",
    429: "Too many requests, or too many wrong tokens; wait as Retry-After says",
    501: "This part of SCIM is not served",
    503: "The directory cannot be reached; nothing was recorded, retry as Retry-After says",
}
_HEADERS = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: {"Retry-After": {"schema": {"type": "string", "pattern": "^[0-9]+$"}}},
    503: {"Retry-After": {"schema": {"type": "string", "pattern": "^[0-9]+$"}}},
}


def _name(status: int) -> str:
    return f"Error{status}"


ERRORS: dict[str, Any] = {
    _name(status): {
        "description": reason,
        "content": content("Error"),
        **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
    }
    for status, reason in _REASONS.items()
}
"""The error answers, by the names that operations refer to them by."""
