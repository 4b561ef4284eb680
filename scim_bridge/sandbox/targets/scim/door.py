"""The SCIM endpoints of a simulated service: one request in, one answer out."""

import random
from collections.abc import Mapping
from typing import Any

from werkzeug.wrappers import Request, Response

from scim_bridge.sandbox.targets import bodies
from scim_bridge.sandbox.targets.scim import answers, bulk, schemas
from scim_bridge.sandbox.targets.scim.answers import ScimError
from scim_bridge.sandbox.targets.scim.options import ScimOptions
from scim_bridge.sandbox.targets.scim.side import ScimSide
from scim_bridge.sandbox.targets.scim.state import ScimState
from scim_bridge.sandbox.targets.seeds import Refusals

_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def is_write(request: Request) -> bool:
    """Tell whether a request changes users or groups; a search and a read change nothing."""
    return request.method in _WRITES and not request.path.endswith("/.search")


def count_items(request: Request) -> int:
    """Return how many users or operations a call carries, without judging them."""
    if not is_write(request):
        return 0
    try:
        body = bodies.read_json(request)
    except bodies.NotJsonError:
        return int(request.method == "DELETE")
    listed = body.get("Operations") if isinstance(body, dict) and request.path.endswith("/Bulk") else body
    return len(listed) if isinstance(listed, list) else 1


def answer(
    request: Request,
    *,
    state: ScimState,
    options: ScimOptions,
    refusals: Refusals,
    at_most: int | None,
    randomness: random.Random,
) -> Response:
    """Apply one request and answer it, refusals included; of a bulk request, apply only the first `at_most`."""
    base = request.host_url.rstrip("/") + options.path
    side = ScimSide(state=state, options=options, refusals=refusals, base=base)
    try:
        return _answer(request, side, at_most=at_most, randomness=randomness)
    except ScimError as error:
        return answers.scim_error(error, options)


def _answer(request: Request, side: ScimSide, *, at_most: int | None, randomness: random.Random) -> Response:
    options, path = side.options, request.path.removeprefix(side.options.path).rstrip("/")
    match request.method, path:
        case "GET", "/ServiceProviderConfig" if options.config:
            return answers.resource(answers.service_provider_config(options, side.base + path))
        case "GET", "/ResourceTypes":
            types = answers.resource_types(options, side.base + path)
            return answers.listing(types, total=len(types), start_index=1)
        case "GET", "/Users" | "/Groups":
            return _listing(side, path, request.args.to_dict())
        case "GET", _:
            names = [request.args.get(each, "").split(",") for each in ("attributes", "excludedAttributes")]
            wanted, excluded = ([each for each in listed if each] for listed in names)
            return answers.resource(answers.project(side.read(path, wanted), wanted, excluded))
        case "POST", "/Users/.search" | "/Groups/.search":
            return _search(side, path.removesuffix("/.search"), request)
        case "POST", "/Bulk":
            return _bulk(side, request, at_most=at_most, randomness=randomness)
    if request.method not in _WRITES:
        raise ScimError(405, f"{request.method} is not possible here")
    performed = side.perform(request.method, path, _json_of(request) if request.method != "DELETE" else None)
    if performed.document is None:
        return Response(status=204)
    return answers.resource(performed.document, performed.status)


def _search(side: ScimSide, path: str, request: Request) -> Response:
    query = _json_of(request)
    if not side.options.search:
        raise ScimError(501, "search is not supported")
    if not isinstance(query, dict) or schemas.SEARCH_REQUEST not in query.get("schemas", ()):
        raise ScimError(400, "send a SearchRequest", "invalidSyntax")
    return _listing(side, path, query)


def _bulk(side: ScimSide, request: Request, *, at_most: int | None, randomness: random.Random) -> Response:
    payload_bytes = len(request.get_data())
    bulk.require_small(None, payload_bytes, side.options)
    document = bulk.answer_bulk(
        _json_of(request), side, payload_bytes=payload_bytes, at_most=at_most, randomness=randomness
    )
    return bodies.write_json(document, 200, answers.SCIM_JSON)


def _listing(side: ScimSide, path: str, query: Mapping[str, Any]) -> Response:
    page = side.find(path.removeprefix("/"), query)
    return answers.listing(page.documents, total=page.total, start_index=page.start_index)


def _json_of(request: Request) -> Any:
    if request.mimetype not in {answers.SCIM_JSON, "application/json"}:
        raise ScimError(415, "send application/scim+json")
    try:
        return bodies.read_json(request)
    except bodies.NotJsonError as exc:
        raise ScimError(400, str(exc), "invalidSyntax") from exc
