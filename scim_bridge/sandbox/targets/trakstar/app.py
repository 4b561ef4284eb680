"""The simulated Trakstar Learn as a vendor behind the gate: routes, credential, contract, handlers."""

import hmac
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from scim_bridge.domain.instants import Clock
from scim_bridge.sandbox.targets import bodies
from scim_bridge.sandbox.targets.holdings import HeldState
from scim_bridge.sandbox.targets.seeds import Refusals, SeedUser
from scim_bridge.sandbox.targets.trakstar import adding, answers, contract, handlers
from scim_bridge.sandbox.targets.trakstar.answers import RefusedError
from scim_bridge.sandbox.targets.trakstar.handlers import Order
from scim_bridge.sandbox.targets.trakstar.options import TrakstarOptions
from scim_bridge.sandbox.targets.trakstar.state import OWNER, TRAINEE, TrakstarState

PREFIX = "/api/v3"
KEY_HEADER = "x-mindflash-apikey"

_UNDOCUMENTED_ROUTES = {
    "archiveUsers": "/user/archive",
    "unarchiveUser": "/user/<int:user_id>/unarchive",
    "addUsersToGroup": "/group/<int:group_id>/user",
    "removeUsersFromGroup": "/group/<int:group_id>/user/action/delete",
}
_INVITE_ROUTES = {
    "inviteUserToCourse": "/course/<int:course_id>/user/<int:user_id>/invite",
    "inviteUsersToCourse": "/course/<int:course_id>/invite",
}
_PLACES = {"{userId}": "<int:user_id>", "{groupId}": "<int:group_id>", "{courseId}": "<int:course_id>"}


class TrakstarVendor:
    """Trakstar Learn v3 by its document, with switches for where the vendor's own pages differ."""

    kind = "trakstar"

    def __init__(
        self, *, api_key: str, clock: Clock, options: TrakstarOptions | None = None, refusals: Refusals | None = None
    ) -> None:
        self._api_key = api_key
        self.options = options or TrakstarOptions()
        self.refusals = refusals or Refusals()
        self.state = TrakstarState(clock)
        self._routes = _routes(self.options)

    @property
    def paths(self) -> Mapping[str, str]:
        """Path prefix of the API."""
        return {"base_url": PREFIX}

    def credential(self, request: Request) -> str | None:
        """Return the API key when it is the right one."""
        offered = self.offered_credential(request) or ""
        return offered if hmac.compare_digest(offered.encode(), self._api_key.encode()) else None

    def offered_credential(self, request: Request) -> str | None:
        """Return what the key's header holds."""
        return request.headers.get(KEY_HEADER)

    def quota_of(self, credential: str) -> str:
        """Return the key: each has limits of its own."""
        return credential

    def classes(self, request: Request) -> Collection[str]:  # noqa: ARG002 - the port's signature
        """Return nothing: one limit holds for every call."""
        return ()

    def count_items(self, request: Request) -> int:
        """Return how many users the call carries."""
        if request.method != "POST":
            return 0
        try:
            body = bodies.read_json(request)
        except bodies.NotJsonError:
            return 0
        listed = body.get("users", body.get("userIds")) if isinstance(body, dict) else None
        return len(listed) if isinstance(listed, list) else 1

    def answer(self, request: Request, at_most: int | None) -> Response:
        """Answer one admitted call."""
        try:
            if self.options.account_problem is not None:
                return self._account_problem(self.options.account_problem)
            operation_id, path_values = self._routes.bind("sandbox").match(request.path, method=request.method)
            order = Order(
                state=self.state,
                options=self.options,
                refusals=self.refusals,
                query=self._query(operation_id, request),
                body=self._body(operation_id, request),
                at_most=at_most,
            )
            with self.state.lock:
                return _handler(operation_id)(order, **path_values)
        except RefusedError as refused:
            return answers.error(refused, self.options)
        except MethodNotAllowed:
            return answers.error(RefusedError(405, "Method not allowed"), self.options)
        except HTTPException:
            return answers.error(RefusedError(404, "The requested resource could not be found"), self.options)

    def failure(self, status: int, request: Request) -> Response:  # noqa: ARG002 - the port's signature
        """Return an error of this status."""
        texts = {401: "API key is missing or invalid", 429: "Rate limit exceeded"}
        codes = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
        text = texts.get(status, "Something went wrong on our side")
        return answers.error(RefusedError(status, text, code=codes.get(status)), self.options)

    def over_limit(self, wait_s: float, request: Request) -> Response:  # noqa: ARG002 - the document declares no wait
        """Return 429, without Retry-After, as in the document."""
        return self.failure(429, request)

    def seed(self, users: Sequence[SeedUser], groups: Sequence[str], courses: Sequence[str]) -> None:
        """Put groups and courses (by name) and users in place."""
        with self.state.lock:
            for name in groups:
                self.state.group_named(name)
            for name in courses:
                self.state.add_course(name)
            for user in users:
                self.state.add_user(
                    first_name=user.first_name,
                    last_name=user.last_name,
                    email=user.email,
                    username=user.user_name,
                    permissions=OWNER if user.is_protected else TRAINEE,
                    group_ids=[self.state.group_named(name).group_id for name in user.groups],
                    is_archived=not user.active,
                    is_owner=user.is_protected,
                    is_hidden=user.is_hidden,
                )

    def set_options(self, changes: Mapping[str, Any]) -> None:
        """Change options while running."""
        self.options = bodies.change_options(self.options, dict(changes))
        self._routes = _routes(self.options)

    def held(self) -> HeldState:
        """Return what is held now."""
        return self.state.held()

    def _query(self, operation_id: str, request: Request) -> Mapping[str, str]:
        query = request.args.to_dict()
        if operation_id in handlers.DOCUMENTED:
            is_strict = self.options.unknown_fields == "refuse"
            _require(contract.breaches_of_query(operation_id, query, is_strict=is_strict))
        return query

    def _body(self, operation_id: str, request: Request) -> Mapping[str, Any]:
        has_body = operation_id in handlers.DOCUMENTED and "requestBody" in contract.operations()[operation_id][2]
        if not has_body and operation_id not in {"archiveUsers", "addUsersToGroup", "removeUsersFromGroup"}:
            return {}
        if request.mimetype != "application/json":
            raise RefusedError(400, "The request was invalid", ("send application/json",))
        try:
            body = bodies.read_json(request)
        except bodies.NotJsonError as exc:
            raise RefusedError(400, "The request was invalid", (str(exc),)) from exc
        if has_body:
            is_strict, spelled = self.options.unknown_fields == "refuse", adding.custom_field_name(self.options)
            _require(contract.breaches_of_body(operation_id, body, is_strict=is_strict, custom_fields=spelled))
        elif not (isinstance(body, dict) and _is_list_of_ids(body.get("userIds"))):
            raise RefusedError(400, "The request was invalid", ("userIds must be a list of integers",))
        checked: Mapping[str, Any] = body
        return checked

    def _account_problem(self, code: str) -> Response:
        # The vendor's pages: a problem of the account is a 400, and no fault of any user.
        return bodies.write_json(
            {"type": "api_key_validation", "message": "The account cannot use the API", "param": None, "code": code},
            400,
        )


def _routes(options: TrakstarOptions) -> Map:
    rules = []
    for operation_id, (method, path, _) in contract.operations().items():
        if options.invite_path == "vendor" and operation_id in _INVITE_ROUTES:
            rules.append((_INVITE_ROUTES[operation_id], method, operation_id))
            continue
        for place, converter in _PLACES.items():
            path = path.replace(place, converter)  # noqa: PLW2901 - a path, being rewritten
        rules.append((path, method, operation_id))
    switched_on = {
        "archiveUsers": options.bulk_archive,
        "unarchiveUser": options.unarchive,
        "addUsersToGroup": options.bulk_groups,
        "removeUsersFromGroup": options.bulk_groups,
    }
    rules += [(_UNDOCUMENTED_ROUTES[name], "POST", name) for name, is_on in switched_on.items() if is_on]
    return Map(
        [Rule(PREFIX + path, methods=[method], endpoint=name) for path, method, name in rules], strict_slashes=False
    )


def _handler(operation_id: str) -> Callable[..., Response]:
    return handlers.DOCUMENTED.get(operation_id) or handlers.UNDOCUMENTED[operation_id]


def _require(breaches: list[str]) -> None:
    if breaches:
        raise RefusedError(400, "The request was invalid", tuple(breaches))


def _is_list_of_ids(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, int) and not isinstance(each, bool) for each in value)
