"""The OpenAPI document: a path for every route that is served, with what it takes and every answer it may give."""

from importlib import metadata
from typing import Any

from scim2_models import AuthenticationScheme, ResourceType, Schema, ServiceProviderConfig
from scim2_server.routing import ROUTES, Operation, Route

from scim_bridge.domain.models import MODELS, RESOURCE_TYPES, SHOWN_MODELS
from scim_bridge.domain.resources import GROUP
from scim_bridge.intake.scim.description import answers, schemas
from scim_bridge.intake.scim.description.answers import Part

_SECURITY = {
    AuthenticationScheme.Type.oauthbearertoken: "bearer",
    AuthenticationScheme.Type.httpbasic: "basic",
}

_DISCOVERY = {
    Operation.service_provider_config: "ServiceProviderConfig",
    Operation.resource_types: "ResourceTypeList",
    Operation.resource_type: "ResourceType",
    Operation.schemas: "SchemaList",
    Operation.schema: "Schema",
}

_SUMMARIES = {
    Operation.create: "Create a {name}",
    Operation.query: "Read a {name}",
    Operation.replace: "Replace a {name}",
    Operation.patch: "Change a {name}",
    Operation.delete: "Delete a {name}",
    Operation.search: "Find {name}s",
    Operation.search_with_body: "Find {name}s by a search in the body",
    Operation.bulk: "Do many operations in one transaction, each alone accountable",
    Operation.service_provider_config: "Tell what this service can do",
    Operation.resource_types: "List the resource types",
    Operation.resource_type: "Tell one resource type",
    Operation.schemas: "List the schemas",
    Operation.schema: "Tell one schema",
}


def describe(config: ServiceProviderConfig, *, root_url: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the SCIM endpoints under `root_url`. It tells nothing of any tenant."""
    schemes = {_SECURITY[each.type]: each for each in config.authentication_schemes or [] if each.type in _SECURITY}
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        for path, kinds in _paths_of(route):
            paths.setdefault(path, {})[route.method.lower()] = _operation(route, kinds)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "SCIM Bridge",
            "version": metadata.version("scim-bridge"),
            "description": "SCIM 2.0 (RFC 7643, RFC 7644, RFC 9865). What senders bend is accepted too: attribute "
            "names in any case, unknown attributes, explicit nulls, values as older clients wrap them.",
        },
        "servers": [{"url": root_url}],
        "security": [{name: []} for name in schemes],
        "paths": paths,
        "components": {
            "securitySchemes": {
                name: {"type": "http", "scheme": name, "description": str(scheme.description)}
                for name, scheme in schemes.items()
            },
            "schemas": _schemas(),
            "responses": answers.ERRORS,
        },
    }


def _schemas() -> dict[str, Any]:
    resources = {kind: schemas.shown(model) for kind, model in SHOWN_MODELS.items()}
    requests = {f"{kind}Request": schemas.sent(model) for kind, model in MODELS.items()}
    discovery = {each.__name__: schemas.shown(each) for each in (ServiceProviderConfig, ResourceType, Schema)}
    # What has no id of its own (RFC 7643 section 5) has none to show.
    discovery["ServiceProviderConfig"]["required"] = ["schemas"]
    lists = {f"{kind}List": schemas.listed(kind) for kind in [*MODELS, "ResourceType", "Schema"]}
    lists["ResourceList"] = schemas.listed(*MODELS)
    return {**resources, **requests, **discovery, **lists, **schemas.messages(list(requests))}


def _paths_of(route: Route) -> list[tuple[str, list[str]]]:
    """Return the paths that a route stands for, each with the resource types that it concerns."""
    pattern = route.pattern.replace("{resource_id}", "{id}")
    if "{endpoint}" not in pattern:
        return [(pattern, list(MODELS))]
    endpoints = {str(each.name): str(each.endpoint).strip("/") for each in RESOURCE_TYPES}
    return [(pattern.replace("{endpoint}", endpoint), [kind]) for kind, endpoint in endpoints.items()]


def _operation(route: Route, kinds: list[str]) -> dict[str, Any]:
    name = kinds[0] if len(kinds) == 1 else "resource"
    part = _part(route, kinds)
    described: dict[str, Any] = {
        "operationId": route.name if len(kinds) > 1 else f"{route.name}_{name}".lower(),
        "summary": _SUMMARIES[route.operation].format(name=name) if part.is_served else "Not supported",
        "tags": [name if route.operation not in _DISCOVERY else "discovery"],
        "responses": answers.of(part),
    }
    parameters = [*([answers.ID] if "{resource_id}" in route.pattern else []), *part.parameters]
    if parameters:
        described["parameters"] = parameters
    if part.body is not None:
        described["requestBody"] = {"required": True, "content": answers.content(part.body, is_request=True)}
    return described


def _part(route: Route, kinds: list[str]) -> Part:
    """Return what an operation takes and gives, apart from what all have in common."""
    if route.pattern == "/Me":
        return answers.NOT_SERVED
    kind = kinds[0]
    page = f"{kind}List" if len(kinds) == 1 else "ResourceList"
    match route.operation:
        case Operation.create:
            return answers.creation(kind)
        case Operation.query:
            return answers.reading(kind)
        case Operation.replace:
            return answers.writing(kind, body=f"{kind}Request")
        case Operation.patch:
            return answers.writing(kind, body="PatchOp", is_silent=kind == GROUP)
        case Operation.delete:
            return answers.DELETION
        case Operation.search:
            return answers.search(page)
        case Operation.search_with_body:
            return answers.search_with_body(page)
        case Operation.bulk:
            return answers.BULK
        case _:
            return answers.discovery(_DISCOVERY[route.operation], is_one="{resource_id}" in route.pattern)
