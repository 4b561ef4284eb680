"""The fewest calls for what people need, in the order in which they should go. Pure."""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from scim_bridge.domain.people import Person, Priority, Step
from scim_bridge.planning import packing
from scim_bridge.planning.calls import Abilities, Call, Item
from scim_bridge.planning.needs import Needs

K = TypeVar("K", bound=Hashable)


def plan_calls(
    needs: Sequence[Needs],
    *,
    abilities: Abilities,
    known_groups: Collection[str],
    absent_groups: Collection[str],
    look_up_first: bool = False,
    groups_wanted: Sequence[tuple[Person, str]] = (),
) -> list[Call]:
    """Return the calls to make, most pressing first; each carries as many people as the target takes.

    Leavers come first, then groups that somebody waits for, then creates (full batches of one set of groups and
    courses), then everything that wants an id. Ids are learned by one look-up for all, after the creates, unless a
    leaver needs one or `look_up_first` says that somebody has waited long enough. `groups_wanted` are the directory's
    own groups whose operations are due, with their names in the target.
    """
    first = [(need, need.items[0]) for need in needs]
    missing = {name for need in needs for name in need.groups | need.joins} | {name for _, name in groups_wanted}
    missing -= set(known_groups)
    left = {name for need in needs for name in need.leaves} - set(known_groups)
    ready = [item for need, item in first if not need.groups & missing and not need.leaves & left]
    parts = {need.person.operation_id: _together(need, abilities, known_groups) for need in needs}
    look_ups = [item for item in ready if item.step is Step.LOOK_UP]
    urgent = [item for item in ready if item.person.priority == Priority.LEAVER]
    calls: list[Call] = _in_calls([item for item in urgent if item.step is not Step.LOOK_UP], parts, abilities)
    look_up = _look_up_call(look_ups, abilities)
    look_up_early = look_up_first or any(item.person.priority == Priority.LEAVER for item in look_ups)
    if look_up_early:
        calls += look_up
    calls += _group_calls(missing, left, groups_wanted, abilities=abilities, absent=absent_groups)
    rest = [item for item in ready if item.step is not Step.LOOK_UP and item.person.priority != Priority.LEAVER]
    calls += _in_calls([item for item in rest if item.step is Step.CREATE or abilities.mixed], parts, abilities)
    calls += [] if look_up_early else look_up
    calls += _in_calls(
        [item for item in rest if item.step is not Step.CREATE and not abilities.mixed], parts, abilities
    )
    return calls


def _look_up_call(items: Sequence[Item], abilities: Abilities) -> list[Call]:
    size = abilities.sizes.get(Step.LOOK_UP, 0)
    if not items or size < 1:
        return []
    # Those of a look-up that was refused are asked for in smaller company, like the people of a refused batch.
    cap = items[0].person.cap
    together = [item for item in items if item.person.cap == cap]
    chunk = tuple(together[: _capped(size, cap)])
    urgent = any(item.person.priority == Priority.LEAVER for item in chunk)
    return [Call(step=Step.LOOK_UP, items=chunk, full=True, urgent=urgent)]


def _group_calls(
    missing: Collection[str],
    left: Collection[str],
    wanted: Sequence[tuple[Person, str]],
    *,
    abilities: Abilities,
    absent: Collection[str],
) -> list[Call]:
    """List the target's groups once before any is made: creating one is not idempotent, and it may be there.

    Only what a listing has told to be absent is made. What was there and has lost its id since is listed again.
    Those that somebody only leaves (`left`) are listed, and never made.
    """
    unknown = sorted({*missing, *left} - set(absent))
    if unknown:
        asked = tuple(unknown[: max(1, abilities.sizes.get(Step.LOOK_UP, 1))])
        return [Call(step=Step.LOOK_UP, items=(), groups=asked, full=True)]
    people = {name: person for person, name in wanted}
    return [
        Call(
            step=Step.CREATE_GROUP,
            groups=(name,),
            full=True,
            items=(Item(step=Step.CREATE_GROUP, person=people[name], group=name),) if name in people else (),
        )
        for name in sorted(missing)
    ]


def _together(need: Needs, abilities: Abilities, known_groups: Collection[str]) -> tuple[Item, ...]:
    """Return what of a person's needs goes in the next call: the first, and with it what the target takes at once.

    Who is to stand alone (isolation) gets one part at a time, so that a refusal says what is refused.
    """
    first, *others = need.items
    if not abilities.together or first.step not in abilities.mixable or need.person.cap == 1:
        return (first,)
    return (
        first,
        *(
            item
            for item in others
            if item.step in abilities.mixable and (item.group is None or item.group in known_groups)
        ),
    )


def _in_calls(items: Iterable[Item], parts: Mapping[int, tuple[Item, ...]], abilities: Abilities) -> list[Call]:
    """Group items that may share a call, oldest first, and cut the groups to the sizes that the target takes."""
    items = list(items)
    calls: list[Call] = []
    mixable = [item for item in items if abilities.mixed and item.step in abilities.mixable]
    single = [item for item in items if not (abilities.mixed and item.step in abilities.mixable)]
    for mixed_cap, together in _grouped(mixable, lambda item: item.person.cap):
        packed = packing.pack(
            (parts[item.person.operation_id] for item in together), abilities=abilities, cap=mixed_cap
        )
        calls += [_call(None, each.items, full=each.is_full) for each in packed]
    for (step, cap, _shared), together in _grouped(single, _shared_call):
        size = _capped(abilities.sizes.get(step, 1), cap)
        calls += [_call(step, chunk, full=len(chunk) >= size) for chunk in _chunks(together, size)]
    return calls


def _shared_call(item: Item) -> tuple[Step, int | None, Hashable]:
    """Return what items of one call have in common: a create's places, a membership's group, a course."""
    if item.step is Step.CREATE and item.desired is not None:
        desired = item.desired
        return item.step, item.person.cap, (desired.groups, desired.courses, desired.required_courses)
    return item.step, item.person.cap, (item.group, item.course, item.required)


def _grouped(items: Iterable[Item], key: Callable[[Item], K]) -> list[tuple[K, list[Item]]]:
    groups: dict[K, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.items())


def _chunks(items: Sequence[Item], size: int) -> Iterable[tuple[Item, ...]]:
    return (tuple(items[start : start + size]) for start in range(0, len(items), size))


def _capped(size: int, cap: int | None) -> int:
    return max(1, size if cap is None else min(size, cap))


def _call(step: Step | None, items: tuple[Item, ...], *, full: bool) -> Call:
    urgent = any(item.person.priority == Priority.LEAVER for item in items)
    if step is Step.CREATE and items[0].desired is not None:
        desired = items[0].desired
        return Call(
            step=step,
            items=items,
            groups=tuple(sorted(desired.groups)),
            courses=tuple(sorted(desired.courses)),
            required_courses=tuple(sorted(desired.required_courses)),
            full=full,
            urgent=urgent,
        )
    course = items[0].course
    return Call(
        step=step,
        items=items,
        groups=tuple(sorted({item.group for item in items if item.group})),
        courses=(course,) if course and not items[0].required else (),
        required_courses=(course,) if course and items[0].required else (),
        full=full,
        urgent=urgent,
    )
