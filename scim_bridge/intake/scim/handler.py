"""Serves SCIM requests: the library's steps in the library's order, with transactions around what must be one.

How a PATCH is answered is a choice that RFC 7644 section 3.5.2 leaves open: 200 with the resource for a user, 204 for
a group. Okta takes either; Microsoft advises against sending the members of a group back; scim-sanity wants to see the
changed user. Whoever names `attributes` or `excludedAttributes` is shown what they ask for.
"""

from http import HTTPStatus
from typing import Any, cast

from pydantic import ValidationError
from scim2_models import BulkOperation, PatchOp, Resource, ResourceType, ResponseParameters, SCIMException
from scim2_server.bulk import BulkPlan
from scim2_server.conditions import Conditions
from scim2_server.handler import ScimHandler
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse
from scim2_server.routing import Operation
from scim2_server.service import scim_exception_of

from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.intake.scim import bounds, bulk_names, gathering, group_patch, patches, shown
from scim_bridge.intake.scim.service import BridgeService
from scim_bridge.intake.scim.shown import Shown
from scim_bridge.intake.scim.storage import DirectoryStorage
from scim_bridge.recording.edits import MemberEdit
from scim_bridge.store.directory import Stored

_UNCONDITIONAL = Conditions()


class BridgeHandler(ScimHandler):
    """One request's handler: bodies are read and validated first, then one short transaction does the rest."""

    service: BridgeService
    storage: DirectoryStorage

    def __init__(self, service: BridgeService, storage: DirectoryStorage) -> None:
        """Bind the protocol to one request's storage."""
        super().__init__(service, storage)
        self._comparisons = 0

    def create(self, request: ScimRequest) -> ScimResponse:
        """Create a resource (RFC 7644 section 3.3)."""
        with self.service.provider:
            resource_type = self._resource_type(request, Operation.create)
            parameters = self._parameters(resource_type, request)
            resource = self.service.read_creation(resource_type, request.body, request.header("Content-Type"))
            with self.storage.operation():
                created = self.storage.show(self.storage.add(_kind(resource_type), resource), parameters)
                response = self.service.shown_response(
                    request.base_url, created, parameters=parameters, status=HTTPStatus.CREATED
                )
                return self._kept(response, request)

    def query(self, request: ScimRequest) -> ScimResponse:
        """Read a resource (RFC 7644 section 3.4.1)."""
        with self.service.provider:
            resource_type = self._resource_type(request, Operation.query)
            parameters = self._parameters(resource_type, request)
            found = self.storage.read(_kind(resource_type), _resource_id(request), parameters=parameters)
            if not self.service.read_conditions(request).check(found.stored.etag, "GET"):
                return ScimResponse(HTTPStatus.NOT_MODIFIED, None, {"ETag": found.stored.etag})
            return self.service.shown_response(request.base_url, found, parameters=parameters)

    def replace(self, request: ScimRequest) -> ScimResponse:
        """Replace a resource (RFC 7644 section 3.5.1)."""
        with self.service.provider:
            resource_type = self._resource_type(request, Operation.replace)
            parameters = self._parameters(resource_type, request)
            replacement = self.service.read_replacement(resource_type, request.body, request.header("Content-Type"))
            conditions = self.service.read_conditions(request)
            with self.storage.operation():
                replaced = self._replace(_kind(resource_type), _resource_id(request), replacement, conditions)
                found = self.storage.show(replaced, parameters)
                return self._kept(self.service.shown_response(request.base_url, found, parameters=parameters), request)

    def patch(self, request: ScimRequest) -> ScimResponse:
        """Modify a resource (RFC 7644 section 3.5.2): 200 with a user, 204 for a group unless attributes are named."""
        with self.service.provider:
            resource_type = self._resource_type(request, Operation.patch)
            parameters = self._parameters(resource_type, request)
            edits, patch = self._read_patch(resource_type, request)
            conditions = self.service.read_conditions(request)
            if patch is None and parameters is None and conditions == _UNCONDITIONAL and self._may_gather(edits):
                return self._patch_together(request, edits)
            with self.storage.operation():
                patched = self._patch(_kind(resource_type), _resource_id(request), edits, patch, conditions)
                return self._kept(self._patched_response(request, patched, parameters), request)

    def delete(self, request: ScimRequest) -> ScimResponse:
        """Delete a resource (RFC 7644 section 3.6)."""
        with self.service.provider:
            resource_type = self._resource_type(request, Operation.delete)
            conditions = self.service.read_conditions(request)
            with self.storage.operation():
                self.delete_resource(resource_type, _resource_id(request), conditions)
                return self._kept(self.service.deletion_response(), request)

    def search(self, request: ScimRequest) -> ScimResponse:
        """Search with GET (RFC 7644 section 3.4.2)."""
        with self.service.provider:
            resource_types = self._searched_types(request, Operation.search)
            search, position = self.service.read_search_query(resource_types, request.query)
            return self._found(request, resource_types, search, position)

    def search_with_body(self, request: ScimRequest) -> ScimResponse:
        """Search with POST (RFC 7644 section 3.4.3)."""
        with self.service.provider:
            resource_types = self._searched_types(request, Operation.search_with_body)
            search, position = self.service.read_search_body(
                resource_types, request.body, request.header("Content-Type")
            )
            return self._found(request, resource_types, search, position)

    def bulk(self, request: ScimRequest) -> ScimResponse:
        """Run a bulk request (RFC 7644 section 3.7) in one transaction, each step in a savepoint of it."""
        with self.service.provider:
            self.service.route(request, Operation.bulk)
            plan = self.service.read_bulk(request.body, request.header("Content-Type"))
            named = bulk_names.named_by(plan.operations, self._kind_at)
            with self.storage.operation():
                self.storage.lock(named)
                self._run(request, plan)
                return self._kept(self.service.bulk_response(plan), request)

    def apply_bulk_operation(self, resource_type: ResourceType, operation: BulkOperation[Resource[Any]]) -> Any:
        """Apply a step of a bulk request and return what became of its resource; None where it is gone."""
        kind, scim_id = _kind(resource_type), str(operation.resource_id)
        conditions = Conditions(if_match=operation.version)
        data: Any = operation.data
        if operation.method == BulkOperation.Method.post:
            return Shown(stored=self.storage.add(kind, data))
        if operation.method == BulkOperation.Method.put:
            return Shown(stored=self._replace(kind, scim_id, data, conditions))
        if operation.method == BulkOperation.Method.patch:
            edits, patch = ([], data) if kind == USER else group_patch.split(data)
            return Shown(stored=self._patch(kind, scim_id, edits, patch, conditions))
        self.delete_resource(resource_type, scim_id, conditions)
        return None

    def delete_resource(self, resource_type: ResourceType, resource_id: str, conditions: Conditions) -> None:
        """Delete a resource once its conditions are met."""
        stored = self.storage.fetch(_kind(resource_type), resource_id)
        conditions.check(stored.etag, "DELETE")
        self.storage.remove(stored)

    def _kind_at(self, endpoint: str) -> str | None:
        resource_type = self.service.get_resource_type_by_endpoint(endpoint)
        return None if resource_type is None else _kind(resource_type)

    def _run(self, request: ScimRequest, plan: BulkPlan) -> None:
        for step in plan:
            result, resource = self.run_bulk_step(request, plan, step)
            plan.record(step, result, resource)

    def _read_patch(
        self, resource_type: ResourceType, request: ScimRequest
    ) -> "tuple[list[MemberEdit], PatchOp[Any] | None]":
        """Return what a patch does to members, and a patch of everything else."""
        kind, content_type = _kind(resource_type), request.header("Content-Type")
        if kind == USER:
            return [], self.service.read_patch(resource_type, request.body, content_type)
        payload = self.service.decode_patch(kind, request.body, content_type)
        edits, others = group_patch.parted(payload)
        if edits and not others:
            return edits, None
        if edits:
            more, rest = group_patch.split(self.service.check_patch(resource_type, {**payload, "Operations": others}))
            if not more:
                return edits, rest
        # Edits of members count in the order in which they stand.
        return group_patch.split(self.service.check_patch(resource_type, payload))

    def _replace(self, kind: str, resource_id: str, replacement: Resource[Any], conditions: Conditions) -> Stored:
        stored = self.storage.fetch(kind, resource_id)
        conditions.check(stored.etag, "PUT")
        edits = group_patch.edits_of(replacement) if kind == GROUP else []
        if edits:
            # Members are compared by rows; the document is compared without them.
            replacement = replacement.model_copy(update={"members": None})
        current = shown.model_of(Shown(stored=stored))
        said_active = self.storage.said_active(stored)
        if getattr(replacement, "active", None) is None and said_active is not None:
            # Whoever does not say keeps what was said: a PUT without `active` must not revive a leaver.
            replacement = replacement.model_copy(update={"active": said_active})
        replaces = replacement.replace(current) or self.storage.hears_others_of(kind)
        return self.storage.change(stored, replacement if replaces else None, member_edits=edits)

    def _patch(
        self,
        kind: str,
        resource_id: str,
        edits: list[MemberEdit],
        patch: "PatchOp[Any] | None",
        conditions: Conditions,
    ) -> Stored:
        stored = self.storage.fetch(kind, resource_id)
        conditions.check(stored.etag, "PATCH")
        patched = None
        if patch is not None:
            resource = shown.model_of(Shown(stored=stored))
            self._comparisons += bounds.check_comparisons(patch, resource, made=self._comparisons)
            patched = resource if _applies(patch, resource) else None
            bounds.check_result(resource)
            if self.storage.hears_others_of(kind):
                # To say what somebody else says already is a word too.
                return self.storage.say(stored, resource, of=patches.attributes_named(kind, patch))
        return self.storage.change(stored, patched, member_edits=edits)

    def _may_gather(self, edits: list[MemberEdit]) -> bool:
        return bool(edits) and self.storage.gathers and gathering.is_gathered(edits)

    def _patch_together(self, request: ScimRequest, edits: list[MemberEdit]) -> ScimResponse:
        """Answer a patch of few members by name: many come at once, so they may share a transaction."""
        patched = self.storage.edit_members(_resource_id(request), edits)
        response = self._patched_response(request, patched, None)
        self.storage.tell(response, request)
        return response

    def _patched_response(
        self, request: ScimRequest, patched: Stored, parameters: "ResponseParameters[Any] | None"
    ) -> ScimResponse:
        if patched.kind == GROUP and parameters is None:
            return ScimResponse(HTTPStatus.NO_CONTENT, None, {"ETag": patched.etag})
        return self.service.shown_response(
            request.base_url, self.storage.show(patched, parameters), parameters=parameters
        )

    def _found(
        self, request: ScimRequest, resource_types: list[ResourceType], search: Any, position: Any
    ) -> ScimResponse:
        page, found = self.storage.find([_kind(each) for each in resource_types], search, position=position)
        return self.service.list_response(request.base_url, resource_types, page, found, search)

    def _parameters(self, resource_type: ResourceType, request: ScimRequest) -> "ResponseParameters[Any] | None":
        """Return what the answer is to show, None where nothing is said of it."""
        if "attributes" not in request.query and "excludedAttributes" not in request.query:
            return None
        parameters = self.service.read_response_parameters(resource_type, request.query)
        return parameters if parameters.attributes or parameters.excluded_attributes else None

    def _kept(self, response: ScimResponse, request: ScimRequest) -> ScimResponse:
        """Let the answer to a write be kept in the write's own transaction, where its sender asked for that."""
        self.storage.keep(response, request)
        return response

    def _resource_type(self, request: ScimRequest, operation: Operation) -> ResourceType:
        target = self.service.route(request, operation)
        resource_type = self.service.resource_type_at(cast("str", target.endpoint))
        self.service.authorize(request, target, resource_type)
        return resource_type

    def _searched_types(self, request: ScimRequest, operation: Operation) -> list[ResourceType]:
        target = self.service.route(request, operation)
        return self.service.authorized_types(request, target, self.service.searched_types(target.endpoint))


def _applies(patch: "PatchOp[Any]", resource: Resource[Any]) -> bool:
    """Apply a patch to a resource; tell whether that changed it.

    Raises:
        SCIMException: it cannot be applied; in the words that a creation with the same value is refused with.
    """
    try:
        return patch.patch(resource)
    except SCIMException as refused:
        # The library hands on the whole report of its models as the detail: several lines, with addresses of manuals.
        if isinstance(refused.__cause__, ValidationError):
            raise scim_exception_of(refused.__cause__) from None
        raise


def _kind(resource_type: ResourceType) -> str:
    return str(resource_type.name)


def _resource_id(request: ScimRequest) -> str:
    return request.path.strip("/").split("/")[-1]
