"""The simulated MindTickle as a vendor behind the gate: credentials, company, and the two sides of its API."""

import hmac
import math
import random
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from werkzeug.http import http_date
from werkzeug.wrappers import Request, Response

from scim_bridge.domain.instants import Clock
from scim_bridge.sandbox.targets import bodies
from scim_bridge.sandbox.targets.holdings import HeldState
from scim_bridge.sandbox.targets.mindtickle import answers, bulk, rest, schemas
from scim_bridge.sandbox.targets.mindtickle.answers import RestError, ScimError
from scim_bridge.sandbox.targets.mindtickle.options import USER_WRITE, MindTickleOptions
from scim_bridge.sandbox.targets.mindtickle.scim import ScimSide
from scim_bridge.sandbox.targets.mindtickle.state import Document, MindTickleState
from scim_bridge.sandbox.targets.seeds import Refusals, SeedUser

REST_PATH = "/v2"
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class MindTickleVendor:
    """MindTickle as far as its documents go: SCIM 2.0 on one side, a small REST API on the other."""

    kind = "mindtickle"

    def __init__(
        self,
        *,
        api_key: str,
        scim_token: str,
        company_id: str,
        clock: Clock,
        randomness: random.Random,
        options: MindTickleOptions | None = None,
        refusals: Refusals | None = None,
    ) -> None:
        self._api_key = api_key
        self._scim_token = scim_token
        self.company_id = company_id
        self._clock = clock
        self._randomness = randomness
        self.options = options or MindTickleOptions()
        self.refusals = refusals or Refusals()
        self.state = MindTickleState(clock)

    @property
    def paths(self) -> Mapping[str, str]:
        """Path prefixes of both sides."""
        return {"scim_base_url": self.options.scim_path, "rest_base_url": REST_PATH}

    def credential(self, request: Request) -> str | None:
        """Return the bearer token when it is the right one for this side."""
        offered = self.offered_credential(request) or ""
        expected = self._scim_token if self._is_scim(request) else self._api_key
        return offered if hmac.compare_digest(offered.encode(), expected.encode()) else None

    def offered_credential(self, request: Request) -> str | None:
        """Return the bearer token that the request bears."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.casefold() == "bearer" else None

    def quota_of(self, credential: str) -> str:
        """Return whose limits a call counts against: the credential's own, or the whole account's."""
        return credential if self.options.limit_scope == "key" else self.company_id

    def classes(self, request: Request) -> Collection[str]:
        """Return `user_write` for what changes users or groups; a search and a read change nothing."""
        is_write = request.method in _WRITES and not request.path.endswith("/.search")
        return (USER_WRITE,) if is_write else ()

    def count_items(self, request: Request) -> int:
        """Return how many users or operations the call carries."""
        if request.method not in _WRITES or request.path.endswith("/.search"):
            return 0
        try:
            body = bodies.read_json(request)
        except bodies.NotJsonError:
            return int(request.method == "DELETE")
        listed = body.get("Operations") if isinstance(body, dict) and request.path.endswith("/Bulk") else body
        return len(listed) if isinstance(listed, list) else 1

    def answer(self, request: Request, at_most: int | None) -> Response:
        """Answer one admitted call."""
        header = self.options.company_header
        if header is not None and request.headers.get(header) != self.company_id:
            return self._refuse(request, 403, "Company id is missing or not that of this key")
        if len(request.full_path) > self.options.max_url:
            return self._refuse(request, 414, "The URL is too long")
        try:
            if self._is_scim(request):
                return self._answer_scim(request, at_most)
            return self._answer_rest(request, at_most)
        except ScimError as error:
            return answers.scim_error(error, self.options)
        except RestError as error:
            return answers.rest_error(error)
        except bodies.NotJsonError as exc:
            return self._refuse(request, 400, str(exc))

    def failure(self, status: int, request: Request) -> Response:
        """Return an error of this status in the form of the side that was called."""
        texts = {401: "Invalid API key", 403: "Access denied", 429: "Rate limited", 503: "Service unavailable"}
        return self._refuse(request, status, texts.get(status, "Something went wrong on our side"))

    def over_limit(self, wait_s: float, request: Request) -> Response:
        """Return 429 with the wait in the form that the options ask for."""
        response = self.failure(429, request)
        match self.options.retry_after:
            case "seconds":
                response.headers["Retry-After"] = str(math.ceil(wait_s))
            case "date":
                response.headers["Retry-After"] = http_date(math.ceil(self._clock() / 1000 + wait_s))
            case "milliseconds":
                response.headers["retry-after-ms"] = str(math.ceil(wait_s * 1000))
            case "absent":
                pass
        return response

    def seed(self, users: Sequence[SeedUser], groups: Sequence[str], courses: Sequence[str]) -> None:
        """Put groups (by name) and users in place; raises ValueError for courses, which SCIM does not know."""
        if courses:
            raise ValueError("mindtickle keeps no courses here")
        with self.state.lock:
            for name in groups:
                self.state.group_named(name)
            for user in users:
                made = self.state.create("User", _document_of(user), is_hidden=user.is_hidden)
                self.state.set_groups(made, user.groups)

    def set_options(self, changes: Mapping[str, Any]) -> None:
        """Change options while running; `company_id` among them renames the company."""
        remaining = dict(changes)
        company_id = remaining.pop("company_id", self.company_id)
        self.options = bodies.change_options(self.options, remaining)
        self.company_id = company_id

    def held(self) -> HeldState:
        """Return what is held now."""
        return self.state.held()

    def _is_scim(self, request: Request) -> bool:
        return request.path.startswith(f"{self.options.scim_path}/")

    def _refuse(self, request: Request, status: int, text: str) -> Response:
        if self._is_scim(request):
            return answers.scim_error(ScimError(status, text), self.options)
        kinds = {400: "VALIDATION_ERROR", 401: "INVALID_API_KEY", 403: "ACCESS_DENIED", 429: "RATE_LIMITED"}
        return answers.rest_error(RestError(status, kinds.get(status, "INTERNAL_ERROR"), text))

    def _answer_scim(self, request: Request, at_most: int | None) -> Response:
        base = request.host_url.rstrip("/") + self.options.scim_path
        side = ScimSide(state=self.state, options=self.options, refusals=self.refusals, base=base)
        path = request.path.removeprefix(self.options.scim_path).rstrip("/")
        match request.method, path:
            case "GET", "/ServiceProviderConfig":
                return answers.resource(answers.service_provider_config(self.options, base + path))
            case "GET", "/ResourceTypes":
                types = answers.resource_types(self.options, base + path)
                return answers.listing(types, total=len(types), start_index=1)
            case "GET", "/Users" | "/Groups":
                return _listing(side, path, request.args.to_dict())
            case "GET", _:
                names = [request.args.get(each, "").split(",") for each in ("attributes", "excludedAttributes")]
                wanted, excluded = ([each for each in listed if each] for listed in names)
                return answers.resource(answers.project(side.read(path), wanted, excluded))
            case "POST", "/Users/.search" | "/Groups/.search":
                return self._search(side, path.removesuffix("/.search"), request)
            case "POST", "/Bulk":
                return self._bulk(side, request, at_most)
        if request.method not in _WRITES:
            raise ScimError(405, f"{request.method} is not possible here")
        performed = side.perform(request.method, path, _scim_json(request) if request.method != "DELETE" else None)
        if performed.document is None:
            return Response(status=204)
        return answers.resource(performed.document, performed.status)

    def _search(self, side: ScimSide, path: str, request: Request) -> Response:
        query = _scim_json(request)
        if not self.options.search:
            raise ScimError(501, "search is not supported")
        if not isinstance(query, dict) or schemas.SEARCH_REQUEST not in query.get("schemas", ()):
            raise ScimError(400, "send a SearchRequest", "invalidSyntax")
        return _listing(side, path, query)

    def _bulk(self, side: ScimSide, request: Request, at_most: int | None) -> Response:
        payload_bytes = len(request.get_data())
        bulk.require_small(None, payload_bytes, self.options)
        document = bulk.answer_bulk(
            _scim_json(request), side, payload_bytes=payload_bytes, at_most=at_most, randomness=self._randomness
        )
        return bodies.write_json(document, 200, answers.SCIM_JSON)

    def _answer_rest(self, request: Request, at_most: int | None) -> Response:
        match request.method, request.path.removeprefix(REST_PATH).rstrip("/"):
            case "GET", "/company":
                return bodies.write_json({"id": self.company_id, "name": "Simulated Company"})
            case "GET", "/users/me":
                return bodies.write_json({"id": "mt-admin", "email": "admin@example.com", "role": "ADMIN"})
            case "GET", "/users":
                return bodies.write_json(rest.list_users(self.state, self.options, request.args.to_dict()))
            case "POST", "/users/bulk":
                body = bodies.read_json(request)
                return bodies.write_json(
                    rest.write_users(body, self.state, self.options, self.refusals, at_most=at_most)
                )
        raise RestError(404, "NOT_FOUND", "There is nothing at this path")


def _listing(side: ScimSide, path: str, query: Mapping[str, Any]) -> Response:
    page = side.find(path.removeprefix("/"), query)
    return answers.listing(page.documents, total=page.total, start_index=page.start_index)


def _scim_json(request: Request) -> Any:
    if request.mimetype not in {answers.SCIM_JSON, "application/json"}:
        raise ScimError(415, "send application/scim+json")
    try:
        return bodies.read_json(request)
    except bodies.NotJsonError as exc:
        raise ScimError(400, str(exc), "invalidSyntax") from exc


def _document_of(user: SeedUser) -> Document:
    user_name = user.user_name or user.email
    roles = {"roles": [{"value": "admin"}]} if user.is_protected else {}
    listed = {"emails": [{"value": user.email, "type": "work", "primary": True}]} if user.email else {}
    return {
        "schemas": [schemas.USER],
        "userName": user_name,
        "name": {"givenName": user.first_name, "familyName": user.last_name},
        "active": user.active,
        **listed,
        **roles,
    }
