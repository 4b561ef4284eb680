"""One call to a target: what was sent and answered, as far as it may be kept, and what became of each person in it."""

import json
from typing import Any

from flask import Blueprint

from scim_bridge.operators import batches
from scim_bridge.web.console import forms
from scim_bridge.web.console.counter import PREFIX, Counter

PATH = f"{PREFIX}/batches"

PEOPLE = 200
"""So many people are shown at once; a look-up may carry everybody there is."""


def install(blueprint: Blueprint, counter: Counter) -> None:
    """Add the page of a call."""

    @blueprint.get(f"{PATH}/{forms.NUMBER}")
    def batch(number: int) -> str:
        found = batches.show(counter.desk.store, counter.tenant, number)
        start = forms.number("after") or 0
        shown = found["people"][start : start + PEOPLE]
        return counter.page(
            "batch.html",
            batch=found,
            people=shown,
            next=start + PEOPLE if len(found["people"]) > start + PEOPLE else None,
            limits=_limits(counter, found["target"]),
            request_text=_text(found["request"]),
            answer_text=_text(found["answer"]),
        )


def _limits(counter: Counter, target: str) -> list[str]:
    """Return the limits that the target has today, in words."""
    tenant = counter.desk.settings.tenant(counter.tenant)
    found = [] if tenant is None else [limit for each in tenant.targets if each.name == target for limit in each.limits]
    return [
        f"{each.requests:,} in {each.per_s:g} s" + (f" of the class {each.class_}" if each.class_ else "")
        for each in found
    ]


def _text(kept: Any) -> str | None:
    """Return what was kept as a person reads JSON; None when nothing was, or its time is over."""
    return json.dumps(kept, indent=2, ensure_ascii=False) if kept else None
