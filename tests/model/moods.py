"""A target that fails in every way that targets fail, as it is told, and that shows new accounts late."""

from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any

from fakes.target import FakeTarget
from model.watching import Watch

from scim_bridge.domain.people import Step
from scim_bridge.domain.replies import Answer, Reply, Verdict
from scim_bridge.planning.calls import Call, Item
from workers.targets import port

MOODS = (
    "unreachable",
    "lost_before",
    "lost_after",
    "half",
    "500_before",
    "500_after",
    "429",
    "429_zero",
    "429_long",
    "401",
    "refused",
    "entries_missing",
    "crash_before",
    "crash_after",
    "each_again",
    "slow",
    "slow_lost",
)
CALL_MS = 50
SLOW_MS = 3_000


class MoodyTarget(FakeTarget):
    """`moods` are what happens to the next calls, one each. `lag_ms` is how old an account is before it is shown."""

    def __init__(self, *, clock: Callable[[], int], pass_time: Callable[[int], None], **how: Any) -> None:
        super().__init__(**how)
        self._clock = clock
        self._pass_time = pass_time
        self.moods: deque[str] = deque()
        self.lag_ms = 0
        self.made_at: dict[str, int] = {}
        self.seeded: set[str] = set()
        self.arrivals: list[int] = []
        """When each call came."""
        self.taken_out: set[str] = set()
        """Accounts that a call made inactive."""
        self.watch = Watch()
        self.states_of: Callable[[Collection[int]], dict[int, str]] = lambda _: {}
        """Gives the states of operations by now."""
        self.meanwhile: Callable[[], None] | None = None
        """What others do once, after the next call was planned and before it is written down."""

    def describe(self, call: Call) -> tuple[str, str, Mapping[str, object]]:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return super().describe(call)

    def submit(self, call: Call, **how: Any) -> Answer:
        self.watch.comes(call, self.states_of(call.operation_ids))
        try:
            answer = super().submit(call, **how)
        except port.CallFailed as failure:
            self.watch.ends(call, failure)
            raise
        except RuntimeError:
            self.watch.ends(call, None)
            raise
        self.watch.ends(call, answer)
        return answer

    def seed(self, user_name: str, **how: Any) -> str:
        account_id = super().seed(user_name, **how)
        self.seeded.add(account_id)
        return account_id

    def calm_down(self) -> None:
        """End every fault."""
        self.moods.clear()
        self.poison.clear()
        self.refuses.clear()
        self.lag_ms = 0

    def _apply(self, call: Call, group_ids: Mapping[str, str], *, at_most: int | None) -> Answer:
        mood = self.moods.popleft() if self.moods else "well"
        self._pass_time(SLOW_MS if mood.startswith("slow") else CALL_MS)
        if mood != "unreachable":
            self.arrivals.append(self._clock())
        self._fail_before(mood)
        if mood == "each_again" and call.items and call.step is not Step.LOOK_UP:
            return Answer(replies=dict.fromkeys(call.operation_ids, Reply(verdict=Verdict.RETRY, code="unavailable")))
        half = len(call.items) // 2 if mood == "half" else at_most
        answer = super()._apply(call, group_ids, at_most=half)
        for account_id in self.accounts:
            self.made_at.setdefault(account_id, self._clock())
        self._fail_after(mood)
        if mood == "entries_missing" and call.step is not Step.LOOK_UP:
            kept = dict(list(answer.replies.items())[: len(answer.replies) // 2])
            return Answer(replies=kept, group_ids=answer.group_ids)
        if call.step is Step.LOOK_UP and self.lag_ms:
            young = {each for each, at in self.made_at.items() if self._clock() - at < self.lag_ms}
            shown = tuple(each for each in answer.accounts if each.account_id not in young)
            return Answer(replies=answer.replies, accounts=shown, group_ids=answer.group_ids)
        return answer

    def _one(self, item: Item, call: Call) -> Reply:
        """Refuse an update to a name or address that another account bears."""
        if item.step is Step.UPDATE and item.account_id in self.accounts:
            wanted = self._matching_of(item.changes).items()
            others = [each for each in self.accounts.values() if each.account_id != item.account_id]
            if any(wanted & self._matching_of(each.attributes).items() for each in others):
                return Reply(verdict=Verdict.CONFLICT, code="conflict", detail="the name is taken")
        account = self.accounts.get(item.account_id or "")
        if item.step is Step.DEACTIVATE and account is not None and account.active:
            self.taken_out.add(account.account_id)
        return super()._one(item, call)

    def _fail_before(self, mood: str) -> None:
        match mood:
            case "unreachable":
                raise port.Unreachable("refused")
            case "lost_before":
                raise port.AnswerLost("reset")
            case "500_before":
                raise port.AnswerLost("failed", status=500)
            case "429":
                raise port.RateLimited
            case "429_zero":
                raise port.RateLimited(retry_after_s=0)
            case "429_long":
                raise port.RateLimited(retry_after_s=3600)
            case "401":
                raise port.CredentialRefused("no", status=401)
            case "refused":
                raise port.BatchRefused("no", status=400)
            case "crash_before":
                raise RuntimeError

    def _fail_after(self, mood: str) -> None:
        match mood:
            case "lost_after" | "slow_lost":
                raise port.AnswerLost("reset")
            case "half" | "500_after":
                raise port.AnswerLost("failed", status=500)
            case "crash_after":
                raise RuntimeError
