"""Which of the dead are meant, as queries and bodies say it."""

from collections.abc import Mapping
from typing import Any

from scim_bridge.errors import UsageError
from scim_bridge.operators.inbox import Filters
from scim_bridge.operators.notes import MOST_OPERATIONS
from scim_bridge.web.api import reading
from scim_bridge.web.api.lanes import check_target
from scim_bridge.web.api.operations import CLASS, CODE, MOMENT, SINCE, TARGET, UNTIL, USER, Asked, Desk, Schema

PARAMETERS = (TARGET, CODE, CLASS, SINCE, UNTIL, USER)

KEYS: Mapping[str, Schema] = {each.name: each.schema for each in PARAMETERS}
"""The same in a body."""

NUMBERS: Schema = {
    "type": "array",
    "items": {"type": "integer", "minimum": 1, "maximum": 2**53 - 1},
    "minItems": 1,
    "maxItems": MOST_OPERATIONS,
}
"""Operations by their numbers."""

_TIMES = {each.name for each in PARAMETERS if each.schema is MOMENT}


def filters_of_query(desk: Desk, asked: Asked) -> Filters:
    """Return what the query's parameters choose.

    Raises:
        UsageError: the tenant has no such target.
    """
    check_target(desk, asked)
    return _filters(asked.query)


def filters_of_body(desk: Desk, asked: Asked) -> Filters:
    """Return what the body's keys choose.

    Raises:
        UsageError: the tenant has no such target, or a time is none.
    """
    check_target(desk, asked)
    now = desk.clock()
    times = {name: reading.read_moment(name, value, now=now) for name, value in asked.body.items() if name in _TIMES}
    return _filters({**asked.body, **times})


def check_choice(asked: Asked, *others: str) -> None:
    """Raise UsageError unless a body says in exactly one way what is meant: by filters, by one of others, or `all`."""
    ways = [
        *(name for name in others if name in asked.body),
        *(["filters"] if any(name in asked.body for name in KEYS) else []),
        *(["all"] if asked.body.get("all") else []),
    ]
    if len(ways) != 1:
        there = ", ".join(("filters such as target or code", *others))
        raise UsageError(f"Say in one way what you mean: {there}, or else all: true.")


def _filters(given: Mapping[str, Any]) -> Filters:
    return Filters(**{("klass" if name == "class" else name): given[name] for name in KEYS if name in given})
