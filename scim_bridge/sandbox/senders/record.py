"""A sender's own books: what was answered with a 2xx, and the state that was last sent. Loss is proved against them."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from scim_bridge.sandbox.compare import Desired
from scim_bridge.sandbox.senders.people import Person


@dataclass(frozen=True, slots=True, kw_only=True)
class LastSent:
    """The last state of one user that was accepted."""

    person: Person
    document: Mapping[str, Any] = field(repr=False)
    active: bool
    id: str
    """The identifier that the bridge gave."""


class SentRecord:
    """The accepted state of every user and group of one sender; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[str, threading.RLock] = {}
        self._users: dict[str, LastSent] = {}
        self._by_user_name: dict[str, str] = {}
        self._groups: dict[str, frozenset[str]] = {}
        self._group_ids: dict[str, str] = {}

    def turn(self, key: str) -> threading.RLock:
        """Return the lock of one user or group: a sender never has two calls out for the same one."""
        with self._lock:
            return self._turns.setdefault(key, threading.RLock())

    def keep(self, sent: LastSent) -> None:
        """Note an accepted state."""
        with self._lock:
            before = self._users.get(sent.person.external_id)
            if before is not None:
                self._by_user_name.pop(before.person.user_name.casefold(), None)
            self._users[sent.person.external_id] = sent
            self._by_user_name[sent.person.user_name.casefold()] = sent.person.external_id

    def set_active(self, external_id: str, *, active: bool) -> None:
        """Note an accepted change of status."""
        with self._lock:
            known = self._users[external_id]
            document = {**known.document, "active": active}
            self._users[external_id] = replace(known, active=active, document=document)

    def of(self, external_id: str) -> LastSent | None:
        """Return the last accepted state of a person."""
        with self._lock:
            return self._users.get(external_id)

    def named(self, user_name: str) -> LastSent:
        """Return the last accepted state by userName; raises KeyError for one that was never accepted."""
        with self._lock:
            external_id = self._by_user_name.get(user_name.casefold())
            if external_id is None:
                raise KeyError("nothing was accepted for this userName")
            return self._users[external_id]

    def keep_group(self, name: str, group_id: str, external_ids: Iterable[str]) -> None:
        """Note an accepted group with its members."""
        with self._lock:
            self._group_ids[name] = group_id
            self._groups[name] = frozenset(external_ids)

    def forget_group(self, name: str) -> None:
        """Note an accepted deletion of a group."""
        with self._lock:
            self._group_ids.pop(name, None)
            self._groups.pop(name, None)

    def group(self, name: str) -> tuple[str, frozenset[str]] | None:
        """Return identifier and members (external ids) of an accepted group."""
        with self._lock:
            return (self._group_ids[name], self._groups[name]) if name in self._groups else None

    def users(self) -> dict[str, LastSent]:
        """Return the last accepted states by userName."""
        with self._lock:
            return {sent.person.user_name: sent for sent in self._users.values()}

    def groups(self) -> dict[str, frozenset[str]]:
        """Return the userNames of the members of every accepted group."""
        with self._lock:
            return {
                name: frozenset(self._users[each].person.user_name for each in members)
                for name, members in self._groups.items()
            }

    def desired(self) -> list[Desired]:
        """Return what every target should hold once all that was accepted is delivered."""
        memberships: dict[str, set[str]] = {}
        for name, members in self.groups().items():
            for user_name in members:
                memberships.setdefault(user_name, set()).add(name)
        return [
            Desired(
                user_name=user_name,
                email=sent.person.email,
                active=sent.active,
                first_name=sent.person.given_name,
                last_name=sent.person.family_name,
                groups=frozenset(memberships.get(user_name, ())),
            )
            for user_name, sent in self.users().items()
        ]
