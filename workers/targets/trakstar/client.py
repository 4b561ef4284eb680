"""Trakstar Learn as a target: one call of ours is one call to its API v3."""

import json
from collections.abc import Callable, Mapping

from scim_bridge.domain.instants import Clock, to_datetime
from scim_bridge.domain.people import Person, Problem, Record, Step
from scim_bridge.domain.replies import Answer, Reply, Verdict
from scim_bridge.mapping.records import RecordMapping, target_group
from scim_bridge.planning.calls import Abilities, Call
from scim_bridge.settings.models import TargetSettings
from workers.http import HttpClient
from workers.targets import port
from workers.targets.trakstar import mapping, replies
from workers.targets.trakstar.options import TrakstarOptions, read_options

USERS_A_CALL = 200
"""The document: at most 200 users in one POST /user. The vendor's bulk calls name no limit; they get the same."""

EVERYBODY = 10_000_000
"""One listing shows the whole organisation, however many are looked for."""

LISTS_GROUPS = frozenset({Step.LOOK_UP, Step.CREATE_GROUP})


class TrakstarTarget:
    """One tenant's Trakstar account. Thread-safe."""

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
        self._abilities = _abilities(self._options)
        self._http = HttpClient(
            (self._options.base_url,),
            headers={
                "x-mindflash-apikey": self._options.api_key,
                "Accept": "application/json",
                "Content-Type": "application/json",
            },
            connect_timeout_s=self._options.connect_timeout_s,
        )

    def abilities(self) -> Abilities:
        """Return what Trakstar can do by the configured profile; nothing has to be asked."""
        return self._abilities

    def needs_probe(self) -> bool:
        """Return False: the abilities are known without a call."""
        return False

    def doubt(self) -> None:
        """Do nothing: the abilities are known without a call."""

    def desired(self, person: Person) -> Record | Problem:
        """Return the record that Trakstar should hold of a person, or why none can be made."""
        if person.kind == "Group":
            name = target_group(self._settings.groups, str(person.document.get("displayName", "")))
            return Record(active=not person.deleted, attributes={}, groups=frozenset({name} if name else ()))
        record = self._records.record_of(person)
        if isinstance(record, Problem):
            return record
        return mapping.finish(record, permissions=self._options.permissions)

    def matching(self, person: Person) -> Mapping[str, str]:
        """Return the folded email and username by which the account can be recognised."""
        return mapping.matching_of(self._records.readable(person, *mapping.MATCHING.values()), self._settings.match_by)

    def describe(self, call: Call) -> tuple[str, str, Mapping[str, object]]:
        """Return method, path and the redacted request of a call; a group's id is not known yet."""
        method, path = mapping.route_of(call, self._options)
        return method, path, mapping.redacted_of(call)

    def deadline_s(self, call: Call) -> float:
        """Return the longer deadline for what carries or lists many, else the one for single calls."""
        is_bulk = call.step in {Step.CREATE, Step.LOOK_UP} or len(call.items) > 1
        return self._options.timeout_bulk_s if is_bulk else self._options.timeout_s

    def reads_beside(self, call: Call) -> int:
        """Return 0: every call is one request."""
        del call
        return 0

    def submit(
        self,
        call: Call,
        *,
        group_ids: Mapping[str, str],
        batch_number: int,
        deadline_s: float,
        count: Callable[[], None] = port.uncounted,
    ) -> Answer:
        """Make a call and return what Trakstar said of each of its operations.

        Raises:
            CallFailed: one of its children, when the call failed as a whole.
        """
        del count  # there is never a second request
        if call.step not in LISTS_GROUPS and not set(call.groups) <= group_ids.keys():
            waiting = Reply(verdict=Verdict.RETRY, code="blocked_by_group", detail="a group has no id in Trakstar yet")
            return Answer(replies=dict.fromkeys(call.operation_ids, waiting))
        named = call.groups[0] if call.groups and call.step in {Step.JOIN, Step.LEAVE} else None
        method, path = mapping.route_of(call, self._options, group_id=group_ids[named] if named else "")
        body = mapping.body_of(call, self._options, group_ids=group_ids, batch_number=batch_number, today=self._today())
        response = self._http.send(
            method,
            self._options.base_url + path,
            query={"responseFormat": "json"} if path == "/group" else None,
            body=None if body is None else json.dumps(body).encode(),
            deadline_s=deadline_s,
        )
        return replies.read_answer(
            call,
            response,
            self._options,
            batch_number=batch_number,
            protect=self._settings.protect,
            now=self._clock(),
        )

    def probe(self) -> None:
        """List the groups: the shortest answer that needs a good key.

        Raises:
            CallFailed: one of its children, when the key or Trakstar is not well.
        """
        response = self._http.send(
            "GET",
            f"{self._options.base_url}/group",
            query={"responseFormat": "json"},
            deadline_s=self._options.timeout_s,
        )
        replies.require_well(response, now=self._clock())

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _today(self) -> str:
        return to_datetime(self._clock()).date().isoformat()


def _abilities(options: TrakstarOptions) -> Abilities:
    sizes = {
        Step.LOOK_UP: EVERYBODY,
        Step.CREATE_GROUP: 1,
        Step.CREATE: USERS_A_CALL,
        Step.UPDATE: 1,
        Step.DEACTIVATE: USERS_A_CALL if options.bulk_archive else 1,
        Step.JOIN: USERS_A_CALL if options.bulk_groups else 1,
        Step.LEAVE: USERS_A_CALL if options.bulk_groups else 1,
        Step.ENROL: USERS_A_CALL,
    }
    if options.unarchive:
        sizes[Step.REACTIVATE] = 1
    return Abilities(sizes=sizes, creates_carry_groups=True, listing=EVERYBODY)
