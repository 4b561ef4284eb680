"""The members of a group that is to be put back whole: nobody is put out of it because a service did not show them.

A service may leave `members` out because there are none, because they were not asked for by name, or because it never
shows them (RFC 7643 section 7, `returned`). Nothing tells these apart but what else is known of the service.
"""

from collections.abc import Mapping
from typing import Any

from workers.targets.reading import error_json
from workers.targets.scim.connection import Conversation

MEMBERS = "members"


class Membership:
    """What is known of the members of a service's groups. Calls out only within a conversation that is given."""

    def __init__(self, *, page: int) -> None:
        """Know nothing yet. `page` is how many groups are looked at to learn whether members are shown at all."""
        self._page = page
        self._shows_members = False
        self._empty: dict[str, str | None] = {}

    def is_empty(self, path: str, shown: Any) -> None:
        """Note that a group has no members, as we have just made it, or made it so; `shown` is the service's answer."""
        self._empty[path] = _stamp(shown)

    def has_members(self, path: str) -> None:
        """Note that somebody was put into a group."""
        self._empty.pop(path, None)

    def completed(self, talk: Conversation, path: str, shown: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return a group with its members, None when they are not shown and may be there.

        Raises:
            CallFailed: one of its children; nothing was written.
        """
        if self._are_in(shown):
            return shown
        if path in self._empty and self._empty[path] == _stamp(shown):
            return {**shown, MEMBERS: []}
        asked = self._read(talk, path, {"attributes": MEMBERS})
        if self._are_in(asked):
            return {**shown, MEMBERS: asked[MEMBERS]}
        if not self._shows_members:
            listed = self._read(talk, "/Groups", {"attributes": MEMBERS, "count": str(self._page)}).get("Resources")
            for group in listed if isinstance(listed, list) else []:
                self._are_in(group)
        # It shows the members of other groups when it is asked like this: so this one has none.
        return {**shown, MEMBERS: []} if self._shows_members else None

    def _are_in(self, group: Any) -> bool:
        members = group.get(MEMBERS) if isinstance(group, dict) else None
        if not isinstance(members, list):
            return False
        self._shows_members |= bool(members)
        return True

    def _read(self, talk: Conversation, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        response = talk.send("GET", path, query=query)
        document = error_json(response) if response.status < 300 else None
        return document if isinstance(document, dict) else {}


def _stamp(shown: Any) -> str | None:
    """Return what changes when a group does: its version, or when it was changed last (RFC 7643 section 3.1)."""
    meta = shown.get("meta") if isinstance(shown, dict) else None
    found = (meta.get("version") or meta.get("lastModified")) if isinstance(meta, dict) else None
    return found if isinstance(found, str) else None
