"""What a worker has seen of the groups of a lane's target: which are there by a listing, which could not be made.

It is kept between shifts, or a lane with few calls would list the groups again on each of them, and never get further.
Ids are in the store; that a name is *not* in the target is what only a listing tells, and what makes creating safe.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from scim_bridge.domain.instants import Millis

LISTED_FOR_MS = 600_000
"""So long a listing is believed, and four windows of the target's limits beyond."""

FIRST_RETRY_MS = 60_000
LAST_RETRY_MS = 300_000
"""A group that could not be made is tried again after a minute, and after twice as long each time, up to this."""


@dataclass(slots=True, kw_only=True)
class SeenGroups:
    """One lane's groups as one worker has seen them. All times are the worker's clock."""

    batches: int = 0
    """The lane's number of calls when this worker last left it: who made a group since was somebody else."""
    _listed: dict[str, Millis] = field(default_factory=dict)
    """When a listing last told of a name, whether the target has it or not."""
    _absent: set[str] = field(default_factory=set)
    """Names of which the last listing said that the target does not have them, and nothing else has said since.

    That the store has no id of a name does not say so: another worker may have given up an id that led nowhere.
    """
    _checked: dict[str, Millis | None] = field(default_factory=dict)
    """Groups of calls that were refused; when they were listed after that, None: not yet."""
    _failed: dict[str, tuple[Millis, int]] = field(default_factory=dict)
    """Groups that could not be listed or made: when to try again, and how often it has failed."""

    def absent(self, now: Millis, *, windows_ms: Millis) -> frozenset[str]:
        """Return the names of which a listing has told that the target does not have them."""
        oldest = now - LISTED_FOR_MS - 4 * windows_ms
        return frozenset(name for name in self._absent if self._listed.get(name, oldest) > oldest)

    def note_listed(self, names: Collection[str], now: Millis, *, found: Collection[str]) -> None:
        """Note that a listing has told about these, and which of them it has `found`."""
        self._absent.update(names)
        self._absent.difference_update(found)
        for name in names:
            self._listed[name] = now
            if name in self._checked:
                self._checked[name] = now

    def forget(self, names: Iterable[str]) -> None:
        """List these again before anything rests on them."""
        for name in names:
            self._listed.pop(name, None)
            self._absent.discard(name)

    def forget_all(self) -> None:
        """List all groups again: somebody else has made one meanwhile, and may have failed to hear that it is there."""
        self._listed.clear()
        self._absent.clear()

    def suspect(self, names: Iterable[str]) -> None:
        """Note that a call was refused, perhaps because one of these is gone."""
        for name in names:
            self._listed.pop(name, None)
            self._absent.discard(name)
            self._checked[name] = None

    def are_there(self, names: Collection[str], now: Millis, *, windows_ms: Millis, shift_began_at: Millis) -> bool:
        """Tell whether a call into these groups that is refused must have been refused for its people.

        It must when they were listed on this shift, or since an earlier refusal: asking again would tell nothing more,
        and on a lane with few calls it would go on for ever.
        """
        oldest = now - LISTED_FOR_MS - 4 * windows_ms
        return all(
            self._listed.get(name, -1) >= shift_began_at or (self._checked.get(name) or 0) > oldest for name in names
        )

    def note_failed(self, names: Iterable[str], now: Millis) -> None:
        """Note that these could not be listed or made; each time they are left alone for longer."""
        for name in names:
            times = self._failed[name][1] + 1 if name in self._failed else 0
            self._failed[name] = (now + min(LAST_RETRY_MS, FIRST_RETRY_MS << min(times, 8)), times)

    def note_made(self, names: Iterable[str]) -> None:
        """Note that these are there by now."""
        for name in names:
            self._absent.discard(name)
            self._failed.pop(name, None)

    def no_longer_absent(self, names: Iterable[str]) -> None:
        """Note that these may be there by now: they have an id, or a call goes out to make them."""
        self._absent.difference_update(names)

    def failed(self, now: Millis) -> dict[str, Millis]:
        """Return the groups that are left alone for now, each with when to try again."""
        return {name: until for name, (until, _) in self._failed.items() if until > now}
