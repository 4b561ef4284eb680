"""The directory as scim2-server's storage: one object a request, bound to one tenant."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from scim2_models import (
    InvalidCursorException,
    PreconditionFailedException,
    Resource,
    ResourceType,
    ResponseParameters,
    SearchRequest,
)
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse
from scim2_server.storage import ScimStorage, SearchPage

from scim_bridge.domain.models import MODELS
from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.domain.texts import is_storable
from scim_bridge.intake.scim import outright, refusals, shown
from scim_bridge.intake.scim.bulk_names import Named
from scim_bridge.intake.scim.gathering import Gathering
from scim_bridge.intake.scim.group_patch import edits_of, members_named
from scim_bridge.intake.scim.own_view import OwnView
from scim_bridge.intake.scim.shown import Shown
from scim_bridge.recording.edits import MemberEdit
from scim_bridge.recording.joint import Asked
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder
from scim_bridge.recording.scopes import TargetScope
from scim_bridge.recording.voices import Voices
from scim_bridge.store import directory, turns
from scim_bridge.store.directory import Stored
from scim_bridge.store.engine import Store, Transaction
from scim_bridge.store.search import pages

KeepAnswer = Callable[[Transaction | None, ScimResponse, ScimRequest], None]
"""Completes the answer to a write and keeps it in the write's transaction. None: it shared one, and is not kept."""


class DirectoryStorage(ScimStorage):
    """Reads and writes one tenant's directory for one request. Wake `wakes` once the request is answered."""

    supports_cursors = True

    def __init__(
        self,
        store: Store,
        *,
        tenant: str,
        origin: Origin,
        scopes: Mapping[str, TargetScope],
        writes: bool = True,
        read_timeout_s: float | None = None,
        keep_answer: KeepAnswer | None = None,
        gathering: Gathering | None = None,
        voices: Voices | None = None,
    ) -> None:
        """Bind a storage to a tenant and to whoever asks. `writes` tells what kind of transaction a request opens.

        With a `gathering`, small edits of a group's members are recorded together with others'. With `voices`, whoever
        asks reads back their own words of people of whom other sources speak too.
        """
        self._store = store
        self._tenant = tenant
        self._origin = origin
        self._scopes = scopes
        self._writes = writes
        self._read_timeout_s = read_timeout_s
        self._keep_answer = keep_answer
        self._gathering = gathering
        self._voices = voices
        self._view: OwnView | None = None
        self._tx: Transaction | None = None
        self._recorder: Recorder | None = None
        self.wakes: dict[str, bool] = {}
        """The targets that are owed something by what was committed, and whether it is urgent."""
        self.changes: list[int] = []
        """The numbers of the changes that were committed."""
        self.leaves_somebody_out = False
        """Whether a user who was written is inactive now, as before or since then."""

    # -- The library's port ---------------------------------------------

    @contextmanager
    def operation(self) -> Iterator[None]:
        """Enclose one operation: the request's transaction, or a savepoint within it (each step of a bulk request)."""
        with self._transaction(writes=self._writes, is_step=True):
            yield

    def get(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        response_parameters: ResponseParameters[Any] | None = None,
    ) -> Resource[Any]:
        """Return a resource; its memberships only if the response shows them."""
        return shown.model_of(self.read(_kind(resource_type), resource_id, parameters=response_parameters))

    def search(
        self, resource_types: list[ResourceType], search_request: SearchRequest[Any], *, position: Any = None
    ) -> SearchPage:
        """Return one page of what matches."""
        page, found = self.find([_kind(each) for each in resource_types], search_request, position=position)
        return SearchPage(page.total, [shown.model_of(each) for each in found], page.next, page.previous)

    def create(self, resource_type: ResourceType, resource: Resource[Any]) -> Resource[Any]:
        """Record a new resource."""
        return shown.model_of(self.show(self.add(_kind(resource_type), resource)))

    def update(
        self, resource_type: ResourceType, resource: Resource[Any], *, expected_version: str | None = None
    ) -> Resource[Any]:
        """Record a resource's new state; a group's members only if they are given."""
        kind = _kind(resource_type)
        with self._transaction(writes=True):
            stored = self.fetch(kind, str(resource.id), expected_version=expected_version)
            return shown.model_of(self.show(self.change(stored, resource, member_edits=edits_of(resource))))

    def delete(self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None) -> None:
        """Record that a resource is gone."""
        with self._transaction(writes=True):
            self.remove(self.fetch(_kind(resource_type), resource_id, expected_version=expected_version))

    # -- The same, without models where none are needed -----------------

    def read(self, kind: str, scim_id: str, *, parameters: ResponseParameters[Any] | None = None) -> Shown:
        """Return a resource as it is shown.

        Raises:
            NotFoundException: there is none of this kind and id.
        """
        if self._reads_at_once([kind], parameters):
            return outright.read(self._store, self._tenant, kind, scim_id, parameters, limit_s=self._read_timeout_s)
        with self._transaction(writes=False) as tx:
            stored = self._seen(self._fetch(tx, kind, scim_id, lock=False))
            return shown.load(tx, [stored], parameters)[0]

    def find(
        self, kinds: Sequence[str], request: SearchRequest[Any], *, position: Any = None
    ) -> tuple[pages.Page, list[Shown]]:
        """Return one page of what matches, and its resources as they are shown.

        Raises:
            TooManyException: the search takes longer than a request may.
            InvalidCursorException: the position is one in another tenant's directory.
        """
        position = self._own(position)
        read = None
        if self._reads_at_once(kinds, request):
            read = outright.find(self._store, self._tenant, kinds[0], request, position, limit_s=self._read_timeout_s)
        page, found = read or self._find(kinds, request, position)
        return replace(page, next=self._bound(page.next), previous=self._bound(page.previous)), found

    def _find(self, kinds: Sequence[str], request: SearchRequest[Any], position: Any) -> tuple[pages.Page, list[Shown]]:
        with self._transaction(writes=False) as tx:
            if self._view is not None and USER in kinds:
                page = self._view.find(kinds, request, position=position)
            else:
                page = pages.find(tx, [(kind, MODELS[kind]) for kind in kinds], request, position=position)
            return page, shown.load(tx, page.resources, request)

    def _reads_at_once(self, kinds: Sequence[str], parameters: ResponseParameters[Any] | None) -> bool:
        # Not in a transaction that is open; and own words are compared with those of others in one.
        is_alone = self._tx is None and self._voices is None
        return is_alone and outright.suits(self._store, kinds, parameters)

    def _bound(self, position: Any) -> Any:
        """Return a position of a search as it goes into a cursor: nobody but this tenant can go on from it."""
        return None if position is None else [self._tenant, position]

    def _own(self, bound: Any) -> Any:
        if bound is None:
            return None
        match bound:
            case [self._tenant, position]:
                return position
        raise InvalidCursorException

    def add(self, kind: str, resource: Resource[Any]) -> Stored:
        """Record a new resource."""
        document = shown.document_to_store(resource)
        joining = members_named(resource)
        with self._transaction(writes=True), refusals.named():
            if kind == USER and self._view is not None:
                return self._noted(self._view.create(document))
            return self._noted(self._recording.create(kind, document, member_ids=joining))

    def show(self, stored: Stored, parameters: ResponseParameters[Any] | None = None) -> Shown:
        """Return a resource as it is shown, with the memberships that the response asks for."""
        with self._transaction(writes=False) as tx:
            return shown.load(tx, [self._seen(stored)], parameters)[0]

    def fetch(self, kind: str, scim_id: str, *, expected_version: str | None = None) -> Stored:
        """Return a resource that is about to change, locked until the transaction ends.

        Raises:
            NotFoundException: there is none of this kind and id.
            PreconditionFailedException: it has another version than expected.
        """
        with self._transaction(writes=True) as tx:
            stored = self._fetch(tx, kind, scim_id, lock=True)
            if kind == USER and self._view is not None:
                stored = _there(self._view.locked(stored), kind, scim_id)
        if expected_version is not None and stored.etag != expected_version:
            raise PreconditionFailedException
        return stored

    def lock(self, named: Named) -> None:
        """Lock at once all that the steps of a bulk request name, so that no two requests wait for each other."""
        with self._transaction(writes=True) as tx:
            turns.take(tx, groups=named.groups, emptied=named.emptied, users=named.users)

    def change(
        self, stored: Stored, resource: Resource[Any] | None, *, member_edits: Sequence[MemberEdit] = ()
    ) -> Stored:
        """Record a resource's new document (None: it stays as it is) and its members."""
        document = None if resource is None else shown.document_to_store(resource)
        with self._transaction(writes=True), refusals.named():
            if stored.kind == USER and self._view is not None:
                return self._noted(stored if document is None else self._view.replace(stored, document))
            return self._noted(self._recording.update(stored, document, member_edits=member_edits))

    def hears_others_of(self, kind: str) -> bool:
        """Tell whether other sources speak of such resources too, so that to repeat what is known says something."""
        return kind == USER and self._voices is not None

    def say(self, stored: Stored, resource: Resource[Any], *, of: Collection[str]) -> Stored:
        """Record what a patch that speaks of some attributes has made of a user of whom other sources speak too."""
        document = shown.document_to_store(resource)
        with self._transaction(writes=True), refusals.named():
            assert self._view is not None  # noqa: S101 - the caller has asked `hears_others_of`
            return self._noted(self._view.patch(stored, document, of=of))

    def said_active(self, stored: Stored) -> bool | None:
        """Return what whoever asks has said of `active` of a resource that `fetch` gave; None: nothing."""
        if stored.kind == USER and self._view is not None:
            return self._view.said_active(stored)
        return stored.active if "active" in stored.document else None

    @property
    def gathers(self) -> bool:
        """Tell whether edits of members may be recorded in a transaction that others share (see `edit_members`)."""
        return self._gathering is not None

    def edit_members(self, scim_id: str, edits: Sequence[MemberEdit]) -> Stored:
        """Record small edits of a group's members, in one transaction with those of others who want it at once.

        Raises:
            NotFoundException: there is no such group.
        """
        assert self._gathering is not None  # noqa: S101 - the caller has asked `gathers`
        if not is_storable(scim_id):
            raise refusals.unknown(GROUP, scim_id)
        asked = Asked(edits=edits, origin=self._origin)
        with refusals.named():
            gathered = self._gathering.edit(self._tenant, scim_id, asked, scopes=self._scopes)
        if gathered is None:
            raise refusals.unknown(GROUP, scim_id)
        self.wakes |= dict.fromkeys(gathered.wakes, False)
        if gathered.outcome.change is not None:
            self.changes.append(gathered.outcome.change)
        return gathered.outcome.stored

    def remove(self, stored: Stored) -> None:
        """Record that a resource is gone."""
        with self._transaction(writes=True):
            if stored.kind == USER and self._view is not None:
                self._view.remove(stored)
            else:
                self._recording.delete(stored)

    def _noted(self, stored: Stored) -> Stored:
        self.leaves_somebody_out |= stored.kind == USER and not stored.active
        return stored

    def keep(self, response: ScimResponse, request: ScimRequest) -> None:
        """Hand the answer to a write on to who keeps answers, within the write's transaction."""
        if self._keep_answer is not None:
            with self._transaction(writes=True) as tx:
                self._keep_answer(tx, response, request)

    def tell(self, response: ScimResponse, request: ScimRequest) -> None:
        """Hand the answer to a write on whose transaction others share: it is committed, and no answer is kept."""
        if self._keep_answer is not None:
            self._keep_answer(None, response, request)

    # -- Transactions ---------------------------------------------------

    @property
    def _recording(self) -> Recorder:
        assert self._recorder is not None  # noqa: S101 - every caller has opened the transaction
        return self._recorder

    @contextmanager
    def _transaction(self, *, writes: bool, is_step: bool = False) -> Iterator[Transaction]:
        """Open the request's transaction, or use the one that is open; a step of it gets a savepoint."""
        if self._tx is not None:
            if is_step:
                with self._tx.savepoint():
                    yield self._tx
            else:
                yield self._tx
            return
        limit_s = None if writes else self._read_timeout_s
        try:
            with refusals.in_time(), self._store.begin(self._tenant, write=writes, statement_timeout_s=limit_s) as tx:
                self._tx = tx
                self._recorder = Recorder(tx, scopes=self._scopes, origin=self._origin) if writes else None
                if self._voices is not None:
                    self._view = OwnView(tx, self._recorder, self._voices, self._origin.source)
                yield tx
            if self._recorder is not None:
                self.wakes |= self._recorder.wakes
                self.changes += self._recorder.changes
        finally:
            self._tx = self._recorder = self._view = None

    def _seen(self, stored: Stored) -> Stored:
        """Return a resource as whoever asks sees it: with their own words.

        Raises:
            NotFoundException: they have deleted it.
        """
        if stored.kind != USER or self._view is None:
            return stored
        return _there(next(iter(self._view.of([stored])), None), stored.kind, stored.scim_id)

    def _fetch(self, tx: Transaction, kind: str, scim_id: str, *, lock: bool) -> Stored:
        stored = directory.fetch(tx, kind, scim_id, lock=lock) if is_storable(scim_id) else None
        if stored is None:
            raise refusals.unknown(kind, scim_id)
        return stored


def _there(stored: Stored | None, kind: str, scim_id: str) -> Stored:
    if stored is None:
        raise refusals.unknown(kind, scim_id)
    return stored


def _kind(resource_type: ResourceType) -> str:
    return str(resource_type.name)
