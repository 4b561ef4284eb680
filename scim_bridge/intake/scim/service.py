"""The SCIM protocol as this bridge speaks it: what it announces, what it reads, and how its answers look."""

from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any, TypeVar, cast

from pydantic import ValidationError
from scim2_models import (
    AuthenticationScheme,
    BaseModel,
    Bulk,
    ChangePassword,
    Context,
    ETag,
    Filter,
    Pagination,
    Patch,
    PatchOp,
    PayloadTooLargeException,
    ResourceType,
    ResponseParameters,
    SCIMException,
    SearchRequest,
    ServiceProviderConfig,
    Sort,
)
from scim2_server import routing
from scim2_server.errors import MethodNotAllowedException
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse
from scim2_server.routing import Target
from scim2_server.service import BULK_SUCCESS_STATUS, ScimService, scim_exception_of
from scim2_server.utils import parametrize

from scim_bridge.domain.models import User, describe_service
from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.intake.scim import bounds, filter_text, messages, patches, payloads, shown, tolerances
from scim_bridge.intake.scim import parameters as asked
from scim_bridge.intake.scim.answers import TextResponse
from scim_bridge.intake.scim.shown import Shown
from scim_bridge.settings.models import WebSettings
from scim_bridge.store.engine import compact_json
from scim_bridge.store.search.pages import Page

LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
_ROOT = "/scim/v2/"
CURSOR_TIMEOUT_S = 3600
DEFAULT_PAGE = 100

ModelT = TypeVar("ModelT", bound=BaseModel)


def announced(settings: WebSettings) -> ServiceProviderConfig:
    """Return what /ServiceProviderConfig says; every line of it is kept."""
    return ServiceProviderConfig(
        patch=Patch(supported=True),
        bulk=Bulk(
            supported=True,
            max_operations=settings.bulk_max_operations,
            max_payload_size=settings.bulk_max_payload_bytes,
        ),
        filter=Filter(supported=True, max_results=settings.max_results),
        change_password=ChangePassword(supported=False),
        sort=Sort(supported=True),
        etag=ETag(supported=True),
        pagination=Pagination(
            cursor=True,
            index=True,
            default_pagination_method=Pagination.DefaultPaginationMethod.index,
            default_page_size=min(DEFAULT_PAGE, settings.max_results),
            max_page_size=settings.max_results,
            cursor_timeout=CURSOR_TIMEOUT_S,
        ),
        authentication_schemes=[
            AuthenticationScheme(
                type=AuthenticationScheme.Type.oauthbearertoken,
                name="Bearer token",
                description="A token made with `scim-bridge token create`, in the Authorization header",
                spec_uri="https://www.rfc-editor.org/rfc/rfc6750",
                primary=True,
            ),
            AuthenticationScheme(
                type=AuthenticationScheme.Type.httpbasic,
                name="HTTP Basic",
                description="The same token as the password; the user name is not looked at",
                spec_uri="https://www.rfc-editor.org/rfc/rfc7617",
                primary=False,
            ),
        ],
    )


class BridgeService(ScimService):
    """The library's service with our tolerances, limits and way of showing resources."""

    def __init__(self, settings: WebSettings, *, secret: bytes) -> None:
        """Announce what the settings allow. `secret` seals the cursors; every process needs the same."""
        super().__init__(describe_service(announced(settings), tolerances.POLICY), secret=secret)
        self._messages = messages.made_for(self.get_models())
        self._max_body_bytes = settings.max_body_bytes
        self._most_in_bulk = settings.bulk_max_operations
        self._most_operations = max(settings.bulk_max_operations, bounds.MAX_OPERATIONS)

    # -- Requests -------------------------------------------------------

    def max_body_size(self, request: ScimRequest) -> int | None:
        """Return how much of a body is read: outside Bulk there is a limit too."""
        limit = super().max_body_size(request)
        return self._max_body_bytes if limit is None else limit

    def read_body(self, model: type[ModelT], body: bytes, content_type: str | None, scim_ctx: Context) -> ModelT:
        """Read a request body, bent by the tolerances, with a model.

        Raises:
            SCIMException: it is too large, no JSON, or not what the model asks for; says what to do about it.
        """
        payload = self.decode_body(body, content_type, is_bulk=scim_ctx == Context.BULK_REQUEST)
        if scim_ctx == Context.BULK_REQUEST:
            return self._read_bulk(model, payload)
        if scim_ctx == Context.RESOURCE_PATCH_REQUEST:
            payload = self._tolerate_patch(_kind_of(model.__pydantic_generic_metadata__["args"][0]), payload)
        else:
            payload = tolerances.tolerate_resource(_kind_of(model), payload)
        return _validated(model, payload, scim_ctx)

    def decode_patch(self, kind: str, body: bytes, content_type: str | None) -> Any:
        """Return a PatchOp message as JSON, bent by the tolerances and not yet validated.

        Raises:
            SCIMException: as `decode_body`.
        """
        return patches.tolerate_patch(kind, self.decode_body(body, content_type))

    def check_patch(self, resource_type: ResourceType, payload: Any) -> "PatchOp[Any]":
        """Return what `decode_patch` gave as a validated patch.

        Raises:
            SCIMException: it is no patch of this resource type.
        """
        self._check_patch(payload)
        model = parametrize(PatchOp, self.get_model(resource_type))
        return _validated(model, payload, Context.RESOURCE_PATCH_REQUEST)

    def decode_body(self, body: bytes, content_type: str | None, *, is_bulk: bool = False) -> Any:
        """Return the JSON of a request body, checked for size, depth and characters."""
        self.ensure_json(content_type)
        if not is_bulk and len(body) > self._max_body_bytes:
            raise PayloadTooLargeException(
                detail=f"The body is larger than {self._max_body_bytes} bytes. Send less at once, or use /Bulk."
            )
        payloads.check_encoding(body, content_type)
        return payloads.read_json(body)

    def _tolerate_patch(self, kind: str, payload: Any) -> Any:
        tolerated = patches.tolerate_patch(kind, payload)
        self._check_patch(tolerated)
        return tolerated

    def _check_patch(self, tolerated: Any) -> None:
        bounds.check_patch(tolerated, most=self._most_operations, nesting=filter_text.MAX_NESTING)

    def _read_bulk(self, model: type[ModelT], payload: Any) -> ModelT:
        """Read a bulk request; an operation that the tolerances refuse is refused alone.

        Raises:
            SCIMException: it holds too many operations, or is none.
        """
        operations = next((value for key, value in payload.items() if key.lower() == "operations"), None)
        if not isinstance(operations, list):
            return _validated(model, payload, Context.BULK_REQUEST)
        bounds.check_bulk(operations, most=self._most_in_bulk)
        refused: dict[int, SCIMException] = {}
        tolerated = list[Any]()
        for number, operation in enumerate(operations):
            try:
                tolerated.append(self._tolerate_bulk_operation(operation))
            except SCIMException as error:
                refused[number] = error
                tolerated.append({**operation, "data": {}})
        kept = {key: value for key, value in payload.items() if key.lower() != "operations"}
        read: Any = _validated(model, {**kept, "Operations": tolerated}, Context.BULK_REQUEST)
        for number, refusal in refused.items():
            read.operations[number].response = refusal.to_error()
            read.operations[number].status = refusal.status
        return cast("ModelT", read)

    def _tolerate_bulk_operation(self, operation: Any) -> Any:
        if not isinstance(operation, dict):
            return operation
        method = operation.get("method")
        operation = {**operation, "method": method.upper()} if isinstance(method, str) else operation
        path = operation.get("path")
        if isinstance(path, str) and path:
            # As over HTTP, a slash at the end is nothing; and a location that we gave out names its resource here too.
            path = operation["path"] = f"/{path.rpartition(_ROOT)[2].strip('/')}"
        resource_type = self.get_resource_type_by_endpoint(str(path or "").strip("/").split("/")[0])
        if resource_type is None or not isinstance(operation.get("data"), dict):
            return operation
        tolerate = self._tolerate_patch if operation.get("method") == "PATCH" else tolerances.tolerate_resource
        return {**operation, "data": tolerate(str(resource_type.name), operation["data"])}

    def read_search(self, resource_types: list[ResourceType], payload: Any) -> tuple[SearchRequest[Any], Any]:
        """Read a search; a filter is bounded and bent first."""
        if isinstance(payload, dict):
            payload = asked.tolerate([str(each.name) for each in resource_types], payload)
        return super().read_search(resource_types, payload)

    def read_response_parameters(
        self, resource_type: ResourceType, query: Mapping[str, str]
    ) -> "ResponseParameters[Any]":
        """Read what of a resource the answer is to show."""
        return super().read_response_parameters(resource_type, asked.tolerate([str(resource_type.name)], query))

    @staticmethod
    def match(request: ScimRequest) -> Target:
        """Return the operation that a request asks for; `.search` is no resource, whatever the method."""
        if request.method.upper() != "POST" and request.path.rstrip("/").endswith("/.search"):
            raise MethodNotAllowedException(allowed=["POST"])
        return _target_of(request.method.upper(), request.path)

    # -- Answers --------------------------------------------------------

    def shown_response(
        self,
        base_url: str,
        resource: Shown,
        *,
        parameters: ResponseParameters[Any] | None = None,
        status: HTTPStatus = HTTPStatus.OK,
    ) -> ScimResponse:
        """Return the answer that shows a resource, with its ETag and location."""
        location = f"{base_url.rstrip('/')}/{resource.path}"
        headers = {"Content-Location": location, "ETag": resource.stored.etag}
        if status == HTTPStatus.CREATED:
            headers["Location"] = location
        text = shown.text_of(resource, base_url=base_url.rstrip("/"), parameters=parameters)
        return TextResponse(status, text, headers)

    def list_response(
        self,
        base_url: str,
        resource_types: list[ResourceType],
        page: Page,
        found: list[Shown],
        request: SearchRequest[Any],
    ) -> ScimResponse:
        """Return the answer that lists a page. Every member is there, also when nothing was found."""
        body: dict[str, Any] = {"schemas": [LIST_RESPONSE]}
        if page.total is not None:
            body["totalResults"] = page.total
        body["itemsPerPage"] = len(found)
        if request.cursor is None:
            body["startIndex"] = request.start_index or 1
        elif request.count != 0:
            cursors = {"nextCursor": page.next, "previousCursor": page.previous}
            sealed = {name: self._seal(resource_types, request, position) for name, position in cursors.items()}
            body |= {name: cursor for name, cursor in sealed.items() if cursor is not None}
        resources = shown.texts_of(found, base_url=base_url.rstrip("/"), parameters=request)
        return TextResponse(HTTPStatus.OK, f'{compact_json(body)[:-1]},"Resources":[{resources}]}}')

    def bulk_success(self, base_url: str, operation: Any, outcome: dict[str, Any], resource: Any) -> dict[str, Any]:
        """Return the outcome of a step that succeeded; `resource` is what became of its resource, as `Shown`."""
        outcome["status"] = BULK_SUCCESS_STATUS[operation.method]
        if resource is not None:
            outcome["location"] = f"{base_url.rstrip('/')}/{resource.path}"
            outcome["version"] = resource.stored.etag
        return outcome

    def bulk_failure(self, outcome: dict[str, Any], exception: Exception) -> dict[str, Any]:
        """Return the outcome of a step that failed; what is no SCIM error fails the whole request instead."""
        if not isinstance(exception, SCIMException):
            raise exception
        return super().bulk_failure(outcome, exception)


@lru_cache(maxsize=256)
def _target_of(method: str, path: str) -> Target:
    """Return what the library's routes say. It tries one after the other, and each request asks twice or more."""
    return routing.match(method, path)


def _validated(model: type[ModelT], payload: Any, scim_ctx: Context) -> ModelT:
    try:
        return model.model_validate(payload, scim_ctx=scim_ctx)
    except ValidationError as error:
        raise scim_exception_of(error) from None


def _kind_of(model: type[BaseModel]) -> str:
    return USER if issubclass(model, User) else GROUP
