"""Records what one SCIM source says of people of whom other sources speak too.

Each source's words are kept (`contribution`), the directory gets what all words come down to (`merging`). Where nothing
is kept of a person, the tenant had one source when they were recorded: the directory's document is that source's word
until it speaks again. So it is when the directory was told something past the words, while there was one source.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scim_bridge.domain.resources import USER
from scim_bridge.recording import edits, merging, words
from scim_bridge.recording.recorder import Recorder
from scim_bridge.recording.roster import addresses_of
from scim_bridge.recording.voices import Voices
from scim_bridge.recording.words import name_of
from scim_bridge.store import contributions, directory_users, identities, members
from scim_bridge.store.contributions import Contribution
from scim_bridge.store.directory import NameTaken, Stored
from scim_bridge.store.engine import Transaction
from scim_bridge.store.identities import Identity

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One person as the directory has them, and what every source said of them."""

    stored: Stored
    said: Mapping[str, Contribution] = field(repr=False)
    own: Contribution | None = field(repr=False)
    """What the source that speaks now said before."""
    unkept: Collection[str] = ()
    """The sources whose words only the directory tells yet."""

    @property
    def is_gone(self) -> bool:
        """Tell whether the person is gone for the source that speaks: it has deleted them."""
        return self.own is not None and self.own.ended_at is not None

    @property
    def is_held(self) -> bool:
        """Tell whether the source that speaks already has the person."""
        return self.own is not None and self.own.ended_at is None


class Speaking:
    """Records for one source, in the transaction and with the recorder that it is given."""

    def __init__(self, tx: Transaction, recorder: Recorder, voices: Voices, source: str) -> None:
        """Speak for a source of the transaction's tenant."""
        self._tx = tx
        self._recorder = recorder
        self._voices = voices
        self._source = source

    def hear(self, people: Iterable[Stored]) -> dict[int, Heard]:
        """Return what was said of people, who are locked, by their numbers."""
        by_number = {stored.id: stored for stored in people}
        said = contributions.of_people(self._tx, by_number)
        past = [
            each
            for each in by_number.values()
            if words.is_told_past(each, said.get(each.id, ()), self._voices.owns, now=self._tx.now)
        ]
        speakers = contributions.last_speakers(self._tx, [each.id for each in past]) if past else {}
        found: dict[int, Heard] = {}
        for number, stored in by_number.items():
            of_person = {each.source: each for each in said.get(number, ())}
            unkept = [speakers.get(number, "")] if stored in past else []
            for source in unkept:
                of_person[source] = words.told_last(stored, source, of_person.get(source), now=self._tx.now)
            own = self._voices.own_of(self._source, of_person)
            found[number] = Heard(stored=stored, said=of_person, own=own, unkept=unkept)
        return found

    def create(self, document: Document) -> Stored:
        """Record whom the source creates: somebody new, or a person whom others brought and it has not (any more).

        The source's externalId tells the person, then its userName, then an e-mail address that one person alone has.

        Raises:
            directory.NameTaken: the source already has a person with this userName.
        """
        heard = self._matching(document)
        if heard is None:
            try:
                with self._tx.savepoint():
                    return self._bring(document)
            except NameTaken:
                # Another source brought them at the same moment.
                heard = self._matching(document)
                if heard is None:
                    raise
        return self.state(heard, document)

    def state(self, heard: Heard, document: Document) -> Stored:
        """Record all that the source says of a person now, and return them as the directory has them then.

        Raises:
            directory.NameTaken: another person has the userName, in the directory or for this source.
        """
        said = self._worded(heard, document)
        if said.user_key != (None if heard.own is None else heard.own.user_key):
            self._refuse_namesakes(heard, said)
        stated = self._stated(heard.own, said)
        return self._keep(heard, said, stated) if stated else heard.stored

    def end(self, heard: Heard) -> None:
        """Record that the source deletes a person: they are gone for it, and for all if nobody else holds them.

        While another source holds them they stay, and the deleting one says that they are not active.
        """
        others = [each for each in heard.said.values() if each.source != self._source]
        holders = [each for each in others if each.source in self._voices.owns and each.ended_at is None]
        if not holders:
            self._recorder.delete(heard.stored)
            contributions.forget(self._tx, [heard.stored.id])
            return
        if all(each.source not in self._voices.scim for each in holders):
            # Groups come by SCIM: with the last such source that holds a person, their memberships end.
            members.remove_from_all(self._tx, heard.stored.id)
        nothing = Contribution(source="", resource_id=heard.stored.id, document={}, said_at=self._tx.now)
        said = replace(heard.own or nothing, source=self._source, ended_at=self._tx.now, said_at=self._tx.now)
        self._keep(heard, said, ["active"], concerns_targets=True)

    def _bring(self, document: Document) -> Stored:
        said = self._worded(None, document)
        merged = merging.merged({self._source: words.word_of(said, now=self._tx.now)}, self._voices.owns)
        stored = self._recorder.create(USER, merged.document)
        self._write(stored, [said], before=None)
        return stored

    def _keep(
        self, heard: Heard, said: Contribution, stated: Sequence[str], *, concerns_targets: bool = False
    ) -> Stored:
        """Keep what the source says now beside what the others say, and record what that comes down to."""
        replaced = self._voices.replaced_by(self._source, heard.said.values())
        others = {
            each.source: each for each in heard.said.values() if each.source != self._source and each not in replaced
        }
        now = self._tx.now
        spoken = {each.source: words.word_of(each, now=now) for each in (*others.values(), said)}
        was_active = heard.stored.active and self._source in self._voices.owns
        merged = merging.merged(spoken, self._voices.owns, was_active=was_active)
        stored = self._recorder.update(heard.stored, merged.document)
        if stored is heard.stored:
            stored = self._recorder.note(stored, stated, concerns_targets=concerns_targets)
        unkept = [others[source] for source in heard.unkept if source in others]
        self._write(stored, [said, *unkept], before=heard.own)
        if replaced:
            contributions.retract(self._tx, stored.id, [each.source for each in replaced])
        return stored

    def _write(self, stored: Stored, said: Iterable[Contribution], *, before: Contribution | None) -> None:
        rows = [replace(each, resource_id=stored.id) for each in said]
        contributions.write(self._tx, rows)
        external_id = rows[0].external_id
        if external_id and (before is None or before.external_id != external_id):
            identities.put(self._tx, self._source, [Identity(external_id=external_id, resource_id=stored.id)])

    def _worded(self, heard: Heard | None, document: Document) -> Contribution:
        """Return what the source says in all, once it says this."""
        before = heard.own if heard is not None and heard.is_held else None
        was = None if before is None else words.word_of(before, now=self._tx.now)
        active = document.get("active")
        word = merging.spoken(was, document, active=active, at=self._tx.now)
        return Contribution(
            source=self._source,
            resource_id=0 if heard is None else heard.stored.id,
            document=word.document,
            said_at=word.said_at,
            active=active,
            began_at=word.began_at,
            changed=word.changed,
            user_key=name_of(document),
            external_id=document.get("externalId"),
        )

    def _stated(self, before: Contribution | None, after: Contribution) -> list[str]:
        """Return the names of what the source says otherwise than before."""
        new = merging.attributes_of(after.document)
        if before is None or before.ended_at is not None:
            return sorted({*new, "active"})
        old = merging.attributes_of(before.document)
        # To say that there is no value is not to say nothing.
        names = [
            name
            for name in old.keys() | new.keys()
            if name not in old or name not in new or edits.unordered(old[name]) != edits.unordered(new[name])
        ]
        return sorted(names if before.active == after.active else [*names, "active"])

    def _matching(self, document: Document) -> Heard | None:
        """Return the person whom a new one of the source must be, locked; None: somebody nobody has.

        Raises:
            directory.NameTaken: the source already has them.
        """
        key, external_id = name_of(document), document.get("externalId")
        keys = [] if key is None else [key]
        known = contributions.known_as(self._tx, self._source, keys).get(key or "", [])
        named = list(contributions.named(self._tx, keys).values())
        by_id = identities.of_source(self._tx, self._source, [external_id]) if external_id else {}
        identified = [each.resource_id for each in by_id.values()]
        addresses = contributions.addressed(self._tx, {*keys, *addresses_of(document)})
        addressed = {number for numbers in addresses.values() for number in numbers}
        candidates = {*known, *named, *identified, *addressed}
        if not candidates:
            return None
        locked = directory_users.lock(self._tx, candidates).values()
        heard = self.hear(each for each in locked if each.deleted_at is None)
        if any(heard[number].is_held for number in (*known, *named) if number in heard):
            raise NameTaken(USER)
        free = {number for number, each in heard.items() if not each.is_held}
        for certain in (identified, known, named):
            for number in certain:
                if number in free:
                    return heard[number]
        # A mailbox that several share tells nobody apart.
        shared = [number for number in addressed if number in heard]
        return heard[shared[0]] if len(shared) == 1 and shared[0] in free else None

    def _refuse_namesakes(self, heard: Heard, said: Contribution) -> None:
        if said.user_key is None:
            return
        known = contributions.known_as(self._tx, self._source, [said.user_key]).get(said.user_key, [])
        others = [number for number in known if number != heard.stored.id]
        if not others:
            return
        found = contributions.of_source(self._tx, self._source, others)
        if any(each.ended_at is None for each in found.values()):
            raise NameTaken(USER)
