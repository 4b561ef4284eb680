"""Records accepted edits: the directory, the change and the operations that it makes us owe, in one transaction."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from scim_bridge.domain.people import Priority
from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.recording import edits, owing
from scim_bridge.recording.edits import MemberEdit, Membership
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.scopes import TargetScope
from scim_bridge.store import directory, ledger, members, outbox
from scim_bridge.store.directory import Stored
from scim_bridge.store.engine import Transaction, compact_json

Document = Mapping[str, Any]


class UnknownMembers(Exception):  # noqa: N818 - the name says what is wrong
    """Users who are to join a group do not exist. Its only argument is their SCIM ids."""


class Incomplete(ValueError):  # noqa: N818 - as above
    """A document lacks what every resource of its kind has: userName, or displayName of a group."""


class Recorder:
    """Records what one request accepted, in the transaction that it is given. Wake `wakes` after the commit.

    Documents are SCIM documents as the models write them, without id, meta, groups, members and password.
    """

    def __init__(self, tx: Transaction, *, scopes: Mapping[str, TargetScope], origin: Origin) -> None:
        """Bind a recorder to an open write transaction of one tenant."""
        self._tx = tx
        self._origin = origin
        self._owing = owing.Owing(tx, scopes)
        self.wakes: dict[str, bool] = {}
        """The targets that are owed something now, and whether it is urgent (a leaver)."""
        self.changes: list[int] = []
        """The numbers of the changes that were recorded."""

    def create(self, kind: str, document: Document, *, member_ids: Sequence[str] = ()) -> Stored:
        """Record a new resource. A user without `active` is active.

        Raises:
            directory.NameTaken: another user has this userName, or another group this name and externalId.
            folding.ValueTooLong: an attribute that people are looked up by is too long.
            Incomplete: userName, or a group's displayName, is missing or blank.
            UnknownMembers: a group names members that do not exist.
        """
        document = _complete(kind, document)
        if kind == USER and document.get("active") is None:
            document = {**document, "active": True}
        stored = directory.insert(self._tx, kind=kind, scim_id=uuid4().hex, document=document)
        joined: list[int] = []
        if kind == GROUP and member_ids:
            joining = [MemberEdit(Membership.ADD, tuple(member_ids))]
            numbers = self._lock_members(stored, joining, is_renamed=False)
            joined, _ = self._edit_members(stored, joining, numbers)
        owed = self._owing.for_user(None, document) if kind == USER else self._owing.for_group("", name_of(document))
        number = self._record(
            stored, "create", owed, affected=joined, attributes=edits.touched({}, document), joined=len(joined)
        )
        return directory.touch(self._tx, stored, version=number)

    def update(self, stored: Stored, document: Document | None, *, member_edits: Sequence[MemberEdit] = ()) -> Stored:
        """Record a resource's new document (None: as it is) and, of a group, its members. Members not named stay.

        An edit that changes nothing records nothing and gives the resource back as it is. A document without `active`
        leaves a user as active, or inactive, as they were.

        Raises:
            directory.NameTaken, folding.ValueTooLong, Incomplete, UnknownMembers: as `create`.
        """
        before = stored.document
        document = before if document is None else _complete(stored.kind, document)
        is_renamed = stored.kind == GROUP and name_of(before) != name_of(document)
        joined, left = list[int](), list[int]()
        if stored.kind == GROUP and (member_edits or is_renamed):
            numbers = self._lock_members(stored, member_edits, is_renamed=is_renamed)
            joined, left = self._edit_members(stored, member_edits, numbers)
        attributes = [] if document is before else edits.touched(before, document)
        if not attributes and not joined and not left:
            return stored
        affected: list[int] = []
        if stored.kind == USER:
            owed = self._owing.for_user(stored, document)
        else:
            owed, affected = self._owed_for_group(stored, document, changed=[*joined, *left])
        number = self._record(
            stored, "update", owed, affected=affected, attributes=attributes, joined=len(joined), left=len(left)
        )
        if not attributes:
            return directory.touch(self._tx, stored, version=number)
        return directory.update(self._tx, stored, document=document, version=number)

    def note(self, stored: Stored, attributes: Sequence[str], *, concerns_targets: bool = False) -> Stored:
        """Record that a source said something of a user who stays as they are, so that targets are owed nothing.

        `attributes` are those that it spoke of. `concerns_targets`: they are owed the user as they are all the same.
        """
        owed = self._owing.for_user(stored, stored.document) if concerns_targets else owing.NOTHING
        number = self._record(stored, "update", owed, affected=[], attributes=attributes)
        return directory.touch(self._tx, stored, version=number)

    def delete(self, stored: Stored) -> None:
        """Record that a resource is gone; a tombstone with its matching values stays. Its memberships end."""
        affected: list[int] = []
        if stored.kind == USER:
            members.remove_from_all(self._tx, stored.id)
            owed = self._owing.for_user(stored, None)
        else:
            directory.lock_rows(self._tx, members.users_of(self._tx, stored.id))
            affected = members.remove_all(self._tx, stored.id)
            owed = self._owing.for_group(name_of(stored.document), "")
        number = self._record(stored, "delete", owed, affected=affected, attributes=[], left=len(affected))
        directory.bury(self._tx, stored, version=number)

    def _owed_for_group(
        self, stored: Stored, document: Document, *, changed: list[int]
    ) -> tuple[owing.Owed, list[int]]:
        before, after = name_of(stored.document), name_of(document)
        if before == after and not changed:
            return owing.NOTHING, []
        owed = self._owing.for_group(before, after)
        if before != after and owed.lanes:
            # A new name is a new group to the targets, so it concerns everybody who is or was in it.
            return owed, sorted({*changed, *members.users_of(self._tx, stored.id)})
        return owed, sorted(set(changed))

    def _lock_members(
        self, stored: Stored, member_edits: Sequence[MemberEdit], *, is_renamed: bool
    ) -> Mapping[str, int]:
        """Lock everybody whom the edit may concern at once, in one order, so that no two edits wait for each other.

        Returns the numbers of those whom the edits name, by SCIM id; who does not live is left out.
        """
        named = {scim_id for edit in member_edits for scim_id in edit.scim_ids}
        if not is_renamed and all(edit.how is not Membership.ONLY for edit in member_edits):
            return directory.lock_named(self._tx, USER, named) if named else {}
        concerned = set(directory.numbers_of(self._tx, USER, named).values())
        directory.lock_rows(self._tx, concerned | set(members.users_of(self._tx, stored.id)))
        # Whoever was deleted while we waited for the lock does not live any more.
        return directory.numbers_of(self._tx, USER, named)

    def _edit_members(
        self, stored: Stored, member_edits: Sequence[MemberEdit], numbers: Mapping[str, int]
    ) -> tuple[list[int], list[int]]:
        """Apply edits in order and return who joined and who left in the end."""
        joining = [scim_id for edit in member_edits if edit.how is not Membership.REMOVE for scim_id in edit.scim_ids]
        unknown = [scim_id for scim_id in joining if scim_id not in numbers]
        if unknown:
            raise UnknownMembers(list(dict.fromkeys(unknown)))
        joined, left = list[int](), list[int]()
        for edit in edits.net(member_edits):
            came, went = self._edit(stored.id, edit, numbers)
            joined += came
            left += went
        return sorted(joined), sorted(left)

    def _edit(self, group_id: int, edit: MemberEdit, numbers: Mapping[str, int]) -> tuple[list[int], list[int]]:
        if edit.how is Membership.ONLY and not edit.scim_ids:
            return [], members.remove_all(self._tx, group_id)
        known = [numbers[scim_id] for scim_id in edit.scim_ids if scim_id in numbers]
        if edit.how is Membership.REMOVE:
            return [], members.remove(self._tx, group_id, known)
        went = members.keep_only(self._tx, group_id, known) if edit.how is Membership.ONLY else []
        return members.add(self._tx, group_id, known), went

    def _record(
        self,
        stored: Stored,
        kind: str,
        owed: owing.Owed,
        *,
        affected: Sequence[int],
        attributes: Sequence[str],
        joined: int = 0,
        left: int = 0,
    ) -> int:
        """Append the change and its operations, and return the change's number."""
        lanes = len(owed.lanes)
        number = ledger.append_change(
            self._tx,
            resource_id=stored.id,
            previous=stored.version,
            kind=kind,
            source=self._origin.source,
            token_id=self._origin.token_id,
            correlation_id=self._origin.correlation_id,
            request=request_text(stored.kind, attributes=attributes, joined=joined, left=left),
            owed=lanes * (1 + len(affected)),
        )
        for priority, lane_ids in owed.by_priority().items():
            outbox.owe(self._tx, change=number, lane_ids=lane_ids, resource_ids=[stored.id], priority=priority)
            outbox.owe(self._tx, change=number, lane_ids=lane_ids, resource_ids=affected, priority=Priority.NORMAL)
        for lane in owed.lanes:
            self.wakes[lane.target] = self.wakes.get(lane.target, False) or lane.priority == Priority.LEAVER
        self.changes.append(number)
        return number


def request_text(kind: str, *, attributes: Sequence[str] = (), joined: int = 0, left: int = 0) -> str:
    """Return what the books say about an edit, as JSON: which attributes it touched and how many members, no values."""
    request: dict[str, Any] = {"kind": kind, "attributes": list(attributes)}
    if joined or left:
        request["members"] = {"joined": joined, "left": left}
    return compact_json(request)


def name_of(document: Document) -> str:
    """Return the name of a group, empty where it has none."""
    return str(document.get("displayName", ""))


def _complete(kind: str, document: Document) -> Document:
    required = "userName" if kind == USER else "displayName"
    if not str(document.get(required) or "").strip():
        raise Incomplete(required)
    return document
