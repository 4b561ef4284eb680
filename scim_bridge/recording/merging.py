"""One user made of what several sources say of a person: targets get this, each source reads back its own words.

The rules, by attribute (of the enterprise extension too; `name`, `emails` and the like count as one each):

- Who owns it by `owns` and says it wins; among several, and where no owner says it, the last word: whoever changed
  their mind last. To say the same again is no new word, so a routine PUT never undoes what another source changed.
- An attribute that is not said, or blank, is left to the others; one that is said to be None has no value.
- `active` is the AND over those who own it; unless somebody who owns it says something, over all who say it.
- A source that deleted the person says that they are inactive, and nothing else that anybody else says otherwise.
- A source that is not configured any more gives way: its value counts where no other source says one. Whom it holds
  inactive stays so, whoever owns `active` now; it makes nobody inactive who is active.
- `externalId` is each source's own (RFC 7643 section 3.1): unless it is owned, the first to say one keeps it, so that
  targets go on recognising the person when a second source comes.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.resources import CORE_USER
from scim_bridge.recording.edits import unordered

Document = Mapping[str, Any]
Owns = Mapping[str, Collection[str]]
"""The attributes that each source owns, in any case; those of the extension with or without its URN.

Every source that is configured is named; of others than those, nothing is known but what they said.
"""

_NO_ATTRIBUTES = frozenset({"schemas", "active", "id", "meta"})
_NEEDED = "userName"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What one source last said of one person."""

    document: Document = field(repr=False)
    """A SCIM User as the source states it. What it says of `active` is passed over: see there."""
    said_at: Millis
    """When the source last spoke, whether or not it said anything new."""
    active: bool | None = None
    """None: it does not say."""
    began_at: Millis | None = None
    """When it first spoke; None: it spoke once."""
    changed: Mapping[str, Millis] = field(default_factory=dict)
    """When it said something else of an attribute than in its first words, by the attribute's name."""
    is_ended: bool = False
    """Whether it has deleted the person."""

    def since(self, name: str) -> Millis:
        """Return since when the source says of an attribute what it says."""
        return self.changed.get(name, self.said_at if self.began_at is None else self.began_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What all words about a person come down to."""

    document: Document = field(repr=False)
    active: bool
    held_inactive_by: tuple[str, ...]
    """The sources that say, and may say, that the person is not active."""


def merged(words: Mapping[str, Word], owns: Owns, *, was_active: bool = False) -> Merged:
    """Return the user whom the words of these sources describe. In which order they are given does not matter.

    Who `was_active` until now is held inactive by no source that was taken out of the configuration.
    """
    owned = {source: _owned(owns.get(source, ())) for source in words}
    former = former_of(words, owns)
    said = {source: attributes_of(word.document) for source, word in words.items()}
    kept: dict[str, Any] = {}
    for name in sorted({name for attributes in said.values() for name in attributes}):
        speakers = [source for source, attributes in said.items() if name in attributes]
        winner = max(
            speakers,
            key=lambda source: _rank(
                source, words[source], name, said[source][name], owned=owned[source], is_former=source in former
            ),
        )
        kept[name] = said[winner][name]
    held = _held_by(words, owned, frozenset() if was_active else former)
    document = {**document_of(kept), "active": not held}
    return Merged(document=document, active=not held, held_inactive_by=held)


def former_of(sources: Iterable[str], owns: Owns) -> frozenset[str]:
    """Return which of these sources were taken out of the configuration; who is not known by name is none of them."""
    return frozenset(source for source in sources if source and source not in owns)


def overlaid(document: Document, word: Word | None) -> Document:
    """Return a merged user as one source reads it: with its own words in place of those of the others."""
    if word is None:
        return document
    own = {**attributes_of(document), **attributes_of(word.document)}
    shown = document_of(own, schemas=word.document.get("schemas") or ())
    active = document.get("active") if word.active is None else word.active
    return shown if active is None else {**shown, "active": active}


def spoken(before: Word | None, document: Document, *, active: bool | None, at: Millis) -> Word:
    """Return the word of a source that says this now, and said `before` then (None: nothing, or what it took back)."""
    stated = {name: value for name, value in document.items() if name != "active"}
    if before is None or before.is_ended:
        return Word(document=stated, said_at=at, active=active, began_at=at)
    old, new = attributes_of(before.document), attributes_of(stated)
    again = {name for name, value in new.items() if name in old and unordered(old[name]) == unordered(value)}
    changed = {name: before.changed[name] if name in again else at for name in new if name in before.changed}
    changed |= {name: at for name in new if name not in again}
    began_at = before.said_at if before.began_at is None else before.began_at
    return Word(document=stated, said_at=max(at, before.said_at), active=active, began_at=began_at, changed=changed)


def ended(word: Word, *, at: Millis) -> Word:
    """Return the word of a source that deletes the person."""
    return replace(word, is_ended=True, said_at=max(at, word.said_at))


def attributes_of(document: Document) -> dict[str, Any]:
    """Return what a document says by attribute, those of extensions by their URN; not `active`."""
    found: dict[str, Any] = {}
    for name, value in document.items():
        if not name.startswith("urn:"):
            if name not in _NO_ATTRIBUTES:
                found[name] = value
        elif isinstance(value, Mapping):
            found |= {f"{name}:{inner}": item for inner, item in value.items()}
    return found


def document_of(attributes: Mapping[str, Any], *, schemas: Iterable[str] = ()) -> dict[str, Any]:
    """Return the document that says this, without what has no value."""
    return statement_of({name: value for name, value in attributes.items() if value is not None}, schemas=schemas)


def statement_of(attributes: Mapping[str, Any], *, schemas: Iterable[str] = ()) -> dict[str, Any]:
    """Return the document of a word that says this; what it says to have no value is None."""
    core: dict[str, Any] = {}
    extensions: dict[str, dict[str, Any]] = {}
    for name, value in attributes.items():
        urn, _, inner = name.rpartition(":")
        if urn:
            extensions.setdefault(urn, {})[inner] = value
        else:
            core[name] = value
    return {"schemas": list(dict.fromkeys([CORE_USER, *schemas, *extensions])), **core, **extensions}


def _rank(source: str, word: Word, name: str, value: Any, *, owned: frozenset[str], is_former: bool) -> tuple[Any, ...]:
    """Return what the greatest of wins an attribute."""
    is_said = value not in ("", [], {}) and (value is not None or name != _NEEDED)
    since = word.since(name)
    if name == "externalId":
        return (is_said, not word.is_ended, _owns(owned, name), -since, source)
    return (is_said, not word.is_ended, not is_former, _owns(owned, name), since, source)


def _held_by(words: Mapping[str, Word], owned: Mapping[str, frozenset[str]], former: frozenset[str]) -> tuple[str, ...]:
    speaking = {source: word for source, word in words.items() if word.is_ended or word.active is not None}
    owners = {source: word for source, word in speaking.items() if _owns(owned[source], "active")}
    asked = (owners or speaking).keys() | (former & speaking.keys())
    return tuple(sorted(source for source in asked if words[source].is_ended or words[source].active is False))


def _owned(names: Collection[str]) -> frozenset[str]:
    """Return attributes in the form that `_owns` compares. Who owns a part of one (`name.givenName`) owns it whole."""
    folded = (name.lower() for name in names)
    return frozenset(name if name.startswith("urn:") else name.partition(".")[0] for name in folded)


def _owns(owned: frozenset[str], name: str) -> bool:
    folded = name.lower()
    return bool(owned) and (folded in owned or folded.rpartition(":")[2] in owned)
