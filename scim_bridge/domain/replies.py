"""What a target said of one person, what it said as a whole, and what became of an operation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from scim_bridge.domain.people import Account, Doubt, Record
from scim_bridge.domain.states import State


class Verdict(StrEnum):
    """What a target said of one person of a call."""

    DONE = "done"
    CONFLICT = "conflict"
    REFUSED = "refused"
    GONE = "gone"
    UNKNOWN = "unknown"
    RETRY = "retry"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the target said of one person. `detail` is the target's text, stripped of personal data."""

    verdict: Verdict
    code: str = "ok"
    detail: str = ""
    account_id: str | None = None
    known: Record | None = None
    """What the account holds after the call, where the answer tells more than what was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one call brought: a reply for each person by operation id, and the accounts and groups that it showed.

    `replies` lacks nobody: who is not accounted for has `Verdict.UNKNOWN`. `complete` tells whether `accounts` is
    everything that the look-up asked for, so that an absent account is proof of absence.
    """

    replies: Mapping[int, Reply]
    accounts: tuple[Account, ...] = ()
    complete: bool = True
    group_ids: Mapping[str, str] = field(default_factory=dict)
    """Group ids in the target by display name, as far as the call showed them."""
    status: int = 200
    redacted: Mapping[str, object] = field(default_factory=dict)
    """What may be kept of the answer (allow-list, no personal data)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one operation: its next state, why, and what is known of the account afterwards."""

    operation_id: int
    resource_id: int
    state: State
    code: str
    detail: str = ""
    attempts: int = 0
    due_at: int | None = None
    cap: int | None = None
    link_changes: Mapping[str, object] | None = None
    """account_id, known (Record or None), matching, doubt: only the keys that change."""


__all__ = ["Account", "Answer", "Doubt", "Outcome", "Reply", "Verdict"]
