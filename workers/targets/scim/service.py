"""A SCIM 2.0 service as a target: by Bulk, PATCH and filters where it has them, and without any of them."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from scim_bridge.domain.instants import Clock
from scim_bridge.domain.people import Person, Problem, Record, Step
from scim_bridge.domain.replies import Answer, Reply, Verdict
from scim_bridge.mapping.records import RecordMapping, target_group
from scim_bridge.planning.calls import Abilities, Call, Item
from scim_bridge.settings.models import TargetSettings
from workers.http import Response
from workers.targets import port, reading
from workers.targets.scim import attributes, bulk, combining, mapping, merging, replies
from workers.targets.scim.capabilities import Bounds, Capabilities, KnownCapabilities, read_config
from workers.targets.scim.connection import Connection, Conversation, wait_within
from workers.targets.scim.finding import ABSENT, Finder
from workers.targets.scim.mapping import Operation
from workers.targets.scim.membership import Membership

_AGAIN = Reply(verdict=Verdict.RETRY, code="unavailable", detail="the target knows no PATCH")

ENVELOPE_BYTES = len(json.dumps(bulk.request_of([])))
"""Of a bulk request without operations."""

OPERATION_BYTES = 300
"""Of an operation that makes a user, without the user's attributes."""

LONG_ID = "x" * 64
"""Stands for an id that is not known when people are planned together."""

_HIDDEN = Reply(
    verdict=Verdict.UNSUPPORTED,
    code="unsupported",
    detail="the target does not show who is in the group, so that it cannot be put back without putting them out",
)


class ScimService:
    """One tenant's service. Thread-safe."""

    def __init__(
        self, settings: TargetSettings, connection: Connection, *, clock: Clock, bounds: Bounds | None = None
    ) -> None:
        """Compile the mapping.

        Raises:
            ExpressionRefused: when an expression of [mapping] cannot be read.
        """
        self._settings = settings
        self._connection = connection
        self._clock = clock
        self._records = RecordMapping(settings.mapping, settings.fields, settings.groups)
        self._known = KnownCapabilities(bounds, clock=clock)
        self._finder = Finder(settings, self._known, clock=clock)
        self._membership = Membership(page=self._known.current.page)
        self._unfolded: frozenset[str] = frozenset()
        # What is read, changed and put back must not be changed by another of our calls meanwhile.
        self._group_locks: dict[str, threading.Lock] = {}

    def abilities(self) -> Abilities:
        """Return what the service can do, as far as is known now; before the first probe, single calls."""
        known = self._known.abilities()
        if known.payload_limit is None:
            return replace(known, unfolded=self._unfolded)
        room = known.payload_limit - ENVELOPE_BYTES
        return replace(known, unfolded=self._unfolded, payload_limit=room, weigh=self._weigh)

    def _weigh(self, item: Item) -> int:
        known = self._known.current
        limit, operations = known.bulk_bytes, known.bulk_operations
        if item.step is Step.CREATE and item.desired is not None and limit is not None and operations:
            # Most people are far below their share of a request, and need not be written out to be sure of it.
            at_most = attributes.most_bytes(item.desired.attributes)
            if at_most is not None and at_most + OPERATION_BYTES <= limit // operations:
                return at_most + OPERATION_BYTES
        group_ids = {} if item.group is None else {item.group: LONG_ID}
        (operation,) = mapping.operations_of([item], group_ids=group_ids, patches=known.patches)
        return bulk.size_of(operation) + (len(LONG_ID) if item.account_id is None else 0)

    def needs_probe(self) -> bool:
        """Tell whether the ServiceProviderConfig must be read: at first, hourly, and when a limit did not hold."""
        return self._known.is_stale()

    def doubt(self) -> None:
        """Have the ServiceProviderConfig read by the next probe."""
        self._known.doubt()

    def desired(self, person: Person) -> Record | Problem:
        """Return the record that the service should hold of a person, or why none can be made."""
        if person.kind == "Group":
            name = target_group(self._settings.groups, str(person.document.get("displayName", "")))
            return Record(active=not person.deleted, attributes={}, groups=frozenset({name} if name else ()))
        record = self._records.record_of(person)
        return record if isinstance(record, Problem) else mapping.finish(record)

    def matching(self, person: Person) -> Mapping[str, str]:
        """Return the folded values by which the account can be recognised."""
        return mapping.matching_of(self._records.readable(person, *mapping.MATCHING.values()), self._settings.match_by)

    def describe(self, call: Call) -> tuple[str, str, Mapping[str, object]]:
        """Return method, path and the redacted request of a call; a group's id is not known yet."""
        method, path = self._route(call)
        return method, path, mapping.redacted_of(call)

    def reads_beside(self, call: Call) -> int:
        """Return how many reads a call may need beside its main request: the one before a PUT, further comparisons."""
        if call.step is Step.LOOK_UP:
            return self._finder.further_reads(call)
        is_alone = call.step is not None or len(call.items) == 1
        puts = is_alone and not self._known.current.patches
        return int(puts and any(item.step is not Step.CREATE for item in call.items))

    def deadline_s(self, call: Call) -> float:
        """Return the deadline for listings, for calls that write for many, or for reads and single calls."""
        reads = self.reads_beside(call)
        if call.everybody:
            reads = len(call.items) // self._known.current.page
        return self._timeout_s(call) + wait_within(self._settings.limits, reads=reads)

    def _timeout_s(self, call: Call) -> float:
        if call.step is Step.LOOK_UP:
            known = self._known.current
            lists = call.everybody or not known.filters or not (call.items or known.joins_filters)
            return self._connection.timeout_listing_s if lists else self._connection.timeout_s
        return self._connection.timeout_bulk_s if len(call.items) > 1 else self._connection.timeout_s

    def submit(
        self,
        call: Call,
        *,
        group_ids: Mapping[str, str],
        batch_number: int,
        deadline_s: float,
        count: Callable[[], None] = port.uncounted,
    ) -> Answer:
        """Make a call and return what the service said of each of its operations.

        Raises:
            CallFailed: one of its children, when the call failed as a whole.
        """
        del batch_number  # SCIM has no place for it
        talk = Conversation(self._connection, deadline_s=deadline_s, count=count)
        if call.step is Step.LOOK_UP:
            is_of_users = call.items or call.everybody
            return self._finder.accounts(talk, call) if is_of_users else self._finder.groups(talk, call)
        if call.step is Step.CREATE_GROUP:
            return self._create_group(talk, call)
        ready = [item for item in call.items if item.step not in mapping.MEMBERSHIPS or item.group in group_ids]
        blocked = Reply(verdict=Verdict.RETRY, code="blocked_by_group", detail="the group has no id in the target yet")
        told = dict.fromkeys(call.operation_ids, blocked)
        if ready:
            patches = self._known.current.patches
            operations = mapping.operations_of(ready, group_ids=group_ids, patches=patches, unfolded=self._unfolded)
            is_bulk = call.step is None and len(call.items) > 1
            left_out: dict[int, list[tuple[Item, Reply]]] = {}
            for item in call.items:
                if item.step in mapping.MEMBERSHIPS and item.group not in group_ids:
                    left_out.setdefault(item.person.operation_id, []).append((item, blocked))
            told |= self._bulk(talk, operations, left_out) if is_bulk else self._single(talk, operations[0])
        return replies.answer_of(told)

    def probe(self) -> None:
        """Read the ServiceProviderConfig when it is due, else one user, which needs a good credential.

        Raises:
            CallFailed: one of its children, when credential or service is not well.
        """
        talk = Conversation(self._connection, deadline_s=self._connection.timeout_s)
        if not self.needs_probe():
            response = talk.send("GET", "/Users", query={"count": "1"})
            replies.require_success(response, where="GET /Users", now=self._clock())
            return
        where = "GET /ServiceProviderConfig"
        response = talk.send("GET", "/ServiceProviderConfig")
        if response.status in ABSENT:
            self._known.learn(Capabilities())
            return
        replies.require_success(response, where=where, now=self._clock())
        self._known.learn(read_config(reading.json_of(response, where=where)))

    def close(self) -> None:
        """Close the connections."""
        self._connection.http.close()

    def _route(self, call: Call) -> tuple[str, str]:
        if call.step is Step.LOOK_UP:
            return "GET", "/Users" if call.items or call.everybody else "/Groups"
        if call.step is Step.CREATE_GROUP:
            return "POST", "/Groups"
        if call.step is None and len(call.items) > 1:
            return "POST", "/Bulk"
        item = call.items[0]
        if item.step is Step.CREATE:
            return "POST", "/Users"
        changing = "PATCH" if self._known.current.patches else "PUT"
        return changing, "/Groups/{groupId}" if item.step in mapping.MEMBERSHIPS else f"/Users/{item.account_id}"

    def _bulk(
        self, talk: Conversation, operations: Sequence[Operation], left_out: Mapping[int, Sequence[tuple[Item, Reply]]]
    ) -> dict[int, Reply]:
        if any(operation.method == "PUT" for operation in operations):
            raise port.AbilitiesChanged("the target knows no PATCH")
        body = json.dumps(bulk.request_of(operations)).encode()
        limit = self._known.current.bulk_bytes
        if limit is not None and len(body) > limit:
            raise port.BatchRefused(f"the request has {len(body)} bytes, {limit} are allowed; not sent", status=413)
        response = talk.send("POST", "/Bulk", body=body)
        if response.status in ABSENT:
            self._known.correct(bulk_operations=0)
            raise port.AbilitiesChanged(f"POST /Bulk answered {response.status}", status=response.status)
        if response.status == 413:
            # The limits have changed, or were never true: ask again before the next call.
            self._known.doubt()
        replies.require_success(response, where="POST /Bulk", now=self._clock())
        parts = bulk.read_parts(operations, reading.json_of(response, where="POST /Bulk"))
        if bulk.refuses_references(operations, parts):
            # It may be the reference, not the member: for an hour people are made first, and put into groups then.
            self._known.correct(refers=False)
        else:
            self._unfolded |= bulk.spoiled_groups(operations, parts)
        # What was not asked for is not done, whatever became of the rest.
        told = {number: combining.combine([*each, *left_out.get(number, ())]) for number, each in parts.items()}
        return self._without_patch(operations, told)

    def _without_patch(self, operations: Sequence[Operation], told: dict[int, Reply]) -> dict[int, Reply]:
        """Have those tried again by PUT whose PATCH the target does not know, whatever it says of itself."""
        patched = {item.person.operation_id for each in operations if each.method == "PATCH" for item in each.items}
        refused = {number for number in patched if told[number].verdict is Verdict.UNSUPPORTED}
        if refused:
            self._known.correct(patches=False)
        return {**told, **dict.fromkeys(refused, _AGAIN)}

    def _single(self, talk: Conversation, operation: Operation) -> dict[int, Reply]:
        if operation.method == "PUT":
            return self._put(talk, operation)
        body = json.dumps(operation.data).encode()
        response = talk.send(operation.method, operation.path, body=body)
        told = replies.read_single(operation, response, now=self._clock())
        if operation.method == "PATCH" and any(reply.verdict is Verdict.UNSUPPORTED for reply in told.values()):
            self._known.correct(patches=False)
            raise port.AbilitiesChanged(f"PATCH answered {response.status}", status=response.status)
        return told

    def _put(self, talk: Conversation, operation: Operation) -> dict[int, Reply]:
        """Read a resource, change our parts of it, and put it back (RFC 7644 section 3.5.1)."""
        if operation.items[0].step not in mapping.MEMBERSHIPS:
            # A user has one call of ours out at a time, a group may have several.
            return self._put_back(talk, operation)
        with self._group_locks.setdefault(operation.path, threading.Lock()):
            return self._put_back(talk, operation)

    def _put_back(self, talk: Conversation, operation: Operation) -> dict[int, Reply]:
        is_group = operation.items[0].step in mapping.MEMBERSHIPS
        try:
            response = talk.send("GET", operation.path)
            if response.status >= 300:
                return replies.read_single(operation, response, now=self._clock())
            shown = reading.json_of(response, where=f"GET {operation.path.rpartition('/')[0]}")
            if not isinstance(shown, dict) or not isinstance(shown.get("id"), str):
                raise port.Unreachable("the target showed no resource, so nothing was written", status=response.status)
            whole = self._membership.completed(talk, operation.path, shown) if is_group else shown
        except port.AnswerLost as lost:
            raise port.Unreachable(f"{lost}, before anything was written", status=lost.status) from None
        if whole is None:
            return dict.fromkeys((item.person.operation_id for item in operation.items), _HIDDEN)
        document = merging.document_for(operation, whole)
        body = json.dumps(document).encode()
        response = talk.send("PUT", operation.path, body=body, headers=merging.condition_for(shown))
        if is_group:
            self._note_members(operation.path, document, response)
        return replies.read_single(operation, response, now=self._clock())

    def _note_members(self, path: str, document: Mapping[str, Any], response: Response) -> None:
        if response.status < 300 and not document["members"]:
            self._membership.is_empty(path, reading.error_json(response))
        else:
            self._membership.has_members(path)

    def _create_group(self, talk: Conversation, call: Call) -> Answer:
        body = json.dumps({"schemas": [mapping.GROUP], "displayName": call.groups[0]}).encode()
        response = talk.send("POST", "/Groups", body=body)
        if response.status == 501:
            self._known.correct(keeps_groups=False)
            raise port.AbilitiesChanged("POST /Groups answered 501", status=501)
        replies.require_success(response, where="POST /Groups", now=self._clock())
        made = reading.json_of(response, where="POST /Groups")
        if not isinstance(made, dict) or not isinstance(made.get("id"), str):
            raise port.AnswerLost("the answer does not show the new group's id", status=response.status)
        self._membership.is_empty(f"/Groups/{mapping.in_path(made['id'])}", made)
        told = dict.fromkeys(call.operation_ids, Reply(verdict=Verdict.DONE))
        return Answer(replies=told, group_ids={call.groups[0]: made["id"]}, redacted={"groupId": made["id"]})
