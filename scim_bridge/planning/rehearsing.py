"""The calls that a dry run records: planned as if every group were there, for nobody can be asked. Pure."""

from collections.abc import Sequence

from scim_bridge.domain.people import Person, Step
from scim_bridge.planning import batching
from scim_bridge.planning.calls import Abilities, Call, Item
from scim_bridge.planning.needs import Needs


def plan(wanted: Sequence[Needs], groups_wanted: Sequence[tuple[Person, str]], *, abilities: Abilities) -> list[Call]:
    """Return the calls that people need next, and one for each of the directory's groups that is not known yet."""
    groups = {name for need in wanted for name in need.groups | need.joins | need.leaves}
    making = [
        Call(
            step=Step.CREATE_GROUP,
            groups=(name,),
            full=True,
            items=(Item(step=Step.CREATE_GROUP, person=person, group=name),),
        )
        for person, name in groups_wanted
    ]
    return making + batching.plan_calls(wanted, abilities=abilities, known_groups=groups, absent_groups=())
