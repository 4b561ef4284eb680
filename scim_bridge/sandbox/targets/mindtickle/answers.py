"""The simulated MindTickle's answers: SCIM resources, lists and errors, and the REST side's errors."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from werkzeug.wrappers import Response

from scim_bridge.sandbox.targets import bodies
from scim_bridge.sandbox.targets.mindtickle import schemas
from scim_bridge.sandbox.targets.mindtickle.options import MindTickleOptions

SCIM_JSON = "application/scim+json"


class ScimError(Exception):
    """One SCIM operation is refused; `scim_type` as in RFC 7644 3.12."""

    def __init__(self, status: int, detail: str, scim_type: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.scim_type = scim_type


class RestError(Exception):
    """One REST call is refused."""

    def __init__(self, status: int, kind: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.kind = kind
        self.description = description


def scim_error_body(error: ScimError, options: MindTickleOptions) -> dict[str, Any] | str:
    """Return the body of a SCIM error in the form that the options ask for."""
    if options.scim_errors == "text":
        return f"SCIM request failed ({error.status}): {error.detail}"
    if options.scim_errors == "vendor":
        kind = "SCIM_CONFLICT" if error.status == 409 else "SCIM_ERROR"
        return {"error": {"type": kind, "description": error.detail}}
    scim_type = {"scimType": error.scim_type} if error.scim_type else {}
    return {"schemas": [schemas.ERROR], "status": str(error.status), **scim_type, "detail": error.detail}


def scim_error(error: ScimError, options: MindTickleOptions) -> Response:
    """Return a SCIM error as an answer."""
    body = scim_error_body(error, options)
    if isinstance(body, str):
        return Response(body, status=error.status, content_type="text/plain; charset=utf-8")
    content_type = SCIM_JSON if options.scim_errors == "rfc" else "application/json"
    return bodies.write_json(body, error.status, content_type)


def rest_error(error: RestError) -> Response:
    """Return an error of the REST side: `{error: {type, description}}`."""
    return bodies.write_json({"error": {"type": error.kind, "description": error.description}}, error.status)


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


def service_provider_config(options: MindTickleOptions, location: str) -> dict[str, Any]:
    """Return what the target says of itself, by RFC 7643 5."""
    has_bulk = options.bulk == "scim"
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
        "authenticationSchemes": [
            {"type": "oauthbearertoken", "name": "Bearer token", "description": "A token that support hands out"}
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": location},
    }


def resource_types(options: MindTickleOptions, location: str) -> list[dict[str, Any]]:
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


def _tops(names: Iterable[str]) -> set[str]:
    return {
        name if name.startswith("urn:") else name.split(".")[0] for name in (each.strip().casefold() for each in names)
    }
