"""What a target shows of all its accounts, in as few calls as it takes, and within a budget where one is given.

Reading is done beside delivery, which has the lane meanwhile: nobody who leaves waits for a long listing. Its calls are
counted like all others, and leave room for theirs.
"""

import threading
from collections.abc import Sequence

from scim_bridge.domain.people import Account, Person, Step
from scim_bridge.planning.calls import Call, Item
from workers import visits
from workers.delivery import settle, submitting
from workers.delivery.post import Post
from workers.targets import port
from workers.visits import CannotReconcile

ATTEMPTS = 4
"""So often a target is asked in another way, after it has turned out that it cannot be asked as was believed."""


def accounts_of(
    post: Post, people: Sequence[Person], *, max_calls: int | None = None, lost: threading.Event
) -> tuple[Account, ...]:
    """Return the accounts that the target has: all of them where it lists them, at least those of these people.

    Raises:
        CannotReconcile: it did not show them, or would take more calls than `max_calls`; then none was made. Or `lost`
            was set: somebody else lists them.
    """
    change: port.CallFailed | None = None
    for _ in range(ATTEMPTS):
        try:
            return _listed(post, people, max_calls=max_calls, lost=lost)
        except port.AbilitiesChanged as error:
            change = error
    raise CannotReconcile(_not_shown(change))


def calls_needed(post: Post, people: int) -> int:
    """Return how many calls show the accounts of so many people, as far as that can be known before."""
    abilities = post.target.abilities()
    size = abilities.listing or abilities.sizes.get(Step.LOOK_UP, 1)
    return -(-max(1, people) // max(1, size))


def _listed(
    post: Post, people: Sequence[Person], *, max_calls: int | None, lost: threading.Event
) -> tuple[Account, ...]:
    needed = calls_needed(post, len(people))
    if max_calls is not None and needed > max_calls:
        raise CannotReconcile(
            f"To list the accounts of {len(people)} people takes {needed} calls, and {max_calls} were allowed: "
            f"nothing was asked."
        )
    if post.target.abilities().listing:
        return _look_up(post, people, everybody=True, max_calls=max_calls, lost=lost)
    size = max(1, post.target.abilities().sizes.get(Step.LOOK_UP, 1))
    found: dict[str, Account] = {}
    for start in range(0, max(1, len(people)), size):
        part = _look_up(post, people[start : start + size], lost=lost)
        found.update({account.account_id: account for account in part})
    return tuple(found.values())


def _look_up(
    post: Post,
    people: Sequence[Person],
    *,
    lost: threading.Event,
    everybody: bool = False,
    max_calls: int | None = None,
) -> tuple[Account, ...]:
    items = tuple(Item(step=Step.LOOK_UP, person=p, matching=post.target.matching(p)) for p in people)
    call = Call(step=Step.LOOK_UP, items=items, full=True, everybody=everybody)
    waited_s = 0.0
    _require_held(lost)
    while isinstance(opened := submitting.open_call(post, call, holds_operations=False, needs_lease=False), int):
        waited_s = visits.wait_for_room(post, until=opened, waited_s=waited_s)
        _require_held(lost)
    if max_calls is not None:
        opened.counter.allow(max_calls)
    ended = submitting.make_call(post, opened, {})
    settle.close_only(post, ended)
    if isinstance(ended.failure, port.AbilitiesChanged):
        raise ended.failure
    if ended.answer is None or not ended.answer.complete:
        raise CannotReconcile(_not_shown(ended.failure))
    return ended.answer.accounts


def _require_held(lost: threading.Event) -> None:
    if lost.is_set():
        raise CannotReconcile("Another worker has taken this up meanwhile; nothing more was asked.")


def _not_shown(failure: port.CallFailed | None) -> str:
    return f"The target did not show its accounts ({failure or 'incomplete answer'})."
