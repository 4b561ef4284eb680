"""Everybody whom the rows of one source name, read and locked at once, and what is to become of them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.resources import USER
from scim_bridge.domain.rows import Person, Refusal
from scim_bridge.recording import edits, words
from scim_bridge.recording.merging import Merged, Owns
from scim_bridge.recording.words import name_of
from scim_bridge.store import contributions, directory_users, identities
from scim_bridge.store.contributions import Contribution
from scim_bridge.store.directory import Stored
from scim_bridge.store.engine import Transaction
from scim_bridge.store.search import folding

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one row says: of a person, that the source has them no more, or nothing that can be used."""

    position: int
    external_id: str = field(repr=False)
    what: Person | Refusal | None = field(repr=False)
    """None: the source holds this id no more."""
    said_at: Millis | None = None
    """When the source said so; None: now."""
    as_of: Millis | None = None
    """Of a snapshot's row, or of who is missing in it: of when the snapshot is, whatever time the row tells."""
    is_whole: bool = True
    """Whether what is not named is empty; else it stays as it was."""
    digest: str | None = field(default=None, repr=False)
    """Of the row as it came, to know it again."""


@dataclass(slots=True, kw_only=True, eq=False)
class Entry:
    """One person, as they are in the directory and as they shall be."""

    scim_id: str
    number: int | None = None
    stored: Stored | None = None
    """None: they are not in the directory yet."""
    mine_before: Contribution | None = field(default=None, repr=False)
    """What this source said of them before these rows."""
    mine: Contribution | None = field(default=None, repr=False)
    others: Sequence[Contribution] = field(default=(), repr=False)
    identities: dict[str, str | None] = field(default_factory=dict, repr=False)
    """The ids by which the rows name them, each with the digest of its row."""
    first_words: Sequence[Contribution] = field(default=(), repr=False)
    """Those of `others` that are not kept yet."""
    is_said: bool = False
    """Whether a row said something of them, or somebody whom they follow came."""
    is_pinned: bool = False
    """Whether nothing but `active` is to change of them, as what was said cannot be written."""
    closed: Contribution | None = field(default=None, repr=False)
    """What the record says that these rows closed, and in whose place another one speaks."""
    refused: tuple[str, str] | None = None
    """Code and field of why they stay as they are."""
    refused_records: dict[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    """The same of records of theirs, by the source's id."""
    document: Document = field(default_factory=dict, repr=False)
    active: bool = True
    folded: folding.Folded | None = field(default=None, repr=False)
    change: int | None = None

    @property
    def known_number(self) -> int:
        """Return the store's number; somebody new has one once it is reserved."""
        assert self.number is not None  # noqa: S101 - as it says
        return self.number

    @property
    def document_before(self) -> Document:
        """Return the document that the directory has; of somebody new, none."""
        return {} if self.stored is None else self.stored.document

    def is_called(self, name: str | None, names_of: Callable[[Document], Collection[str | None]]) -> bool:
        """Tell whether anybody calls them so, once all that was said until now is recorded."""
        if self.mine is None or not self.is_said:
            return True
        return any(name in names_of(each.document) for each in (self.mine, *self.others))

    @property
    def keeps_name(self) -> bool:
        """Tell whether they have the same userName in the end."""
        return self.stored is not None and name_of(self.document) == name_of(self.stored.document)

    def become(self, merged: Merged) -> None:
        """Take what all sources come down to for the new document."""
        document = {**self.document_before, "active": merged.active} if self.is_pinned else merged.document
        self.document, self.active, self.folded = document, merged.active, None

    def fold(self) -> folding.Folded:
        """Return what the new document is searched by; raises what `folding.fold` does."""
        if self.folded is None:
            self.folded = folding.fold(USER, self.document)
        return self.folded

    def folded_before(self) -> folding.Folded | None:
        """Return what the directory searches them by."""
        return None if self.stored is None else folding.fold(USER, self.stored.document)

    def differs(self) -> bool:
        """Tell whether the directory is to change."""
        if self.stored is None:
            return True
        return self.active != self.stored.active or bool(edits.touched(self.stored.document, self.document))

    @property
    def is_moving(self) -> bool:
        """Tell whether they may have another document in the end."""
        return self.stored is None or (self.is_said and self.refused is None)

    @property
    def shall_be(self) -> Document:
        """Return the document that they have in the end."""
        return self.document if self.is_moving or self.stored is None else self.stored.document

    def leaves_as_known(self, now: Millis) -> bool:
        """Let a leaver go as the source last described them, or as the directory has them; False for all others.

        Trouble with a leaver's own data must never keep the leaver active.
        """
        if self.mine is None or self.mine.is_active_at(now) is not False:
            return False
        known = {} if self.mine_before is None else self.mine_before.document
        if self.stored is None or self.mine.document == known:
            return self.pin()
        self.mine = replace(self.mine, document=known)
        return True

    def pin(self) -> bool:
        """Let them be as the directory has them, but for `active`; False when that was tried, or it has them not."""
        if self.stored is None or self.is_pinned:
            return False
        self.is_pinned = True
        return True

    def give_up(self, code: str, name: str) -> None:
        """Leave them as they are, and say why; where a new record is at fault, as the one that was closed left them."""
        if self.closed is None or self.mine is None or self.mine.external_id is None:
            self.refused = code, name
            return
        self.refused_records[self.mine.external_id] = code, name
        self.identities.pop(self.mine.external_id, None)
        self.mine, self.closed = self.closed, None


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
        known = identities.of_source(tx, source, sorted(ids | managers))
        addresses = {address for person in people for address in addresses_of(person.document)}
        names = {name for person in people if (name := name_of(person.document)) is not None}
        by_address = contributions.addressed(tx, sorted(addresses)) if addresses else {}
        by_name = contributions.named(tx, sorted(names)) if names else {}
        roster._asked_names |= names
        newcomers = ids - known.keys()
        followers = identities.led_by(tx, source, sorted(newcomers)) if newcomers else []
        numbers = {known[each].resource_id for each in ids & known.keys()}
        numbers |= {number for found in by_address.values() for number in found} | set(by_name.values())
        roster._read_people(tx, numbers | set(followers))
        roster._index(ids, known, by_address, by_name)
        for number in followers:
            roster._by_number[number].is_said = True
        roster._read_managers(tx, known)
        return roster

    @classmethod
    def read_again(cls, tx: Transaction, source: str, resource_ids: Collection[int], *, owns: Owns) -> "Roster":
        """Read and lock people of whom the source said something before."""
        roster = cls(source, owns)
        directory_users.take_turns(tx, source)
        roster._read_people(tx, resource_ids)
        for entry in roster._entries:
            entry.is_said = entry.mine is not None and entry.stored is not None and entry.stored.deleted_at is None
        roster._read_managers(tx, {})
        return roster

    def _read_people(self, tx: Transaction, numbers: Iterable[int]) -> None:
        stored = directory_users.lock(tx, numbers)
        said = contributions.of_people(tx, sorted(stored))
        past = [
            number
            for number, person in stored.items()
            if words.is_told_past(person, said.get(number, ()), self._owns, now=tx.now)
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
