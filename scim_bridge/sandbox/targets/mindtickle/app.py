"""The simulated MindTickle as a vendor behind the gate: credentials, company, and the two sides of its API."""

import hmac
import random
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from werkzeug.wrappers import Request, Response

from scim_bridge.domain.instants import Clock
from scim_bridge.sandbox.targets import bodies
from scim_bridge.sandbox.targets.holdings import HeldState
from scim_bridge.sandbox.targets.mindtickle import rest
from scim_bridge.sandbox.targets.mindtickle.announcing import Announcer
from scim_bridge.sandbox.targets.mindtickle.options import USER_WRITE, MindTickleOptions
from scim_bridge.sandbox.targets.mindtickle.rest import RestError
from scim_bridge.sandbox.targets.scim import answers, door
from scim_bridge.sandbox.targets.scim.answers import ScimError
from scim_bridge.sandbox.targets.scim.state import ScimState
from scim_bridge.sandbox.targets.seeds import Refusals, SeedUser

REST_PATH = "/v2"


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
        self.webhooks = Announcer(lambda: self.options, lambda: self.company_id, clock)
        self.state = ScimState(clock, prefix="mt", on_status=self.webhooks.tell)

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
        return (USER_WRITE,) if door.is_write(request) else ()

    def count_items(self, request: Request) -> int:
        """Return how many users or operations the call carries."""
        return door.count_items(request)

    def answer(self, request: Request, at_most: int | None) -> Response:
        """Answer one admitted call."""
        header = self.options.company_header
        if header is not None and request.headers.get(header) != self.company_id:
            return self._refuse(request, 403, "Company id is missing or not that of this key")
        if len(request.full_path) > self.options.max_url:
            return self._refuse(request, 414, "The URL is too long")
        try:
            if self._is_scim(request):
                return door.answer(
                    request,
                    state=self.state,
                    options=self.options.scim,
                    refusals=self.refusals,
                    at_most=at_most,
                    randomness=self._randomness,
                )
            return self._answer_rest(request, at_most)
        except RestError as error:
            return rest.error_answer(error)
        except bodies.NotJsonError as exc:
            return self._refuse(request, 400, str(exc))

    def failure(self, status: int, request: Request) -> Response:
        """Return an error of this status in the form of the side that was called."""
        texts = {401: "Invalid API key", 403: "Access denied", 429: "Rate limited", 503: "Service unavailable"}
        return self._refuse(request, status, texts.get(status, "Something went wrong on our side"))

    def over_limit(self, wait_s: float, request: Request) -> Response:
        """Return 429 with the wait in the form that the options ask for."""
        return answers.with_wait(self.failure(429, request), wait_s, self.options.retry_after, now_ms=self._clock())

    def seed(self, users: Sequence[SeedUser], groups: Sequence[str], courses: Sequence[str]) -> None:
        """Put groups (by name) and users in place; raises ValueError for courses, which SCIM does not know."""
        self.state.seed(users, groups, courses)

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
            return answers.scim_error(ScimError(status, text), self.options.scim)
        kinds = {400: "VALIDATION_ERROR", 401: "INVALID_API_KEY", 403: "ACCESS_DENIED", 429: "RATE_LIMITED"}
        return rest.error_answer(RestError(status, kinds.get(status, "INTERNAL_ERROR"), text))

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
