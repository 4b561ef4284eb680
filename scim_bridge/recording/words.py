"""What sources are kept to have said of a person, as the words that are merged into one user."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.resources import ENTERPRISE_USER
from scim_bridge.recording import merging
from scim_bridge.recording.merging import Word
from scim_bridge.store.contributions import Contribution
from scim_bridge.store.directory import Stored

Document = Mapping[str, Any]


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
    )


def said_anew(before: Contribution | None, after: Contribution, *, now: Millis) -> Contribution:
    """Return a contribution that knows since when its source says each thing; `before` is what it said until now."""
    was = None if before is None else word_of(before, now=now)
    word = merging.spoken(was, with_manager(after.document, after), active=None, at=after.said_at)
    return replace(after, began_at=word.began_at, changed=word.changed)


def with_manager(document: Document, said: Contribution) -> Document:
    """Return a document that names the manager, or says that there is none, as a source of HR rows does."""
    if not said.manager and said.manager_id != "":
        return document
    value = {"value": said.manager} if said.manager else None
    return {**document, ENTERPRISE_USER: {**(document.get(ENTERPRISE_USER) or {}), "manager": value}}


def overlaid(before: Document, stated: Document, *, owned: Collection[str] = ()) -> dict[str, Any]:
    """Return what a source says in all once it states this: sub-attributes each for itself, lists as a whole.

    What is stated as None is not said any more; only who owns an attribute says that it has no value.
    """
    found = dict(before)
    for name, value in stated.items():
        if isinstance(value, Mapping):
            within = found.get(name)
            value = overlaid(within if isinstance(within, Mapping) else {}, value)  # noqa: PLW2901 - it, complete
        if value in (None, {}, []) and name not in owned:
            found.pop(name, None)
        else:
            found[name] = value if value != {} else None
    return found


def owned_by(source: str, owns: merging.Owns) -> frozenset[str]:
    """Return the attributes that a source owns, as configured."""
    return frozenset(owns.get(source, ()))


def others_than(source: str, said: Sequence[Contribution]) -> list[Contribution]:
    """Return what all other sources say."""
    return [each for each in said if each.source != source]
