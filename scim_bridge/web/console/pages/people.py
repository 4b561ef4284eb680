"""People: finding one by whatever is known of them, and all that happened to them."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, make_response

from scim_bridge.operators import timeline
from scim_bridge.web.console import forms
from scim_bridge.web.console.counter import PREFIX, Counter

PATH = f"{PREFIX}/people"

CHANGES = 50
"""So many changes are shown at first, and so many more each time that more are asked for."""

MOST_CHANGES = 5_000


def install(blueprint: Blueprint, counter: Counter) -> None:
    """Add the search for people and the page of one."""

    @blueprint.get(PATH)
    def people() -> Response:
        who = forms.word("who")
        found = [] if who is None else _found(counter, who)
        page = counter.page("people.html", who=who, people=found)
        return make_response(page, 404 if who is not None and not found else 200)

    @blueprint.get(f"{PATH}/<who>")
    def person(who: str) -> Response:
        found = [each for each in _found(counter, who) if each["id"] == who]
        page = counter.page("people.html", who=who, people=found)
        return make_response(page, 200 if found else 404)


def _found(counter: Counter, who: str) -> list[dict[str, Any]]:
    settings = counter.desk.settings
    owns = {each.id: {source.name: source.owns for source in each.sources} for each in settings.tenants}
    told = timeline.show(counter.desk.store, who, counter.tenant, owns=owns, settings=settings)
    shown = min(forms.number("changes") or CHANGES, MOST_CHANGES)
    return [_person(each, shown=shown) for each in told["people"]]


def _person(person: Mapping[str, Any], *, shown: int) -> dict[str, Any]:
    """Return a person with the newest changes in front, and of the calls what these name."""
    changes = person["changes"][::-1]
    rest = max(0, len(changes) - shown)
    return {
        **person,
        "changes": [_change(each) for each in changes[:shown]],
        "changes_in_all": len(changes),
        "more": shown + min(rest, CHANGES) if rest and shown < MOST_CHANGES else None,
        "calls": {each["batch"]: each for each in person["batches"]},
        "targets": _targets(person),
    }


def _change(change: Mapping[str, Any]) -> dict[str, Any]:
    request = change["request"]
    return {
        **change,
        "fields": [str(each) for each in request.get("attributes", ())],
        "request_text": json.dumps(request, indent=2, ensure_ascii=False),
    }


def _targets(person: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return for each target what it was last known to hold of a person, beside what it should hold today."""
    links = {each["target"]: each for each in person["links"]}
    mapped = {each["target"]: each for each in person["mapped"]}
    holds = {each["target"]: each for each in person["holds"]}
    return [
        {
            "target": name,
            "link": links.get(name),
            "mapped": mapped.get(name),
            "hold": holds.get(name),
            "parts": _parts((links.get(name) or {}).get("known"), mapped.get(name)),
        }
        for name in sorted({*links, *mapped})
    ]


def _parts(known: Mapping[str, Any] | None, mapped: Mapping[str, Any] | None) -> list[tuple[str, str, str, bool]]:
    """Return the parts of an account: their name, what the target holds, what it should hold, whether these differ."""
    held, wanted = _flat(known), _flat(None if mapped is None or mapped["refused"] is not None else mapped)
    names = list(dict.fromkeys([*wanted, *held]))
    return [
        (name, held.get(name, ""), wanted.get(name, ""), bool(held and wanted) and held.get(name) != wanted.get(name))
        for name in names
    ]


def _flat(record: Mapping[str, Any] | None) -> dict[str, str]:
    if record is None:
        return {}
    lists = {name.replace("_", " "): record[name] for name in ("groups", "courses", "required_courses") if record[name]}
    return {
        "status": "active" if record["active"] else "inactive",
        **{name: _text(value) for name, value in record["attributes"].items() if value is not None},
        **{name: ", ".join(sorted(map(str, values))) for name, values in lists.items()},
    }


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
