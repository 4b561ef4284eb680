"""Everybody whom the rows of one source name, read and locked at once, and what is to become of them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.rows import Person
from scim_bridge.recording import words
from scim_bridge.recording.entries import Entry, Said
from scim_bridge.recording.merging import Owns
from scim_bridge.recording.strangers import Strangers
from scim_bridge.recording.words import name_of
from scim_bridge.store import contributions, directory_users, identities, sightings
from scim_bridge.store.contributions import Contribution
from scim_bridge.store.engine import Transaction
from scim_bridge.store.search import folding

Document = Mapping[str, Any]


class Roster:
    """Everybody whom some rows name, by the source's ids, by e-mail address and by userName."""

    def __init__(self, source: str, owns: Owns) -> None:
        """Start with nobody. `owns` names the attributes that each of the tenant's sources decides."""
        self._source = source
        self._owns = owns
        self._entries: list[Entry] = []
        self._by_number: dict[int, Entry] = {}
        self._by_id: dict[str, Entry] = {}
        self._by_address: dict[str, list[Entry]] = {}
        self._by_name: dict[str, Entry] = {}
        self._scim_ids: dict[str, str] = {}
        self._asked_names: set[str] = set()
        self._strangers_names: set[str] = set()

    @classmethod
    def read(cls, tx: Transaction, source: str, said: Sequence[Said], *, owns: Owns) -> "Roster":
        """Read and lock everybody whom the rows name, and those who name a newcomer as their manager."""
        roster = cls(source, owns)
        directory_users.take_turns(tx, source)
        people = [each.what for each in said if isinstance(each.what, Person)]
        ids = {each.external_id for each in said}
        managers = {person.manager_id for person in people if person.manager_id}
        addresses = {address for person in people for address in addresses_of(person.document)}
        names = {name for person in people if (name := name_of(person.document)) is not None}
        # Asked for together, so that PostgreSQL is waited for once.
        known_answer = identities.ask_of_source(tx, source, sorted(ids | managers))
        by_address_answer = contributions.ask_addressed(tx, sorted(addresses)) if addresses else dict
        by_name_answer = contributions.ask_named(tx, sorted(names)) if names else dict
        known, by_address, by_name = known_answer(), by_address_answer(), by_name_answer()
        roster._asked_names |= names
        newcomers = ids - known.keys()
        followers = identities.led_by(tx, source, sorted(newcomers)) if newcomers else []
        numbers = {known[each].resource_id for each in ids & known.keys()}
        numbers |= {number for found in by_address.values() for number in found} | set(by_name.values())
        roster._read_people(tx, numbers | set(followers))
        roster._index(ids, known, by_address, by_name)
        told_by = {each.external_id: each.correlation_id for each in said}
        for number in followers:
            follower = roster._by_number[number]
            follower.is_said = True
            follower.correlation_id = told_by.get((follower.mine and follower.mine.manager_id) or "")
        roster._read_managers(tx, known)
        return roster

    @classmethod
    def read_again(
        cls, tx: Transaction, source: str, resource_ids: Collection[int], *, owns: Owns, looks_past: bool = True
    ) -> "Roster":
        """Read and lock people of whom the source said something before.

        Unless with `looks_past`, what the directory has that nobody says any more gives way.
        """
        roster = cls(source, owns)
        directory_users.take_turns(tx, source)
        roster._read_people(tx, resource_ids, looks_past=looks_past)
        for entry in roster._entries:
            entry.is_said = entry.mine is not None and entry.stored is not None and entry.stored.deleted_at is None
        roster._read_managers(tx, {})
        return roster

    def _read_people(self, tx: Transaction, numbers: Iterable[int], *, looks_past: bool = True) -> None:
        sought = sorted(set(numbers))
        stored_answer = directory_users.ask_lock(tx, sought)
        # What was said is read once they are locked, though it is asked for before that is known.
        said_answer = contributions.ask_of_people(tx, sought)
        stored, said = stored_answer(), said_answer()
        past = [
            number
            for number, person in stored.items()
            if looks_past and words.is_told_past(person, said.get(number, ()), self._owns, now=tx.now)
        ]
        speakers = contributions.last_speakers(tx, past) if past else {}
        for number, person in stored.items():
            of_person = {each.source: each for each in said.get(number, ())}
            unkept: list[Contribution] = []
            speaker = speakers.get(number, "")
            # What a source of rows says is always kept: only another can have told the directory something past it.
            if number in past and not (of_person and speaker == self._source):
                of_person[speaker] = words.told_last(person, speaker, of_person.get(speaker), now=tx.now)
                unkept = words.others_than(self._source, [of_person[speaker]])
            mine = of_person.get(self._source)
            self._by_number[number] = entry = Entry(
                scim_id=person.scim_id,
                number=number,
                stored=person,
                mine_before=mine,
                mine=mine,
                active=person.active,
                others=words.others_than(self._source, list(of_person.values())),
                first_words=unkept,
            )
            self._entries.append(entry)

    def _index(
        self,
        ids: Collection[str],
        known: Mapping[str, identities.Identity],
        by_address: Mapping[str, Iterable[int]],
        by_name: Mapping[str, int],
    ) -> None:
        for external_id in ids & known.keys():
            if self._lives(known[external_id].resource_id):
                self._by_id[external_id] = self._by_number[known[external_id].resource_id]
        for address, found in by_address.items():
            self._by_address[address] = [self._by_number[number] for number in found if self._lives(number)]
        self._by_name = {name: self._by_number[number] for name, number in by_name.items() if self._lives(number)}

    def _lives(self, number: int) -> bool:
        stored = self._by_number[number].stored
        return stored is not None and stored.deleted_at is None

    def _read_managers(self, tx: Transaction, known: Mapping[str, identities.Identity]) -> None:
        """Find out the SCIM ids of the managers whom the source names, or named."""
        named = {entry.mine.manager_id for entry in self._entries if entry.mine is not None and entry.mine.manager_id}
        unknown = sorted(named - known.keys())
        more = identities.of_source(tx, self._source, unknown) if unknown else {}
        self._scim_ids = {external_id: each.scim_id for external_id, each in {**known, **more}.items()}

    def confirm(self, tx: Transaction, said: Sequence[Said], strangers: Strangers) -> None:
        """Take it that a later file which has a row as it was applied said it again: older news change nothing of it.

        Such a row costs nothing when its file is taken, so nothing was written then.
        """
        since: dict[str, Millis] = {}
        for each in said:
            entry = self._by_id.get(each.external_id)
            mine = None if entry is None else entry.mine
            if each.said_at is None or (mine is None and strangers.left_at(each.external_id) is None):
                continue
            # News of parts leave the others as they were, and take the digest away: now or never for these.
            before = each.said_at if mine is None or _states_all(each) else mine.said_at
            since[each.external_id] = min(before, each.said_at, since.get(each.external_id, before))
        if not since:
            return
        dated = {each.external_id for each in said if each.is_dated}
        found = sightings.said_again(tx, self._source, sorted(since), after=min(since.values()))
        for external_id, again in found.items():
            entry = self._by_id.get(external_id)
            if entry is None:
                strangers.confirm(external_id, at=again.at)
            elif entry.has_closed(external_id, tx.now):
                # Parts are enough for it, and rows that tell their own time: nothing older revives who has left.
                entry.confirm(external_id, at=again.at)
            elif again.whole_at is not None and external_id not in dated:
                entry.confirm(external_id, at=again.whole_at)

    def of_id(self, external_id: str) -> Entry | None:
        """Return whom an id of the source names."""
        return self._by_id.get(external_id)

    def is_nobody(self, external_id: str) -> bool:
        """Tell whether an id of the source names nobody."""
        return bool(external_id) and external_id not in self._by_id

    def matching(self, document: Document) -> list[Entry]:
        """Return whom a document's e-mail addresses name; where they name nobody, its userName.

        By what rows before this one took from somebody they are named no more.
        """
        found = {
            id(entry): entry
            for each in addresses_of(document)
            for entry in self._by_address.get(each, ())
            if entry.is_called(each, addresses_of)
        }
        if found:
            return list(found.values())
        name = name_of(document)
        named = self._by_name.get(name) if name is not None else None
        return [named] if named is not None and named.is_called(name, _names_of) else []

    def add(self) -> Entry:
        """Return somebody new."""
        entry = Entry(scim_id=uuid4().hex)
        self._entries.append(entry)
        return entry

    def note(self, entry: Entry, external_id: str) -> None:
        """Remember by what a person is known from this row on."""
        self._by_id[external_id] = entry
        self._scim_ids[external_id] = entry.scim_id
        if entry.mine is not None:
            for address in addresses_of(entry.mine.document):
                known = self._by_address.setdefault(address, [])
                if entry not in known:
                    known.append(entry)
            name = name_of(entry.mine.document)
            if name is not None:
                self._by_name.setdefault(name, entry)

    def scim_id_of(self, external_id: str) -> str | None:
        """Return the SCIM id of whom an id of the source names, None where nobody is known by it."""
        entry = self._by_id.get(external_id)
        if entry is not None and entry.stored is None and entry.refused is not None:
            return None
        return self._scim_ids.get(external_id)

    def manager_of(self, entry: Entry) -> str | None:
        """Return the SCIM id of the manager whom the source names; nobody leads themselves."""
        if entry.mine is None or not entry.mine.manager_id:
            return None
        scim_id = self.scim_id_of(entry.mine.manager_id)
        return None if scim_id == entry.scim_id else scim_id

    def touched(self) -> Iterator[Entry]:
        """Return those of whom something was said and who were not given up."""
        return (entry for entry in self._entries if entry.is_said and entry.refused is None)

    def named(self) -> Iterator[Entry]:
        """Return those whose ids are to be kept."""
        return (entry for entry in self._entries if entry.identities and entry.refused is None)

    def meet_namesakes(self, tx: Transaction) -> None:
        """Find out who has the names that people would get by what other sources say: no row names those."""
        wanted = {
            name
            for entry in self.touched()
            if (name := name_of(entry.document)) is not None and name != name_of(entry.document_before)
        }
        asked = sorted(wanted - self._asked_names)
        if not asked:
            return
        self._asked_names.update(asked)
        for name, number in contributions.named(tx, asked).items():
            if number in self._by_number:
                self._by_name[name] = self._by_number[number]
            else:
                self._strangers_names.add(name)

    def wanting(self) -> dict[str, list[Entry]]:
        """Return who would get a userName that they do not have yet, by that name."""
        found: dict[str, list[Entry]] = {}
        for entry in self.touched():
            name = name_of(entry.document)
            if name is not None and not entry.keeps_name:
                found.setdefault(name, []).append(entry)
        return found

    def taken(self) -> list[tuple[Entry, str, str]]:
        """Return who would have a userName or an e-mail address that somebody else has, with code and field."""
        names = {name: [entry] for name, entry in self._by_name.items()}
        holders = _holders(names, _names_of)
        addressed = _holders(self._by_address, addresses_of)
        found: list[tuple[Entry, str, str]] = []
        # Whoever keeps their name keeps it, and whoever was there before a newcomer goes first.
        for entry in sorted(self.touched(), key=lambda each: (each.stored is None, not each.keeps_name)):
            name = name_of(entry.document) or ""
            if (name in self._strangers_names and not entry.keeps_name) or holders.setdefault(name, entry) is not entry:
                found.append((entry, "name_taken", "userName"))
                continue
            was = set() if entry.stored is None else set(addresses_of(entry.stored.document))
            for address in set(addresses_of(entry.document)) - was:
                other = addressed.setdefault(address, entry)
                if other is not entry and other.active and entry.active:
                    found.append((entry, "two_records", "emails"))
                    break
        return found


def _states_all(said: Said) -> bool:
    """Tell whether news say everything of somebody, or only that a snapshot does not name them."""
    return said.is_whole if isinstance(said.what, Person) else said.as_of is not None


def _holders(
    known: Mapping[str, Iterable[Entry]], names_of: Callable[[Document], Collection[str | None]]
) -> dict[str, Entry]:
    """Return who has each name in the end, among those who stay as they are."""
    return {
        name: entry
        for name, found in known.items()
        for entry in found
        if not entry.is_moving and name in names_of(entry.shall_be)
    }


def _names_of(document: Document) -> list[str | None]:
    return [name_of(document)]


def addresses_of(document: Document) -> list[str]:
    """Return the e-mail addresses of a document as comparisons see them."""
    return [
        folding.fold_text(each["value"])
        for each in document.get("emails") or ()
        if isinstance(each, Mapping) and isinstance(each.get("value"), str) and each["value"].strip()
    ]
