"""The users of a tenant with several sources as one SCIM source sees them: with its own words over those of others.

An identity provider compares what it reads with what it sent, and sends again whatever differs: so it reads back its
own words, whatever the targets get. Whom it has deleted is gone for it, also while another source holds them. Filters
ask the directory, which holds what all words come down to; only by userName and externalId, by which senders look for
their own people, is somebody found by the source's own words first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from scim2_models import SearchRequest
from scim2_models.path import CompareOperator, Comparison

from scim_bridge.domain.models import MODELS
from scim_bridge.domain.resources import USER
from scim_bridge.domain.texts import is_storable
from scim_bridge.recording import edits, merging, words
from scim_bridge.recording.recorder import Recorder
from scim_bridge.recording.speaking import Heard, Speaking
from scim_bridge.recording.voices import Voices
from scim_bridge.store import contributions, directory_users, identities
from scim_bridge.store.contributions import Contribution
from scim_bridge.store.directory import Stored
from scim_bridge.store.engine import Transaction, compact_json
from scim_bridge.store.search import folding, pages
from scim_bridge.store.search.pages import Page

Document = Mapping[str, Any]


class OwnView:
    """One source's view of the users in one transaction. Without a recorder it is only read."""

    def __init__(self, tx: Transaction, recorder: Recorder | None, voices: Voices, source: str) -> None:
        """Look at a transaction's tenant as a source of it."""
        self._tx = tx
        self._source = source
        self._speaking = None if recorder is None else Speaking(tx, recorder, voices, source)
        self._heard: dict[int, Heard] = {}

    def of(self, users: Sequence[Stored]) -> list[Stored]:
        """Return users with the source's own words; those whom it has deleted are left out."""
        own = contributions.of_source(self._tx, self._source, [each.id for each in users]) if users else {}
        seen = ((each, own.get(each.id)) for each in users)
        return [self._overlaid(stored, said) for stored, said in seen if said is None or said.ended_at is None]

    def find(self, kinds: Sequence[str], request: SearchRequest[Any], *, position: Any = None) -> Page:
        """Return one page of what matches; what it raises, `pages.find` says."""
        known = self._known_by(request) if list(kinds) == [USER] and position is None else []
        if known:
            return Page(total=len(known), resources=self.of(known)[: request.count])
        searched = [(kind, MODELS[kind]) for kind in kinds]
        deleted = contributions.ended_by(self._tx, self._source)
        page = pages.find(
            self._tx,
            searched,
            request,
            position=position,
            hidden=pages.Hidden(self._source, deleted) if deleted else None,
        )
        users = {each.id: each for each in self.of([each for each in page.resources if each.kind == USER])}
        return replace(page, resources=[users.get(each.id, each) for each in page.resources])

    def locked(self, stored: Stored) -> Stored | None:
        """Return a user who is about to change, and is locked, in the source's own words; None: it has deleted them."""
        heard = self._heard[stored.id] = self._speaks.hear([stored])[stored.id]
        return None if heard.is_gone else self._overlaid(stored, heard.own)

    def said_active(self, stored: Stored) -> bool | None:
        """Return what the source says of `active` of a user that `locked` gave; None: nothing."""
        own = self._heard[stored.id].own
        return None if own is None else own.active

    def create(self, document: Document) -> Stored:
        """Record a user whom the source creates, as `Speaking.create` does."""
        return self._speaks.create(document)

    def replace(self, stored: Stored, document: Document) -> Stored:
        """Record that the source now says this, and no more, of a user that `locked` gave."""
        return self._speaks.state(self._heard[stored.id], document)

    def patch(self, stored: Stored, document: Document, *, of: Iterable[str]) -> Stored:
        """Record what a patch by the source has made of a user that `locked` gave.

        It speaks of the attributes that the patch names and of those that it changed, and says of the others what it
        said before. What it took away, it says to have no value.
        """
        heard = self._heard[stored.id]
        spoken_of = {*of, *edits.touched(stored.document, document)}
        after = merging.attributes_of(document)
        own = {} if heard.own is None else merging.attributes_of(heard.own.document)
        stated = own | {name: after.get(name) for name in spoken_of - {"active"}}
        # Nobody's `active` is unset: no omission revives or shuts out anybody.
        active = document.get("active") if "active" in spoken_of else None
        active = self.said_active(stored) if active is None else active
        whole = merging.statement_of(stated, schemas=document.get("schemas", ()))
        return self._speaks.state(heard, {**whole, "active": active})

    def remove(self, stored: Stored) -> None:
        """Record that the source deletes a user that `locked` gave."""
        self._speaks.end(self._heard[stored.id])

    @property
    def _speaks(self) -> Speaking:
        assert self._speaking is not None  # noqa: S101 - every caller writes
        return self._speaking

    def _overlaid(self, stored: Stored, said: Contribution | None) -> Stored:
        if said is None:
            return stored
        document = merging.overlaid(stored.document, words.word_of(said, now=self._tx.now))
        return stored._replace(text=compact_json(document), active=document.get("active") is not False)

    def _known_by(self, request: SearchRequest[Any]) -> list[Stored]:
        """Return whom the source itself calls what a filter by userName or externalId alone asks for."""
        asked = None if request.filter is None else request.filter.ast
        if not isinstance(asked, Comparison) or asked.op != CompareOperator.eq or not isinstance(asked.value, str):
            return []
        if not is_storable(asked.value):
            return []
        name = str(asked.attr_path).rpartition(":")[2].lower()
        if name == "username":
            key = folding.fold_text(asked.value)
            numbers = contributions.known_as(self._tx, self._source, [key]).get(key, [])
        elif name == "externalid":
            found = identities.of_source(self._tx, self._source, [asked.value])
            numbers = [each.resource_id for each in found.values()]
        else:
            return []
        if not numbers or (request.start_index or 1) > 1 or request.count == 0:
            return []
        return self.of(directory_users.read(self._tx, numbers))
