"""A simulated SCIM service's answers: resources, lists, errors, and what it says of itself."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from werkzeug.http import http_date
from werkzeug.wrappers import Response

from scim_bridge.domain.instants import Millis
from scim_bridge.sandbox.targets import bodies
from scim_bridge.sandbox.targets.scim import schemas
from scim_bridge.sandbox.targets.scim.options import ScimOptions

SCIM_JSON = "application/scim+json"

_SCHEMES = {
    "bearer": {"type": "oauthbearertoken", "name": "Bearer token", "description": "A token that support hands out"},
    "basic": {"type": "httpbasic", "name": "HTTP Basic", "description": "A name and a password"},
}


class ScimError(Exception):
    """One SCIM operation is refused; `scim_type` as in RFC 7644 3.12."""

    def __init__(self, status: int, detail: str, scim_type: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.scim_type = scim_type


def scim_error_body(error: ScimError, options: ScimOptions) -> dict[str, Any] | str:
    """Return the body of a SCIM error in the form that the options ask for."""
    if options.errors == "text":
        return f"SCIM request failed ({error.status}): {error.detail}"
    if options.errors == "vendor":
        kind = "SCIM_CONFLICT" if error.status == 409 else "SCIM_ERROR"
        return {"error": {"type": kind, "description": error.detail}}
    scim_type = {"scimType": error.scim_type} if error.scim_type else {}
    return {"schemas": [schemas.ERROR], "status": str(error.status), **scim_type, "detail": error.detail}


def scim_error(error: ScimError, options: ScimOptions) -> Response:
    """Return a SCIM error as an answer."""
    body = scim_error_body(error, options)
    if isinstance(body, str):
        return Response(body, status=error.status, content_type="text/plain; charset=utf-8")
    content_type = SCIM_JSON if options.errors == "rfc" else "application/json"
    return bodies.write_json(body, error.status, content_type)


def resource(document: Mapping[str, Any], status: int = 200) -> Response:
    """Return one resource; a new one with its Location."""
    response = bodies.write_json(document, status, SCIM_JSON)
    if status == 201:
        response.headers["Location"] = document["meta"]["location"]
    return response


def listing(resources: Sequence[Mapping[str, Any]], *, total: int, start_index: int) -> Response:
    """Return a page of a list, by RFC 7644 3.4.2."""
    document = {
        "schemas": [schemas.LIST_RESPONSE],
        "totalResults": total,
        "itemsPerPage": len(resources),
        "startIndex": start_index,
        "Resources": resources,
    }
    return bodies.write_json(document, 200, SCIM_JSON)


def project(document: Mapping[str, Any], attributes: Iterable[str], excluded: Iterable[str]) -> dict[str, Any]:
    """Return the parts that were asked for; whole attributes only, id and schemas always (RFC 7644 3.9)."""
    wanted, unwanted = _tops(attributes), _tops(excluded)
    always = {"id", "schemas"}
    return {
        name: value
        for name, value in document.items()
        if name in always or ((not wanted or name.casefold() in wanted) and name.casefold() not in unwanted)
    }


def service_provider_config(options: ScimOptions, location: str) -> dict[str, Any]:
    """Return what the target says of itself, by RFC 7643 5."""
    has_bulk = options.bulk
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": options.patch},
        "bulk": {
            "supported": has_bulk,
            "maxOperations": options.max_operations if has_bulk else 0,
            "maxPayloadSize": options.max_payload_bytes if has_bulk else 0,
        },
        "filter": {"supported": options.filters != "none", "maxResults": options.max_results},
        "changePassword": {"supported": False},
        "sort": {"supported": False},
        "etag": {"supported": False},
        "authenticationSchemes": [_SCHEMES[options.auth]],
        "meta": {"resourceType": "ServiceProviderConfig", "location": location},
    }


def resource_types(options: ScimOptions, location: str) -> list[dict[str, Any]]:
    """Return the types of resources that there are, by RFC 7643 6."""
    types = [
        ("User", "/Users", schemas.USER, [{"schema": schemas.ENTERPRISE, "required": False}]),
        ("Group", "/Groups", schemas.GROUP, []),
    ]
    return [
        {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": name,
            "name": name,
            "endpoint": endpoint,
            "schema": urn,
            "schemaExtensions": extensions,
            "meta": {"resourceType": "ResourceType", "location": f"{location}/{name}"},
        }
        for name, endpoint, urn, extensions in types[: 2 if options.groups else 1]
    ]


def with_wait(response: Response, wait_s: float, form: str, *, now_ms: Millis) -> Response:
    """Return a 429 that says when to come back, in the form that the options ask for."""
    response.headers.update(_wait_headers(wait_s, form, now_ms=now_ms))
    return response


def _wait_headers(wait_s: float, form: str, *, now_ms: Millis) -> dict[str, str]:
    match form:
        case "seconds":
            return {"Retry-After": str(math.ceil(wait_s))}
        case "date":
            return {"Retry-After": http_date(math.ceil(now_ms / 1000 + wait_s))}
        case "milliseconds":
            return {"retry-after-ms": str(math.ceil(wait_s * 1000))}
    return {}


def _tops(names: Iterable[str]) -> set[str]:
    return {
        name if name.startswith("urn:") else name.split(".")[0] for name in (each.strip().casefold() for each in names)
    }
