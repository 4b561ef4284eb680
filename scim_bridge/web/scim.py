"""/scim/v2: the SCIM endpoints of the tenant that the token names."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, g, request
from scim2_flask import ScimServer
from scim2_models import PayloadTooLargeException
from scim2_server.errors import UnsupportedMediaTypeException
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse
from scim2_server.routing import Route

from scim_bridge.dispatch import Dispatcher
from scim_bridge.intake.scim import answers
from scim_bridge.intake.scim.acknowledging import WaitingRoom
from scim_bridge.intake.scim.gathering import Gathering
from scim_bridge.intake.scim.handler import BridgeHandler
from scim_bridge.intake.scim.keeping import Keeping, Keys
from scim_bridge.intake.scim.service import BridgeService
from scim_bridge.intake.scim.storage import DirectoryStorage
from scim_bridge.intake.scim.writing import Writing
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.scopes import TargetScope
from scim_bridge.recording.voices import Voices
from scim_bridge.settings.models import WebSettings
from scim_bridge.store.engine import Contended, Store
from scim_bridge.web.auth import Doorkeeper

SCOPES = frozenset({"scim"})
PREFIX = "/scim/v2"

Serve = Callable[[BridgeHandler, ScimRequest], ScimResponse]

_ATTEMPTS = 4
"""How often a request is served when PostgreSQL undoes it because another was in its way."""


class ScimEndpoints(ScimServer):
    """The library's endpoints with a handler of its own for each request, bound to the token's tenant."""

    def __init__(
        self,
        service: BridgeService,
        store: Store,
        dispatcher: Dispatcher,
        doorkeeper: Doorkeeper,
        *,
        scopes: Mapping[str, Mapping[str, TargetScope]],
        voices: Mapping[str, Voices],
        confirm_s: Mapping[str, float],
        keys: Keys,
        room: WaitingRoom,
        settings: WebSettings,
        step_aside: Callable[[], None],
    ) -> None:
        """Serve the store. `scopes` are the targets' scopes by tenant, `voices` the sources where there are several.

        `confirm_s` tells how long the senders of a tenant wait for a change to be settled; of others, none does.
        `step_aside` passes a moment until a request that was in another's way is served again.
        """
        self._store = store
        self._gathering = Gathering(store)
        self._dispatcher = dispatcher
        self._doorkeeper = doorkeeper
        self._scopes = scopes
        self._voices = voices
        self._confirm_s = confirm_s
        self._keys = keys
        self._room = room
        self._settings = settings
        self._step_aside = step_aside
        self._bridge_service = service
        placeholder = DirectoryStorage(store, tenant="", origin=Origin(source="", correlation_id=""), scopes={})
        super().__init__(placeholder, service.provider, service=service, url_prefix=PREFIX)

    def create_blueprint(self) -> Blueprint:
        """Return the endpoints; each asks for a token first, discovery too."""
        blueprint = super().create_blueprint()
        # Errors are answered by the application, so that every door speaks alike.
        blueprint.error_handler_spec.clear()
        blueprint.before_request(self._admit)
        return blueprint

    def get_subject(self) -> Any:
        """Return whom the request speaks for."""
        return g.principal

    def read_request(self) -> ScimRequest:
        """Return the request; HEAD is a GET whose body the server leaves out.

        The library's own builds a URL and matches the route once more, whether or not there is a body.
        """
        self._refuse_undeliverable()
        read = ScimRequest(
            method="GET" if request.method == "HEAD" else request.method,
            base_url=self._base_url(),
            path=request.path.removeprefix(PREFIX),
            query=request.args.to_dict(),
            headers=list(request.headers.items()),
            subject=self.get_subject(),
        )
        if request.content_length or "Transfer-Encoding" in request.headers:
            read.body = self.read_body(read)
        return read

    def _base_url(self) -> str:
        if self._settings.public_url is not None:
            return self._settings.public_url.rstrip("/") + PREFIX
        return f"{request.scheme}://{request.host.lower()}{request.root_path}{PREFIX}"

    def _refuse_undeliverable(self) -> None:
        """Refuse a body that is announced as too large, or packed, before anybody waits for it."""
        if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
            raise UnsupportedMediaTypeException(detail="The body must come as it is, without a Content-Encoding")
        most = max(self._settings.max_body_bytes, self._settings.bulk_max_payload_bytes)
        if request.content_length is not None and request.content_length > most:
            raise PayloadTooLargeException(detail=f"The request announces more than {most} bytes.")

    def _admit(self) -> None:
        g.principal = self._doorkeeper.admit(
            request.headers.get("Authorization"), address=request.remote_addr, scopes=SCOPES
        )

    def _make_view(self, route: Route) -> Any:
        def view(**_parts: str) -> Response:
            return self._serve(lambda handler, read: getattr(handler, route.operation.value)(read))

        return view

    def _fallback_view(self, path: str) -> Response:  # noqa: ARG002 - the library's signature
        return self._serve(lambda handler, read: handler.handle(read))

    def _serve(self, operation: Serve) -> Response:
        read = self.read_request()
        answer = self._keys.answer(
            read,
            tenant=g.principal.tenant,
            token_id=g.principal.token_id,
            serve=lambda keeping: self._answer(operation, read, keeping),
        )
        return self._to_response(answer)

    def _answer(self, operation: Serve, read: ScimRequest, keeping: Keeping | None) -> ScimResponse:
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._attempt(operation, read, keeping)
            except Contended:
                # Nothing was recorded, so the same request can simply be served again, once the others are through.
                self._step_aside()
        return self._attempt(operation, read, keeping)

    def _attempt(self, operation: Serve, read: ScimRequest, keeping: Keeping | None) -> ScimResponse:
        tenant = g.principal.tenant
        writing = Writing(self._room, tenant=tenant, confirm_s=self._confirm_s.get(tenant), keeping=keeping)
        storage = DirectoryStorage(
            self._store,
            tenant=tenant,
            origin=Origin(source=g.principal.source, token_id=g.principal.token_id, correlation_id=g.correlation_id),
            scopes=self._scopes.get(tenant, {}),
            read_timeout_s=self._settings.statement_timeout_s,
            keep_answer=writing.keep,
            # An answer that is kept needs a transaction of its own.
            gathering=self._gathering if keeping is None else None,
            voices=self._voices.get(tenant),
        )
        answer = operation(BridgeHandler(self._bridge_service, storage), read)
        for target, urgent in storage.wakes.items():
            self._dispatcher.wake(tenant, target, urgent=urgent)
        return writing.acknowledged(answer, storage)

    @staticmethod
    def _to_response(scim_response: ScimResponse) -> Response:
        return Response(
            answers.text_of(scim_response), status=scim_response.status.value, headers=scim_response.headers
        )
