"""A target in memory. It implements the port, keeps state, and fails on demand."""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scim_bridge.domain.people import Account, Person, Problem, Record, Step
from scim_bridge.domain.replies import Answer, Reply, Verdict
from scim_bridge.mapping.records import RecordMapping, target_group
from scim_bridge.planning.calls import Abilities, Call, Item
from scim_bridge.settings.models import FieldSettings, GroupSettings
from workers.policy.conflicts import fold
from workers.targets.port import AnswerLost, BatchRefused, CallFailed, uncounted

MAPPING = {
    "userName": "userName",
    "email": "(emails[?primary].value | [0]) || emails[0].value || userName",
    "firstName": "name.givenName",
    "lastName": "name.familyName",
    "title": "title",
}

SIZES = {
    Step.LOOK_UP: 1_000_000,
    Step.CREATE_GROUP: 1,
    Step.CREATE: 200,
    Step.UPDATE: 1,
    Step.DEACTIVATE: 1,
    Step.REACTIVATE: 1,
    Step.JOIN: 1,
    Step.LEAVE: 1,
    Step.ENROL: 200,
}


@dataclass(slots=True, kw_only=True)
class FakeAccount:
    """One account of the fake."""

    account_id: str
    attributes: dict[str, Any]
    active: bool = True
    groups: set[str] = field(default_factory=set)
    courses: set[str] = field(default_factory=set)
    required_courses: set[str] = field(default_factory=set)
    protected: bool = False

    def record(self) -> Record:
        return Record(
            active=self.active,
            attributes=dict(self.attributes),
            groups=frozenset(self.groups),
            courses=frozenset(self.courses),
            required_courses=frozenset(self.required_courses),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A scripted failure of the next call: `error` is raised before or after the call is applied.

    `applies`: how many items are applied when it strikes after; None: all.
    """

    error: CallFailed
    after: bool = False
    applies: int | None = None
    step: Step | None = None
    """Strikes only a call of this step."""


class FakeTarget:
    """The port in memory. `calls` are all calls made, in order, failed ones too.

    `refuses` maps folded userNames to the text of a refusal; `poison` names those because of whom a whole call of
    several is refused. `tells_ids` False: creates do not tell the new ids, as Trakstar's do not. `hides` are folded
    userNames that exist and that no look-up shows. `on_call` sees each call before it is applied: it may take its time,
    raise the call's failure, or give the answer itself, and then nothing is applied. `reads` are what
    calls of a step say that they need beside their main request, `further_requests` how many they make.
    """

    def __init__(
        self,
        *,
        mapping: Mapping[str, str] = MAPPING,
        fields: Mapping[str, FieldSettings] | None = None,
        groups: Mapping[str, GroupSettings] | None = None,
        match_by: tuple[str, ...] = ("email", "userName"),
        sizes: Mapping[Step, int] = SIZES,
        creates_carry_groups: bool = True,
        mixed: int = 0,
        tells_ids: bool = False,
        listing: int | None = None,
    ) -> None:
        self._records = RecordMapping(mapping, fields or {"userName": FieldSettings(required=True)}, groups)
        self._group_settings = dict(groups or {})
        self._match_by = match_by
        self._lock = threading.Lock()
        self._abilities = Abilities(
            sizes=dict(sizes),
            mixed=mixed,
            mixable=frozenset(sizes) - {Step.LOOK_UP, Step.CREATE_GROUP} if mixed else frozenset(),
            creates_carry_groups=creates_carry_groups,
            listing=listing,
        )
        self.tells_ids = tells_ids
        self.accounts: dict[str, FakeAccount] = {}
        self.groups: dict[str, str] = {}
        self.calls: list[Call] = []
        self.refuses: dict[str, str] = {}
        self.poison: set[str] = set()
        self.hides: set[str] = set()
        self.failures: deque[Failure] = deque()
        self.on_call: Callable[[Call], Answer | None] = lambda _: None
        self.reads: dict[Step | None, int] = {}
        self.further_requests: dict[Step | None, int] = {}
        self.probes = 0
        self.doubts = 0
        self.probe_failure: CallFailed | None = None
        self._last_id = 1000

    def abilities(self) -> Abilities:
        return self._abilities

    def needs_probe(self) -> bool:
        return False

    def doubt(self) -> None:
        self.doubts += 1

    def desired(self, person: Person) -> Record | Problem:
        if person.kind == "Group":
            name = target_group(self._group_settings, str(person.document.get("displayName", "")))
            return Record(active=not person.deleted, attributes={}, groups=frozenset({name} if name else ()))
        return self._records.record_of(person)

    def matching(self, person: Person) -> Mapping[str, str]:
        return self._matching_of(self._records.readable(person))

    def describe(self, call: Call) -> tuple[str, str, Mapping[str, object]]:
        return "POST", f"/{call.step or 'mixed'}", {"items": len(call.items)}

    def deadline_s(self, call: Call) -> float:
        return 60.0 if len(call.items) > 1 else 10.0

    def reads_beside(self, call: Call) -> int:
        return self.reads.get(call.step, 0)

    def submit(
        self,
        call: Call,
        *,
        group_ids: Mapping[str, str],
        batch_number: int,
        deadline_s: float,
        count: Callable[[], None] = uncounted,
    ) -> Answer:
        del batch_number, deadline_s
        for _ in range(self.further_requests.get(call.step, 0)):
            count()
        with self._lock:
            self.calls.append(call)
        scripted = self.on_call(call)
        if scripted is not None:
            return scripted
        with self._lock:
            failure = self._take_failure(call)
            if failure is not None and not failure.after:
                raise failure.error
            if len(call.items) > 1 and any(self._who(item) in self.poison for item in call.items):
                raise BatchRefused("one of them cannot be read", status=400)
            answer = self._apply(call, group_ids, at_most=failure.applies if failure is not None else None)
        if failure is not None:
            raise failure.error
        return answer

    def probe(self) -> None:
        self.probes += 1
        if self.probe_failure is not None:
            raise self.probe_failure

    # What tests ask and arrange

    def seed(
        self,
        user_name: str,
        *,
        active: bool = True,
        groups: tuple[str, ...] = (),
        protected: bool = False,
        **attributes: Any,
    ) -> str:
        """Put an account there that the bridge did not make; return its id."""
        with self._lock:
            account_id = self._next_id()
            self.accounts[account_id] = FakeAccount(
                account_id=account_id,
                attributes={"userName": user_name, "email": user_name, **attributes},
                active=active,
                groups=set(groups),
                protected=protected,
            )
            for name in groups:
                self.groups.setdefault(name, self._next_id())
            return account_id

    def fail_next(self, error: CallFailed | None = None, **how: Any) -> None:
        """Let one of the next calls fail."""
        self.failures.append(Failure(error=error or AnswerLost("reset"), **how))

    def held(self, user_name: str) -> FakeAccount | None:
        """Return the account of a userName, letter case aside."""
        return next(
            (
                each
                for each in self.accounts.values()
                if fold("userName", each.attributes["userName"]) == user_name.casefold()
            ),
            None,
        )

    def calls_of(self, step: Step | None) -> list[Call]:
        """Return the calls of one step that were made."""
        return [call for call in self.calls if call.step is step]

    def _take_failure(self, call: Call) -> Failure | None:
        for failure in self.failures:
            if failure.step is None or failure.step is call.step:
                self.failures.remove(failure)
                return failure
        return None

    def _apply(self, call: Call, group_ids: Mapping[str, str], *, at_most: int | None) -> Answer:
        if call.step is Step.LOOK_UP and not call.items and not call.everybody:
            return Answer(replies={}, group_ids=dict(self.groups))
        if call.step is Step.LOOK_UP:
            shown = [each for each in self.accounts.values() if self._folded(each) not in self.hides]
            return Answer(
                replies=dict.fromkeys(call.operation_ids, Reply(verdict=Verdict.DONE)),
                accounts=tuple(self._account(each) for each in shown),
            )
        if call.step is Step.CREATE_GROUP:
            (name,) = call.groups
            self.groups[name] = self._next_id()
            return Answer(
                replies=dict.fromkeys(call.operation_ids, Reply(verdict=Verdict.DONE)),
                group_ids={name: self.groups[name]},
            )
        unknown = set(call.groups) - (group_ids.keys() & self.groups.keys())
        if unknown:
            raise BatchRefused("a group does not exist", status=400)
        return Answer(replies={item.person.operation_id: self._one(item, call) for item in call.items[:at_most]})

    def _one(self, item: Item, call: Call) -> Reply:
        text = self.refuses.get(self._who(item))
        if text is not None and item.step in {Step.CREATE, Step.UPDATE}:
            return Reply(verdict=Verdict.REFUSED, code="refused", detail=text)
        if item.step is Step.CREATE:
            return self._create(item, call)
        account = self.accounts.get(item.account_id or "")
        if account is None:
            return Reply(verdict=Verdict.GONE)
        match item.step:
            case Step.UPDATE:
                changed = {**account.attributes, **item.changes}
                account.attributes = {name: value for name, value in changed.items() if value is not None}
            case Step.DEACTIVATE | Step.REACTIVATE:
                account.active = item.step is Step.REACTIVATE
            case Step.JOIN if item.group:
                account.groups.add(item.group)
            case Step.LEAVE if item.group:
                account.groups.discard(item.group)
            case Step.ENROL if item.course:
                (account.required_courses if item.required else account.courses).add(item.course)
        return Reply(verdict=Verdict.DONE)

    def _create(self, item: Item, call: Call) -> Reply:
        attributes = dict(item.desired.attributes) if item.desired is not None else {}
        wanted = self._matching_of(attributes)
        if any(wanted.items() & self._matching_of(each.attributes).items() for each in self.accounts.values()):
            return Reply(verdict=Verdict.CONFLICT, code="conflict", detail="the user already exists")
        account = FakeAccount(account_id=self._next_id(), attributes=attributes)
        if self._abilities.creates_carry_groups:
            account.groups |= set(call.groups)
            account.courses |= set(call.courses)
            account.required_courses |= set(call.required_courses)
        self.accounts[account.account_id] = account
        return Reply(verdict=Verdict.DONE, account_id=account.account_id if self.tells_ids else None)

    def _account(self, account: FakeAccount) -> Account:
        return Account(
            account_id=account.account_id,
            known=account.record(),
            matching=self._matching_of(account.attributes),
            protected=account.protected,
        )

    def _matching_of(self, attributes: Mapping[str, Any]) -> dict[str, str]:
        return {name: fold(name, attributes[name]) for name in self._match_by if attributes.get(name)}

    def _who(self, item: Item) -> str:
        return fold("userName", str(item.person.document.get("userName", "")))

    def _folded(self, account: FakeAccount) -> str:
        return fold("userName", str(account.attributes.get("userName", "")))

    def _next_id(self) -> str:
        self._last_id += 1
        return str(self._last_id)
