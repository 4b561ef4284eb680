"""What one row says, and one person whom rows name: as they are in the directory, and as they shall be."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.resources import USER
from scim_bridge.domain.rows import Person, Refusal
from scim_bridge.recording import edits
from scim_bridge.recording.merging import Merged
from scim_bridge.recording.words import name_of
from scim_bridge.store.contributions import Contribution
from scim_bridge.store.directory import Stored
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
    is_dated: bool = False
    """Whether rows of the source tell themselves when they were changed: a file that repeats one says nothing new."""
    digest: str | None = field(default=None, repr=False)
    """Of the row as it came, to know it again."""
    correlation_id: str | None = None
    """Of the request that brought it; None: of the one that brought all."""


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
    correlation_id: str | None = None
    """Of the request that said something of them last, where there are several."""

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

    def has_closed(self, external_id: str, now: Millis) -> bool:
        """Tell whether the source has ended them by a record of theirs, as far as it has said."""
        if self.mine is None or self.mine.external_id != external_id:
            return True
        return self.mine.is_active_at(now) is False

    def confirm(self, external_id: str, *, at: Millis) -> None:
        """Take it that all that the source says by a record of theirs was said at an instant too."""
        if self.mine is None:
            return
        timing = self.mine.timing
        if self.mine.external_id == external_id:
            if self.mine.said_at < at:
                self.mine = replace(self.mine, said_at=at, timing=replace(timing, stated={}))
        elif timing.closed.get(external_id, at) < at:
            self.mine = replace(self.mine, timing=replace(timing, closed={**timing.closed, external_id: at}))

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
