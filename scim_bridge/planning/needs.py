"""What one person still needs from a target: the steps from what the account holds to what it should hold."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.people import Link, Person, Problem, Record, Step
from scim_bridge.domain.states import State
from scim_bridge.planning.calls import Abilities, Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What deciding needs to know of a lane, beside the person."""

    abilities: Abilities
    mapped: frozenset[str]
    """The target's attributes that the mapping fills; only these are ever changed."""
    identifying: frozenset[str] = frozenset()
    """Attributes that are never emptied, because the account is recognised by them."""
    managed_groups: Collection[str] = ()
    """Names of the target's groups that are ours to leave."""
    failed_groups: Collection[str] = ()
    """Names of groups that the target has refused to make a moment ago."""
    absent_groups: Collection[str] = ()
    """Names of groups that the target does not have: nobody is in them."""
    max_age_ms: Millis = 28 * 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """No call is needed, or none helps: the operation's end, and why."""

    state: State
    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """The calls' parts that a person still needs, in order. The first of them can go now."""

    person: Person
    items: tuple[Item, ...]
    groups: frozenset[str] = field(default_factory=frozenset)
    """Groups that must exist in the target before the first item goes."""
    leaves: frozenset[str] = field(default_factory=frozenset)
    """Groups whose ids the first item needs if they exist; if they do not, it is done."""
    joins: frozenset[str] = field(default_factory=frozenset)
    """Groups that the person can be put into with the first item, if they exist by then."""


def decide(
    person: Person, desired: Record | Problem, *, matching: Mapping[str, str], rules: Rules, now: Millis
) -> Decided | Needs:
    """Compare what a target should hold of a user with what it is known to hold, and say what is next.

    Nothing is ever decided from the change that caused the operation: only from the present directory and the link.
    """
    if now - person.received_at > rules.max_age_ms:
        return Decided(state=State.DEAD, code="too_old")
    if isinstance(desired, Problem):
        return Decided(state=State.DEAD, code=desired.code, detail=f"{desired.field}: {desired.detail}")
    link = person.link
    if link.doubt is not None:
        return Needs(person=person, items=(_item(Step.LOOK_UP, person, desired, matching),))
    if link.known is None:
        return _first_contact(person, desired, matching=matching, rules=rules)
    items = list(_differences(person, desired, link.known, matching=matching, rules=rules))
    if not items:
        return _nothing_to_do(desired, link.known)
    unsupported = next((item for item in items if rules.abilities.sizes.get(item.step, 0) < 1), None)
    if unsupported is not None:
        items = [item for item in items if rules.abilities.sizes.get(item.step, 0) >= 1]
        if not items:
            return Decided(state=State.DEAD, code="unsupported", detail=f"the target offers no {unsupported.step}")
    if link.account_id is None:
        return Needs(person=person, items=(_item(Step.LOOK_UP, person, desired, matching),))
    left = frozenset({group for group in (items[0].group,) if group and items[0].step is Step.LEAVE})
    return Needs(person=person, items=tuple(items), groups=_groups_of(items[0], rules), leaves=left)


def without_leaving(
    person: Person, desired: Record, *, matching: Mapping[str, str], rules: Rules, now: Millis
) -> Needs | None:
    """Return what a person needs who is to be deactivated and may not be yet: all but the status; None: nothing.

    Of somebody deleted, and of somebody of whom nothing could be mapped, no attribute is left that could flow.
    """
    if person.deleted or not desired.attributes:
        return None
    kept = decide(person, replace(desired, active=True), matching=matching, rules=rules, now=now)
    if not isinstance(kept, Needs):
        return None
    return replace(kept, items=tuple(replace(item, keeps_status=True) for item in kept.items))


def _first_contact(person: Person, desired: Record, *, matching: Mapping[str, str], rules: Rules) -> Needs:
    """Nothing is known of an account: somebody active is created; a leaver is looked up, never just believed absent."""
    if not desired.active:
        return Needs(person=person, items=(_item(Step.LOOK_UP, person, desired, matching),))
    item = _item(Step.CREATE, person, desired, matching)
    joins = frozenset(desired.groups - set(rules.failed_groups) if rules.abilities.together else ())
    joining = [_item(Step.JOIN, person, desired, matching, group=name) for name in sorted(joins)]
    return Needs(person=person, items=(item, *joining), groups=_groups_of(item, rules), joins=joins)


def _differences(
    person: Person, desired: Record, known: Record, *, matching: Mapping[str, str], rules: Rules
) -> list[Item]:
    if not desired.active:
        # A leaver's other attributes can wait for the day of a return; being out cannot.
        return [_item(Step.DEACTIVATE, person, desired, matching)] if known.active else []
    items: list[Item] = []
    if not known.active:
        items.append(_item(Step.REACTIVATE, person, desired, matching))
    changes = changed_attributes(desired, known, rules=rules)
    if changes:
        items.append(_item(Step.UPDATE, person, desired, matching, changes=changes))
    items += [_item(Step.JOIN, person, desired, matching, group=name) for name in sorted(desired.groups - known.groups)]
    leaving = sorted((known.groups - desired.groups) & set(rules.managed_groups) - set(rules.absent_groups))
    items += [_item(Step.LEAVE, person, desired, matching, group=name) for name in leaving]
    items += [
        _item(Step.ENROL, person, desired, matching, course=course)
        for course in sorted(desired.courses - known.courses)
    ]
    items += [
        _item(Step.ENROL, person, desired, matching, course=course, required=True)
        for course in sorted(desired.required_courses - known.required_courses)
    ]
    return items


def changed_attributes(desired: Record, known: Record, *, rules: Rules) -> dict[str, object]:
    """Return the mapped attributes that differ; None empties one that the source no longer sends."""
    changes: dict[str, object] = {}
    for name in sorted(rules.mapped):
        wanted, held = desired.attributes.get(name), known.attributes.get(name)
        if wanted != held and not (wanted is None and (name not in known.attributes or name in rules.identifying)):
            changes[name] = wanted
    return changes


def _nothing_to_do(desired: Record, known: Record) -> Decided:
    if desired.active and (known.courses - desired.courses or known.required_courses - desired.required_courses):
        return Decided(state=State.SKIPPED, code="unsupported", detail="the target offers no way out of a course")
    return Decided(state=State.UNCHANGED, code="already_so")


def _groups_of(item: Item, rules: Rules) -> frozenset[str]:
    if item.step is Step.CREATE and rules.abilities.creates_carry_groups and item.desired is not None:
        return item.desired.groups
    # Nobody needs a group to be made only to leave it.
    return frozenset({item.group} if item.group is not None and item.step is not Step.LEAVE else ())


def _item(
    step: Step,
    person: Person,
    desired: Record,
    matching: Mapping[str, str],
    *,
    changes: Mapping[str, object] | None = None,
    group: str | None = None,
    course: str | None = None,
    required: bool = False,
) -> Item:
    return Item(
        step=step,
        person=person,
        desired=desired,
        matching=matching,
        changes=changes or {},
        account_id=person.link.account_id,
        group=group,
        course=course,
        required=required,
    )


def after(item: Item, link: Link, *, rules: Rules) -> Record | None:
    """Return what the account holds once an item is done, as far as is known."""
    desired, known = item.desired, link.known
    if desired is None:
        return known
    if item.step is Step.CREATE:
        carried = rules.abilities.creates_carry_groups
        return Record(
            active=True,
            attributes=dict(desired.attributes),
            groups=desired.groups if carried else frozenset(),
            courses=desired.courses if carried else frozenset(),
            required_courses=desired.required_courses if carried else frozenset(),
        )
    if known is None:
        return None
    attributes = {k: v for k, v in {**known.attributes, **item.changes}.items() if v is not None}
    joined = {item.group} if item.step is Step.JOIN and item.group else set()
    left = {item.group} if item.step is Step.LEAVE and item.group else set()
    enrolled = {item.course} if item.step is Step.ENROL and item.course else set()
    return Record(
        active={Step.DEACTIVATE: False, Step.REACTIVATE: True}.get(item.step, known.active),
        attributes=attributes,
        groups=frozenset((known.groups | joined) - left),
        courses=known.courses | (frozenset() if item.required else frozenset(enrolled)),
        required_courses=known.required_courses | (frozenset(enrolled) if item.required else frozenset()),
    )


def without_groups(known: Record, absent: Collection[str]) -> Record:
    """Return what an account holds, without groups that the target does not have."""
    return replace(known, groups=known.groups - set(absent)) if known.groups & set(absent) else known


def with_link(person: Person, link: Link) -> Person:
    """Return the person with another link, to ask what would be needed then."""
    return replace(person, link=link)
