"""What a simulated SCIM service holds: users and groups as SCIM documents."""

import copy
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from scim_bridge.domain import instants
from scim_bridge.domain.instants import Clock, Millis
from scim_bridge.sandbox.targets.holdings import HeldAccount, HeldState
from scim_bridge.sandbox.targets.scim import schemas
from scim_bridge.sandbox.targets.scim.answers import ScimError
from scim_bridge.sandbox.targets.seeds import SeedUser

Document = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Resource:
    """One user or group. `document` is what was written; groups keep members apart, in order of joining."""

    resource_id: str
    kind: str
    document: Document
    created_ms: Millis
    modified_ms: Millis
    is_hidden: bool = False
    members: dict[str, None] = field(default_factory=dict)
    groups: dict[str, None] = field(default_factory=dict)


class OnStatus(Protocol):
    """Hears of a user who came or went."""

    def __call__(self, account_id: str, *, active: bool) -> None:
        """Take it, without waiting for anything."""


class ScimState:
    """Everything held. Methods take `lock` themselves; hold it around several of them to see one moment."""

    def __init__(self, clock: Clock, *, prefix: str = "s", on_status: OnStatus | None = None) -> None:
        """Hold nothing yet; identifiers begin with `prefix`. `on_status` hears of users who come or go."""
        self.lock = threading.RLock()
        self._clock = clock
        self._prefix = prefix
        self._resources: dict[str, dict[str, Resource]] = {"User": {}, "Group": {}}
        self._by_user_name: dict[str, str] = {}
        self._by_email: dict[str, dict[str, None]] = {}
        self._hidden_emails: set[str] = set()
        self._last = 0
        self._on_status = on_status

    def create(self, kind: str, document: Document, *, is_hidden: bool = False) -> Resource:
        """Add a resource; raises ScimError 409 for a userName that is taken, 400 for members who do not exist."""
        with self.lock:
            self._require_free(kind, document, None)
            self._require_members(document.get("members", ()))
            self._last += 1
            now = self._clock()
            made = Resource(
                resource_id=f"{self._prefix}{kind[0].lower()}-{self._last:08d}",
                kind=kind,
                document={},
                created_ms=now,
                modified_ms=now,
                is_hidden=is_hidden,
            )
            self._resources[kind][made.resource_id] = made
            self._write(made, document)
            if is_hidden:
                self._hidden_emails.update(emails(document))
            return made

    def replace(self, resource: Resource, document: Document) -> None:
        """Set the whole document of a resource; raises as `create` does."""
        with self.lock:
            self._require_free(resource.kind, document, resource)
            self._require_members(document.get("members", ()))
            self._unindex(resource)
            self._write(resource, document)
            resource.modified_ms = self._clock()

    def remove(self, resource: Resource) -> None:
        """Delete a resource, and with it its memberships."""
        with self.lock:
            del self._resources[resource.kind][resource.resource_id]
            self._unindex(resource)
            self._hear(resource, active=False)
            for group_id in resource.groups:
                self._resources["Group"][group_id].members.pop(resource.resource_id, None)
            for user_id in resource.members:
                self._resources["User"][user_id].groups.pop(resource.resource_id, None)

    def get(self, kind: str, resource_id: str) -> Resource:
        """Return a resource; raises ScimError 404."""
        with self.lock:
            found = self._resources[kind].get(resource_id)
            if found is None or found.is_hidden:
                raise ScimError(404, f"{kind} not found")
            return found

    def visible(self, kind: str, lag_s: float = 0.0) -> list[Resource]:
        """Return what a listing shows, oldest first; what is younger than `lag_s` is not yet in it."""
        newest = self._clock() - lag_s * 1000
        with self.lock:
            found = self._resources[kind].values()
            return [each for each in found if not each.is_hidden and (not lag_s or each.created_ms <= newest)]

    def holder(self, user_name: str | None, email: str | None) -> Resource | None:
        """Return the user who has this userName or else this email, hidden ones included; letter case aside."""
        with self.lock:
            if user_name and user_name.casefold() in self._by_user_name:
                return self._resources["User"][self._by_user_name[user_name.casefold()]]
            oldest = next(iter(self._by_email.get((email or "").casefold(), ())), None)
            return None if oldest is None else self._resources["User"][oldest]

    def group_named(self, name: str) -> Resource:
        """Return the group of this name, making it when there is none."""
        with self.lock:
            found = (each for each in self._resources["Group"].values() if each.document["displayName"] == name)
            return next(found, None) or self.create("Group", {"schemas": [schemas.GROUP], "displayName": name})

    def seed(self, users: Iterable[SeedUser], groups: Iterable[str], courses: Iterable[str] = ()) -> None:
        """Put groups (by name) and users in place; raises ValueError for courses, which SCIM does not know."""
        if list(courses):
            raise ValueError("a SCIM service keeps no courses")
        with self.lock:
            for name in groups:
                self.group_named(name)
            for user in users:
                made = self.create("User", document_of(user), is_hidden=user.is_hidden)
                self.set_groups(made, user.groups)

    def set_groups(self, user: Resource, names: Iterable[str]) -> None:
        """Make the groups of these names, and no others, the user's own."""
        with self.lock:
            wanted = [self.group_named(name) for name in names]
            for group_id in list(user.groups):
                self._resources["Group"][group_id].members.pop(user.resource_id, None)
            user.groups = {}
            for group in wanted:
                group.members[user.resource_id] = None
                user.groups[group.resource_id] = None

    def written(self, resource: Resource) -> Document:
        """Return a copy of what may be written of a resource, members included: what a PATCH starts from."""
        if resource.kind == "User":
            return copy.deepcopy(resource.document)
        return {**resource.document, "members": [{"value": each} for each in resource.members]}

    def render(self, resource: Resource, base: str) -> Document:
        """Return a resource as SCIM shows it; `base` is the URL of the SCIM side."""
        with self.lock:
            document = {**resource.document, "id": resource.resource_id, "meta": self._meta(resource, base)}
            if resource.kind == "User":
                document["groups"] = [
                    {"value": each, "display": self._resources["Group"][each].document["displayName"]}
                    for each in resource.groups
                ]
            else:
                document["members"] = [
                    {"value": each, "$ref": f"{base}/Users/{each}", "type": "User"} for each in resource.members
                ]
            return document

    def held(self) -> HeldState:
        """Return what is held, hidden users left out."""
        with self.lock:
            groups = self._resources["Group"]
            return HeldState(
                accounts=tuple(self._held_account(user) for user in self.visible("User")),
                groups=tuple((g.resource_id, g.document["displayName"], len(g.members)) for g in groups.values()),
            )

    def _held_account(self, user: Resource) -> HeldAccount:
        document = user.document
        name = document.get("name", {})
        return HeldAccount(
            account_id=user.resource_id,
            user_name=document["userName"],
            email=primary_email(document),
            first_name=name.get("givenName", ""),
            last_name=name.get("familyName", ""),
            active=document.get("active", True),
            groups=frozenset(self._resources["Group"][each].document["displayName"] for each in user.groups),
            attributes={
                k: v for k, v in document.items() if k not in {"schemas", "userName", "name", "emails", "active"}
            },
        )

    def _meta(self, resource: Resource, base: str) -> Document:
        return {
            "resourceType": resource.kind,
            "created": instants.to_iso(resource.created_ms),
            "lastModified": instants.to_iso(resource.modified_ms),
            "location": f"{base}/{resource.kind}s/{resource.resource_id}",
        }

    def _hear(self, resource: Resource, *, active: bool) -> None:
        """Tell of a user who was not active and will be, or the other way about; new ones were not."""
        was_active = bool(resource.document) and resource.document.get("active", True)
        if self._on_status is not None and resource.kind == "User" and not resource.is_hidden and active != was_active:
            self._on_status(resource.resource_id, active=active)

    def _write(self, resource: Resource, document: Document) -> None:
        self._hear(resource, active=document.get("active", True))
        resource.document = {name: value for name, value in document.items() if name != "members"}
        if resource.kind == "User":
            self._by_user_name[document["userName"].casefold()] = resource.resource_id
            for address in emails(document):
                self._by_email.setdefault(address, {})[resource.resource_id] = None
            return
        for user_id in resource.members:
            self._resources["User"][user_id].groups.pop(resource.resource_id, None)
        resource.members = {each["value"]: None for each in document.get("members", ())}
        for user_id in resource.members:
            self._resources["User"][user_id].groups[resource.resource_id] = None

    def _unindex(self, resource: Resource) -> None:
        self._by_user_name.pop(str(resource.document.get("userName", "")).casefold(), None)
        for address in emails(resource.document):
            self._by_email[address].pop(resource.resource_id, None)

    def _require_free(self, kind: str, document: Document, own: Resource | None) -> None:
        if kind != "User":
            return
        holder = self._by_user_name.get(document["userName"].casefold())
        if holder is not None and (own is None or holder != own.resource_id):
            raise ScimError(409, "A user with this userName already exists", "uniqueness")
        if not self._hidden_emails.isdisjoint(emails(document)):
            raise ScimError(409, "Email already provisioned via different identity provider", "uniqueness")

    def _require_members(self, members: Iterable[Mapping[str, Any]]) -> None:
        users = self._resources["User"]
        if any(each["value"] not in users or users[each["value"]].is_hidden for each in members):
            raise ScimError(400, "A member does not exist", "invalidValue")


def document_of(user: SeedUser) -> Document:
    """Return a seed as a User."""
    roles = {"roles": [{"value": "admin"}]} if user.is_protected else {}
    listed = {"emails": [{"value": user.email, "type": "work", "primary": True}]} if user.email else {}
    return {
        "schemas": [schemas.USER],
        "userName": user.user_name or user.email,
        "name": {"givenName": user.first_name, "familyName": user.last_name},
        "active": user.active,
        **listed,
        **roles,
    }


def emails(document: Mapping[str, Any]) -> frozenset[str]:
    """Return every address of a user, folded."""
    return frozenset(str(each.get("value", "")).casefold() for each in document.get("emails", ()))


def primary_email(document: Mapping[str, Any]) -> str | None:
    """Return the address marked as primary, else the first one."""
    listed = document.get("emails", ())
    chosen = next((each for each in listed if each.get("primary")), listed[0] if listed else None)
    return None if chosen is None else chosen["value"]
