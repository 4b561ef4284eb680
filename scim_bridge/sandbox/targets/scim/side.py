"""What one SCIM operation does to a simulated SCIM service, whether it comes alone or within a bulk request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scim_bridge.sandbox.targets.scim import filters, patch, schemas
from scim_bridge.sandbox.targets.scim.answers import ScimError, project
from scim_bridge.sandbox.targets.scim.options import ScimOptions
from scim_bridge.sandbox.targets.scim.state import Document, Resource, ScimState, emails
from scim_bridge.sandbox.targets.seeds import Refusals

_KINDS = {"Users": "User", "Groups": "Group"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed:
    """The outcome of one operation that succeeded."""

    status: int
    resource_id: str
    location: str
    document: Document | None
    """The resource afterwards; None after a DELETE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a list."""

    documents: list[Document]
    total: int
    start_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScimSide:
    """The SCIM operations over a state; `base` is the URL that locations start with."""

    state: ScimState
    options: ScimOptions
    refusals: Refusals
    base: str

    def perform(self, method: str, path: str, data: Any) -> Performed:
        """Do one POST, PUT, PATCH or DELETE on `/Users[/id]` or `/Groups[/id]`; raises ScimError."""
        kind, resource_id = self._target(path)
        if (method == "POST") == bool(resource_id):
            raise ScimError(405, f"{method} is not possible here")
        with self.state.lock:
            if method == "POST":
                return self._done(201, self._create(kind, data))
            resource = self.state.get(kind, resource_id)
            if method == "DELETE":
                self.state.remove(resource)
                location = f"{self.base}/{kind}s/{resource_id}"
                return Performed(status=204, resource_id=resource_id, location=location, document=None)
            if method == "PUT":
                self._replace(resource, self._checked(kind, data))
            else:
                self._patch(resource, data)
            return self._done(200, resource)

    def read(self, path: str, wanted: Sequence[str] = ()) -> Document:
        """Return one resource; `wanted` are the attributes that were asked for by name. Raises ScimError 404."""
        kind, resource_id = self._target(path)
        return self._shown(self.state.get(kind, resource_id), wanted)

    def find(self, endpoint: str, query: Mapping[str, Any]) -> Page:
        """Return a page of Users or Groups; raises ScimError for a filter or figures that make no sense."""
        kind = self._kind(endpoint)
        start, count = (
            _figure(query, "startIndex", 1, least=1),
            _figure(query, "count", self.options.max_results, least=0),
        )
        resources = self.state.visible(kind, self.options.read_lag_s)
        text = query.get("filter")
        if text is not None:
            if not isinstance(text, str):
                raise ScimError(400, "filter must be a string", "invalidFilter")
            try:
                wanted = filters.parse_filter(text, joins=self.options.filters)
            except filters.FilterError as exc:
                raise ScimError(400, str(exc), "invalidFilter") from exc
            resources = [each for each in resources if wanted.matches({**each.document, "id": each.resource_id})]
        page = resources[start - 1 : start - 1 + min(count, self.options.max_results)]
        attributes, excluded = _names(query, "attributes"), _names(query, "excludedAttributes")
        return Page(
            documents=[project(self._shown(each, attributes), attributes, excluded) for each in page],
            total=len(resources),
            start_index=start,
        )

    def _target(self, path: str) -> tuple[str, str]:
        _, _, rest = path.partition("/")
        endpoint, _, resource_id = rest.partition("/")
        if "/" in resource_id:
            raise ScimError(404, "there is nothing at this path")
        return self._kind(endpoint), resource_id

    def _kind(self, endpoint: str) -> str:
        kind = _KINDS.get(endpoint)
        if kind is None:
            raise ScimError(404, "there is nothing at this path")
        if kind == "Group" and not self.options.groups:
            raise ScimError(501, "groups are not supported")
        return kind

    def _create(self, kind: str, data: Any) -> Resource:
        return self.state.create(kind, self._checked(kind, data))

    def _patch(self, resource: Resource, data: Any) -> None:
        if not self.options.patch:
            raise ScimError(501, "PATCH is not supported")
        wrong = schemas.breach("PatchOp", data)
        if wrong is not None:
            raise ScimError(400, wrong, "invalidSyntax")
        changed = patch.apply(resource.kind, self.state.written(resource), data["Operations"])
        self._replace(resource, self._checked(resource.kind, changed))

    def _replace(self, resource: Resource, document: Document) -> None:
        self._refuse(resource.document)
        self.state.replace(resource, document)

    def _checked(self, kind: str, data: Any) -> Document:
        wrong = schemas.breach(kind, data)
        if wrong is not None:
            raise ScimError(400, wrong, "invalidValue")
        document = schemas.writable(kind, data)
        self._refuse(document)
        return document

    def _refuse(self, document: Document) -> None:
        text = self.refusals.of((document.get("userName"), *emails(document)))
        if text is not None:
            raise ScimError(400, text, "invalidValue")

    def _shown(self, resource: Resource, wanted: Sequence[str] = ()) -> Document:
        """Return a resource as it is shown: of a group, the members only when the options show them."""
        document = self.state.render(resource, self.base)
        shows = {
            "always": True,
            "filled": bool(document.get("members")),
            "asked": bool(document.get("members")) and "members" in wanted,
            "never": False,
        }
        if resource.kind == "Group" and not shows[self.options.members]:
            del document["members"]
        return document

    def _done(self, status: int, resource: Resource) -> Performed:
        document = self._shown(resource)
        return Performed(
            status=status,
            resource_id=resource.resource_id,
            location=document["meta"]["location"],
            document=document,
        )


def _figure(query: Mapping[str, Any], name: str, otherwise: int, *, least: int) -> int:
    """Return a paging figure; below its least it is the least, as RFC 7644 3.4.2.4 says."""
    try:
        return max(least, int(query.get(name, otherwise)))
    except (TypeError, ValueError) as exc:
        raise ScimError(400, f"{name} must be an integer", "invalidValue") from exc


def _names(query: Mapping[str, Any], name: str) -> list[str]:
    given = query.get(name, [])
    listed = given.split(",") if isinstance(given, str) else given
    return [str(each) for each in listed if str(each).strip()]
