"""MindTickle as a target: SCIM 2.0, by Bulk where it can and by single calls where it cannot."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from scim_bridge.domain.instants import Clock
from scim_bridge.domain.people import Person, Problem, Record, Step
from scim_bridge.domain.replies import Answer, Reply, Verdict
from scim_bridge.mapping.records import RecordMapping, target_group
from scim_bridge.planning.calls import Abilities, Call, Item
from scim_bridge.settings.models import TargetSettings
from workers.http import HttpClient, Response
from workers.targets import port, reading
from workers.targets.mindtickle import bulk, lookups, mapping, replies, rest
from workers.targets.mindtickle.capabilities import Capabilities, KnownCapabilities, read_config
from workers.targets.mindtickle.mapping import Operation
from workers.targets.mindtickle.options import MindTickleOptions, read_options

ABSENT = frozenset({404, 405, 501})
"""Statuses of an endpoint that is not there."""


class MindTickleTarget:
    """One tenant's MindTickle company. Thread-safe."""

    def __init__(self, settings: TargetSettings, *, clock: Clock) -> None:
        """Read the options and compile the mapping.

        Raises:
            OptionsRefused: naming every option that is wrong.
            ExpressionRefused: when an expression of [mapping] cannot be read.
        """
        self._settings = settings
        self._options = read_options(settings)
        self._records = RecordMapping(settings.mapping, settings.fields, settings.groups)
        self._clock = clock
        self._known = KnownCapabilities(self._options, clock=clock)
        self._unfolded: frozenset[str] = frozenset()
        self._http = _http_client(self._options)

    def abilities(self) -> Abilities:
        """Return what MindTickle can do, as far as is known now; before the first probe, single calls."""
        return self._known.abilities()

    def needs_probe(self) -> bool:
        """Tell whether the ServiceProviderConfig must be read: at first, hourly, and when a limit did not hold."""
        return self._known.is_stale()

    def desired(self, person: Person) -> Record | Problem:
        """Return the record that MindTickle should hold of a person, or why none can be made."""
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

    def deadline_s(self, call: Call) -> float:
        """Return the longer deadline for calls that write for many, else the one for reads and single calls."""
        is_bulk = call.step is not Step.LOOK_UP and len(call.items) > 1
        return self._options.timeout_bulk_s if is_bulk else self._options.timeout_s

    def submit(self, call: Call, *, group_ids: Mapping[str, str], batch_number: int, deadline_s: float) -> Answer:
        """Make a call and return what MindTickle said of each of its operations.

        Raises:
            CallFailed: one of its children, when the call failed as a whole.
        """
        del batch_number  # SCIM has no place for it
        if call.step is Step.LOOK_UP:
            return self._look_up(call, deadline_s)
        if call.step is Step.CREATE_GROUP:
            return self._create_group(call, deadline_s)
        ready = [item for item in call.items if item.step not in mapping.MEMBERSHIPS or item.group in group_ids]
        blocked = Reply(verdict=Verdict.RETRY, code="blocked_by_group", detail="the group has no id in MindTickle yet")
        told = dict.fromkeys(call.operation_ids, blocked)
        if ready and call.step is Step.CREATE and self._options.bulk_mode == "rest":
            return self._create_by_rest(ready, deadline_s)
        if ready:
            known = self._known.current
            operations = mapping.operations_of(
                ready, group_ids=group_ids, patches=known.patches, unfolded=self._unfolded
            )
            is_bulk = call.step is None and len(call.items) > 1
            told |= self._bulk(operations, deadline_s) if is_bulk else self._single(operations[0], deadline_s)
        return replies.answer_of(told)

    def probe(self) -> None:
        """Read the ServiceProviderConfig when it is due, else one user, which needs a good token and company.

        Raises:
            CallFailed: one of its children, when credential, company or target is not well.
        """
        if not self.needs_probe():
            response = self._scim("GET", "/Users", query={"count": "1"}, deadline_s=self._options.timeout_s)
            replies.require_success(response, where="GET /Users", now=self._clock())
            return
        where = "GET /ServiceProviderConfig"
        response = self._scim("GET", "/ServiceProviderConfig", deadline_s=self._options.timeout_s)
        if response.status in ABSENT:
            self._known.learn(Capabilities())
            return
        replies.require_success(response, where=where, now=self._clock())
        self._known.learn(read_config(reading.json_of(response, where=where)))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _route(self, call: Call) -> tuple[str, str]:
        if call.step is Step.LOOK_UP:
            return "GET", "/Users" if call.items else "/Groups"
        if call.step is Step.CREATE_GROUP:
            return "POST", "/Groups"
        if call.step is Step.CREATE and self._options.bulk_mode == "rest":
            return "POST", self._options.rest_bulk_path
        if call.step is None and len(call.items) > 1:
            return "POST", "/Bulk"
        item = call.items[0]
        if item.step is Step.CREATE:
            return "POST", "/Users"
        if item.step in mapping.MEMBERSHIPS:
            return "PATCH", "/Groups/{groupId}"
        return "PATCH" if self._known.current.patches else "PUT", f"/Users/{item.account_id}"

    def _bulk(self, operations: Sequence[Operation], deadline_s: float) -> dict[int, Reply]:
        body = json.dumps(bulk.request_of(operations)).encode()
        limit = self._known.current.bulk_bytes
        if limit is not None and len(body) > limit:
            raise port.BatchRefused(f"the request has {len(body)} bytes, {limit} are allowed; not sent", status=413)
        response = self._scim("POST", "/Bulk", body=body, deadline_s=deadline_s)
        if response.status in ABSENT:
            self._known.correct(bulk_operations=0)
            raise port.AbilitiesChanged(f"POST /Bulk answered {response.status}", status=response.status)
        if response.status == 413:
            # The limits have changed, or were never true: ask again before the next call.
            self._known.doubt()
        replies.require_success(response, where="POST /Bulk", now=self._clock())
        told = bulk.read_replies(operations, reading.json_of(response, where="POST /Bulk"))
        self._unfolded |= bulk.spoiled_groups(operations, told)
        return told

    def _single(self, operation: Operation, deadline_s: float) -> dict[int, Reply]:
        body = json.dumps(operation.data).encode()
        response = self._scim(operation.method, operation.path, body=body, deadline_s=deadline_s)
        return replies.read_single(operation, response, now=self._clock())

    def _create_by_rest(self, items: Sequence[Item], deadline_s: float) -> Answer:
        response = self._http.send(
            "POST",
            self._options.rest_base_url + self._options.rest_bulk_path,
            body=json.dumps(rest.request_of(items, self._options)).encode(),
            headers={"Authorization": f"Bearer {self._options.api_key}", "Content-Type": "application/json"},
            deadline_s=deadline_s,
        )
        where = f"POST {self._options.rest_bulk_path}"
        if response.status in ABSENT:
            raise port.CredentialRefused(
                f"{where} answered {response.status}: check rest_base_url and bulk_mode", status=response.status
            )
        replies.require_success(response, where=where, now=self._clock())
        return replies.answer_of(rest.read_replies(items, reading.json_of(response, where=where)))

    def _look_up(self, call: Call, deadline_s: float) -> Answer:
        known = self._known.current
        search = lookups.search_for(call, known)
        if search.is_long and known.searches:
            body = json.dumps(search.body()).encode()
            response = self._scim("POST", f"{search.path}/.search", body=body, deadline_s=deadline_s)
            if response.status in ABSENT:
                self._known.correct(searches=False)
                raise port.AbilitiesChanged(f"POST /.search answered {response.status}", status=response.status)
        else:
            response = self._scim("GET", search.path, query=search.query(), deadline_s=deadline_s)
            if response.status == 501 and not call.items:
                self._known.correct(keeps_groups=False)
                raise port.AbilitiesChanged("GET /Groups answered 501", status=501)
        if response.status == 400 and search.is_joined:
            self._known.correct(joins_filters=False)
            raise port.AbilitiesChanged("the target joins no filters", status=400)
        replies.require_success(response, where=f"look-up in {search.path}", now=self._clock())
        answer = reading.json_of(response, where=f"look-up in {search.path}")
        if not call.items:
            return lookups.read_groups(answer, call.groups, asks_all=search.asks_all)
        return lookups.read_accounts(
            answer, call, mapped=frozenset(self._settings.mapping), protect=self._settings.protect
        )

    def _create_group(self, call: Call, deadline_s: float) -> Answer:
        body = json.dumps({"schemas": [mapping.GROUP], "displayName": call.groups[0]}).encode()
        response = self._scim("POST", "/Groups", body=body, deadline_s=deadline_s)
        if response.status == 501:
            self._known.correct(keeps_groups=False)
            raise port.AbilitiesChanged("POST /Groups answered 501", status=501)
        replies.require_success(response, where="POST /Groups", now=self._clock())
        made = reading.json_of(response, where="POST /Groups")
        if not isinstance(made, dict) or not isinstance(made.get("id"), str):
            raise port.AnswerLost("the answer does not show the new group's id", status=response.status)
        told = dict.fromkeys(call.operation_ids, Reply(verdict=Verdict.DONE))
        return Answer(replies=told, group_ids={call.groups[0]: made["id"]}, redacted={"groupId": made["id"]})

    def _scim(
        self, method: str, path: str, *, deadline_s: float, body: bytes | None = None, query: Any = None
    ) -> Response:
        return self._http.send(
            method, self._options.scim_base_url + path, body=body, query=query, deadline_s=deadline_s
        )


def _http_client(options: MindTickleOptions) -> HttpClient:
    bases = tuple(base for base in (options.scim_base_url, options.rest_base_url) if base)
    headers = {
        "Authorization": f"Bearer {options.scim_token}",
        "Accept": "application/scim+json, application/json",
        "Content-Type": "application/scim+json",
        **options.company_headers,
    }
    return HttpClient(bases, headers=headers, connect_timeout_s=options.connect_timeout_s)
