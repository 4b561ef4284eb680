"""What the simulated Trakstar Learn holds: users, groups, courses, memberships and enrolments."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scim_bridge.domain.instants import Clock, Millis
from scim_bridge.sandbox.targets.holdings import HeldAccount, HeldState

TRAINEE, OWNER = 169000100, 169000400
TYPES = {
    169000100: "Trainee",
    169000200: "Manager",
    169000300: "Trainer",
    169000400: "Administrator",
    169000500: "Reporter",
    169000600: "Team Lead",
}


@dataclass(slots=True, kw_only=True)
class User:
    """One user; archived users keep their email and username."""

    user_id: int
    first_name: str
    last_name: str
    email: str | None
    username: str | None
    permissions: int
    custom: dict[int, str]
    created_ms: Millis
    modified_ms: Millis
    is_archived: bool = False
    is_owner: bool = False
    is_hidden: bool = False
    groups: set[int] = field(default_factory=set)
    courses: dict[int, tuple[bool, Millis]] = field(default_factory=dict)
    """By course: whether it is required, and since when enrolled."""


@dataclass(slots=True, kw_only=True)
class Group:
    """One group; names may repeat."""

    group_id: int
    name: str
    members: set[int] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class Course:
    """One course."""

    course_id: int
    name: str
    is_archived: bool = False


class TrakstarState:
    """Everything held. Methods take `lock` themselves; hold it around several of them to see one moment."""

    def __init__(self, clock: Clock) -> None:
        self.lock = threading.RLock()
        self.users: dict[int, User] = {}
        self.groups: dict[int, Group] = {}
        self.courses: dict[int, Course] = {}
        self._by_name: dict[tuple[str, str], int] = {}
        self._clock = clock
        self._last_user = 1_662_430_000
        self._last_group = 1_662_730_000
        self._last_course = 1_662_830_000

    def add_user(
        self,
        *,
        first_name: str,
        last_name: str,
        email: str | None,
        username: str | None,
        permissions: int = TRAINEE,
        custom: Mapping[int, str] | None = None,
        group_ids: Iterable[int] = (),
        is_archived: bool = False,
        is_owner: bool = False,
        is_hidden: bool = False,
    ) -> User:
        """Add a user whose names are free, in groups that exist."""
        with self.lock:
            self._last_user += 7
            now = self._clock()
            user = User(
                user_id=self._last_user,
                first_name=first_name,
                last_name=last_name,
                email=email,
                username=username,
                permissions=permissions,
                custom=dict(custom or {}),
                created_ms=now,
                modified_ms=now,
                is_archived=is_archived,
                is_owner=is_owner,
                is_hidden=is_hidden,
            )
            self.users[user.user_id] = user
            self._index(user)
            for group_id in group_ids:
                self.join(group_id, user.user_id)
            return user

    def holder(self, *, email: str | None, username: str | None) -> User | None:
        """Return who has this email or this username, letter case aside, archived users included."""
        with self.lock:
            for key in _keys(email, username):
                user_id = self._by_name.get(key)
                if user_id is not None:
                    return self.users[user_id]
            return None

    def edit_user(self, user: User, changes: Mapping[str, Any], custom: Mapping[int, str]) -> None:
        """Set attributes (names of `User`'s fields) and custom fields of a user; the names must be free."""
        with self.lock:
            for key in _keys(user.email, user.username):
                self._by_name.pop(key, None)
            for name, value in changes.items():
                setattr(user, name, value)
            user.custom.update(custom)
            user.modified_ms = self._clock()
            self._index(user)

    def set_archived(self, user: User, *, is_archived: bool) -> None:
        """Archive a user or take that back; memberships stay."""
        with self.lock:
            user.is_archived = is_archived
            user.modified_ms = self._clock()

    def active_count(self) -> int:
        """Return how many users take up a seat."""
        with self.lock:
            return sum(not user.is_archived for user in self.users.values())

    def visible_users(self, lag_s: float = 0.0) -> list[User]:
        """Return the users that a listing shows, oldest first; those younger than `lag_s` are not yet in it."""
        newest = self._clock() - lag_s * 1000
        with self.lock:
            return [u for u in self.users.values() if not u.is_hidden and (not lag_s or u.created_ms <= newest)]

    def add_group(self, name: str) -> Group:
        """Add a group, whatever its name."""
        with self.lock:
            self._last_group += 1
            group = Group(group_id=self._last_group, name=name)
            self.groups[group.group_id] = group
            return group

    def group_named(self, name: str) -> Group:
        """Return the oldest group of this name, making it when there is none."""
        with self.lock:
            return next((g for g in self.groups.values() if g.name == name), None) or self.add_group(name)

    def add_course(self, name: str, *, is_archived: bool = False) -> Course:
        """Add a course."""
        with self.lock:
            self._last_course += 1
            course = Course(course_id=self._last_course, name=name, is_archived=is_archived)
            self.courses[course.course_id] = course
            return course

    def join(self, group_id: int, user_id: int) -> None:
        """Put a user into a group; once more changes nothing."""
        with self.lock:
            self.groups[group_id].members.add(user_id)
            self.users[user_id].groups.add(group_id)

    def leave(self, group_id: int, user_id: int) -> None:
        """Take a user out of a group; a user who is not in it stays so."""
        with self.lock:
            self.groups[group_id].members.discard(user_id)
            self.users[user_id].groups.discard(group_id)

    def enrol(self, course_id: int, user_id: int, *, is_required: bool) -> None:
        """Enrol a user; a second time only the requirement changes."""
        with self.lock:
            _, since = self.users[user_id].courses.get(course_id, (False, self._clock()))
            self.users[user_id].courses[course_id] = (is_required, since)

    def held(self) -> HeldState:
        """Return what is held, hidden users left out."""
        with self.lock:
            return HeldState(
                accounts=tuple(self._held_account(user) for user in self.visible_users()),
                groups=tuple((str(g.group_id), g.name, len(g.members)) for g in self.groups.values()),
            )

    def _held_account(self, user: User) -> HeldAccount:
        return HeldAccount(
            account_id=str(user.user_id),
            user_name=user.username,
            email=user.email,
            first_name=user.first_name,
            last_name=user.last_name,
            active=not user.is_archived,
            groups=frozenset(self.groups[each].name for each in user.groups),
            courses=frozenset(self.courses[each].name for each in user.courses),
            required_courses=frozenset(
                self.courses[each].name for each, (required, _) in user.courses.items() if required
            ),
            attributes={
                "permissions": user.permissions,
                **{f"customfield{number}": value for number, value in sorted(user.custom.items())},
            },
        )

    def _index(self, user: User) -> None:
        for key in _keys(user.email, user.username):
            self._by_name[key] = user.user_id


def _keys(email: str | None, username: str | None) -> list[tuple[str, str]]:
    return [(kind, name.casefold()) for kind, name in (("email", email), ("username", username)) if name]
