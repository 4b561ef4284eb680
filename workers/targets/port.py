"""What delivery asks of a target, and the ways in which a call fails as a whole."""

from collections.abc import Callable, Mapping
from typing import Protocol

from scim_bridge.domain.people import Person, Problem, Record
from scim_bridge.domain.replies import Answer
from scim_bridge.planning.calls import Abilities, Call


class CallFailed(Exception):  # noqa: N818 - an exception here is a fact about a call; its name says which
    """A call that failed as a whole. What happened to one user is a Reply instead."""

    def __init__(self, detail: str = "", *, status: int | None = None) -> None:
        """Keep a detail without personal data, and the HTTP status where there was an answer."""
        super().__init__(detail or (self.__doc__ or "").splitlines()[0])
        self.status = status


class Unreachable(CallFailed):
    """The target could not be reached; nothing was sent."""


class AnswerLost(CallFailed):
    """The call went out and its answer is lost or cannot be read; it may have been applied."""


class BridgeFault(AnswerLost):
    """The bridge itself failed while it made the call or read the answer; it may have been applied."""


class RateLimited(CallFailed):
    """The target asks for patience (429); nothing was applied."""

    def __init__(self, detail: str = "", *, status: int | None = 429, retry_after_s: float | None = None) -> None:
        """Keep the seconds that the target asked for, None where it named none that can be read."""
        super().__init__(detail, status=status)
        self.retry_after_s = retry_after_s


class NoRoom(RateLimited):
    """The quota has no room for a further request before the call's deadline; that request was not sent."""


class CredentialRefused(CallFailed):
    """The target refuses the credential or the company (401, 403); nothing was applied."""


class BatchRefused(CallFailed):
    """The target refuses the call as a whole because of what it carries (400, 413, 422); nothing was applied."""


class AbilitiesChanged(CallFailed):
    """The target cannot do what was planned; its abilities are known better now. Nothing was applied: plan again."""


def uncounted() -> None:
    """Count nothing: for a target of its own, without a quota that it shares with anybody."""


class Target(Protocol):
    """One tenant's one target system. Thread-safe: several calls may be out at once."""

    def abilities(self) -> Abilities:
        """Return what the target can do, as far as is known now. Never calls out."""

    def needs_probe(self) -> bool:
        """Tell whether `probe` should be called before anything is planned, because abilities must be asked for."""

    def doubt(self) -> None:
        """Have the next `probe` ask for the abilities, however lately they were asked for. Never calls out."""

    def desired(self, person: Person) -> Record | Problem:
        """Return the record that the target should hold of a person, or why none can be made."""

    def matching(self, person: Person) -> Mapping[str, str]:
        """Return the folded values by which the person's account can be recognised, by matching attribute, in order."""

    def describe(self, call: Call) -> tuple[str, str, Mapping[str, object]]:
        """Return method, path and the redacted request of a call, for the batch row that is written before it."""

    def deadline_s(self, call: Call) -> float:
        """Return the total deadline of a call, in seconds."""

    def reads_beside(self, call: Call) -> int:
        """Return how many requests a call may need beside its main one: all are reads, and are booked before it begins.

        What cannot be known before, such as the pages of a listing, is not among them.
        """

    def submit(
        self,
        call: Call,
        *,
        group_ids: Mapping[str, str],
        batch_number: int,
        deadline_s: float,
        count: Callable[[], None] = uncounted,
    ) -> Answer:
        """Make a call and return what the target said, a reply for each operation of the call.

        `count` is called before every request but the first: it counts the request, waiting while there is no room.

        `group_ids` holds the target's ids of the groups that the call names. For Step.LOOK_UP the answer's `accounts`
        are what was found (at least every account that matches one of the items; more is allowed); for a call of
        CREATE_GROUP, and a look-up with no items (which lists the groups), the answer's `group_ids` are filled.

        Raises:
            CallFailed: one of its children, when the call failed as a whole.
        """

    def probe(self) -> None:
        """Make the cheapest read that tells whether the credential and the target are well; learn abilities if needed.

        Raises:
            CallFailed: one of its children, when they are not.
        """
