"""What sources are kept to have said of a person, as the words that are merged into one user."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.resources import ENTERPRISE_USER
from scim_bridge.recording import edits, merging
from scim_bridge.recording.merging import Word
from scim_bridge.store.contributions import Contribution
from scim_bridge.store.directory import Stored
from scim_bridge.store.search import folding

Document = Mapping[str, Any]

EVERYTHING, ACTIVE, STARTS, ENDS, MANAGER = "*", "active", "starts_at", "ends_at", "manager_id"
"""In `Timing.stated`, all parts that are not named, and those that are not in the document."""


def word_of(said: Contribution, *, now: Millis) -> Word:
    """Return what a source says now; of its own managers' ids, the SCIM id of whoever has come."""
    return Word(
        document=with_manager(said.document, said),
        said_at=said.said_at,
        active=said.is_active_at(now),
        began_at=said.began_at,
        changed=said.changed,
        is_ended=said.ended_at is not None,
    )


def first_words(stored: Stored, source: str) -> Contribution:
    """Return what the source that brought a person has said of them, where nothing but the directory tells it."""
    document = {name: value for name, value in stored.document.items() if name not in {"schemas", "active"}}
    return Contribution(
        source=source,
        resource_id=stored.id,
        document=document,
        said_at=stored.modified_at,
        active=stored.active,
        began_at=stored.created_at,
        user_key=name_of(stored.document),
    )


def told_last(stored: Stored, source: str, before: Contribution | None, *, now: Millis) -> Contribution:
    """Return the word of the source that told the directory something past the words: all that the directory has."""
    first = first_words(stored, source)
    if before is None:
        return first
    return said_anew(before, replace(first, external_id=before.external_id), now=now)


def is_told_past(stored: Stored, said: Collection[Contribution], owns: merging.Owns, *, now: Millis) -> bool:
    """Tell whether the directory was told something of a person that none of the words says."""
    if not said:
        return True
    if stored.modified_at <= max(each.written_at for each in said):
        return False
    spoken = {each.source: word_of(each, now=now) for each in said}
    return bool(edits.touched(stored.document, merging.merged(spoken, owns, was_active=stored.active).document))


def name_of(document: Document) -> str | None:
    """Return the userName of a document as comparisons see it."""
    name = document.get("userName")
    return folding.fold_text(name) if isinstance(name, str) and name.strip() else None


def said_anew(before: Contribution | None, after: Contribution, *, now: Millis) -> Contribution:
    """Return a contribution that knows since when its source says each thing; `before` is what it said until now."""
    was = None if before is None else word_of(before, now=now)
    at = after.said_at
    word = merging.spoken(was, with_manager(after.document, after), active=None, at=at)
    changed = word.changed
    if after.timing.stated:
        # Not all that is new was said last.
        old = {} if before is None else before.changed
        said = dict.fromkeys(merging.attributes_of(word.document), at) if before is None else changed
        changed = {
            name: _told_at(after, name) if since == at and old.get(name) != at else since
            for name, since in said.items()
        }
    return replace(after, began_at=word.began_at, changed=changed)


def with_manager(document: Document, said: Contribution) -> Document:
    """Return a document that names the manager, or says that there is none, as a source of HR rows does."""
    if not said.manager and said.manager_id != "":
        return document
    value = {"value": said.manager} if said.manager else None
    return {**document, ENTERPRISE_USER: {**(document.get(ENTERPRISE_USER) or {}), "manager": value}}


def _told_at(said: Contribution, attribute: str) -> Millis:
    """Return when a source last spoke of an attribute."""
    stated = said.timing.stated
    times = [at for part, at in stated.items() if _is_part(part, attribute)]
    return max(times, default=stated.get(EVERYTHING, said.said_at))


def _is_part(part: str, attribute: str) -> bool:
    if attribute == f"{ENTERPRISE_USER}:manager":
        return part == MANAGER
    return part == attribute or part.startswith(f"{attribute}.")


def parts_of(document: Document) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    """Yield name, place and value of each part of a document: of complex attributes each sub-attribute for itself."""
    for name, value in document.items():
        if isinstance(value, Mapping) and value:
            joint = ":" if name.startswith("urn:") else "."
            yield from ((f"{name}{joint}{inner}", (name, inner), item) for inner, item in value.items())
        else:
            yield name, (name,), value


def overlaid(before: Document, stated: Document, *, owned: Collection[str] = ()) -> dict[str, Any]:
    """Return what a source says in all once it states this: sub-attributes each for itself, lists as a whole.

    What is stated as None is not said any more; only who owns an attribute says that it has no value.
    """
    found = dict(before)
    for name, value in stated.items():
        if isinstance(value, Mapping):
            within = found.get(name)
            # An extension is no attribute: those in it are owned each for itself.
            inner = owned if name.startswith("urn:") else ()
            value = overlaid(within if isinstance(within, Mapping) else {}, value, owned=inner)  # noqa: PLW2901
        if value in (None, {}, []) and name.lower() not in owned:
            found.pop(name, None)
        else:
            found[name] = value if value != {} else None
    return found


def owned_by(source: str, owns: merging.Owns) -> frozenset[str]:
    """Return the attributes that a source owns, in lower case, those of an extension without its URN."""
    return frozenset(name.lower().rpartition(":")[2] for name in owns.get(source, ()))


def others_than(source: str, said: Sequence[Contribution]) -> list[Contribution]:
    """Return what all other sources say."""
    return [each for each in said if each.source != source]
