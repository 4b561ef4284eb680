"""People and items as tests need them."""

from typing import Any

from scim_bridge.domain.people import Link, Person, Record, Step
from scim_bridge.planning.calls import Call, Item
from workers.targets.port import Target


def person(number: int, *, user_name: str | None = None, groups: tuple[str, ...] = (), **document: Any) -> Person:
    """Return somebody of the directory; `number` is their operation and their resource."""
    name = user_name or f"user{number}@example.com"
    return Person(
        operation_id=number,
        resource_id=number,
        scim_id=f"id-{number}",
        kind="User",
        document={
            "userName": name,
            "externalId": f"E{number}",
            "name": {"givenName": "Ann", "familyName": f"Doe{number}"},
            "emails": [{"value": name, "type": "work", "primary": True}],
            "active": True,
            **document,
        },
        groups=groups,
        link=Link(),
    )


def item(target: Target, step: Step, who: Person, **parts: Any) -> Item:
    """Return one person's part of a call, as planning would make it."""
    desired = target.desired(who)
    return Item(
        step=step,
        person=who,
        desired=desired if isinstance(desired, Record) else None,
        matching=target.matching(who),
        **parts,
    )


def call(target: Target, *items: Item) -> Call:
    """Return the call that planning would make of items that go together."""
    abilities = target.abilities()
    step: Step | None = items[0].step
    if abilities.mixed and step in abilities.mixable:
        step = None
    desired = items[0].desired
    carries = step is Step.CREATE and abilities.creates_carry_groups and desired is not None
    course = items[0].course
    return Call(
        step=step,
        items=items,
        groups=tuple(sorted(desired.groups))
        if carries and desired
        else tuple(sorted({i.group for i in items if i.group})),
        courses=tuple(sorted(desired.courses)) if carries and desired else ((course,) if course else ()),
        required_courses=tuple(sorted(desired.required_courses)) if carries and desired else (),
    )
