"""The audit: who decided what and when, and whether the chain of entries is as it was written."""

import json
from typing import Any

from flask import Blueprint, Response, make_response

from scim_bridge.errors import UsageError
from scim_bridge.operators import audit
from scim_bridge.web.api.operations import Role
from scim_bridge.web.api.records import prove_alone
from scim_bridge.web.console import forms
from scim_bridge.web.console.counter import PREFIX, Counter

PATH = f"{PREFIX}/audit"

_FILTERS = ("who", "what", "since", "until")


def install(blueprint: Blueprint, counter: Counter) -> None:
    """Add the pages of the audit."""

    @blueprint.get(PATH)
    def audit_entries() -> Response:
        given = {name: forms.word(name) for name in _FILTERS}
        try:
            found, fault = _found(counter), ""
        except UsageError as error:
            found, fault = {"items": [], "next": None}, str(error)
        rows = [{**each, "parts": _parts(each["before"], each["after"])} for each in found["items"]]
        page = counter.page("audit.html", rows=rows, next=found["next"], given=given, fault=fault)
        return make_response(page, 400 if fault else 200)

    @blueprint.get(f"{PATH}/chain")
    def audit_chain() -> str:
        # It reads every entry of every tenant, so it is not done for each look at the list.
        counter.need(Role.ADMIN)
        expect = forms.word("expect")
        with prove_alone(counter.desk):
            proof = audit.verify_for_token(counter.desk.store, expect=expect)
        return counter.page("audit_chain.html", proof=proof, expect=expect)


def _found(counter: Counter) -> dict[str, Any]:
    desk = counter.desk
    return audit.list_entries(
        desk.store,
        desk.settings,
        tenant=counter.tenant,
        who=forms.word("who"),
        what=forms.word("what"),
        since=forms.moment("since", counter.clock),
        until=forms.moment("until", counter.clock),
        after=forms.after(),
    )


def _parts(before: Any, after: Any) -> list[tuple[str, str, str]]:
    """Return what an entry says, name by name, each before and after."""
    if not isinstance(after, dict):
        return [("says", "", _in_words(after))]
    earlier = before if isinstance(before, dict) else {}
    return [(name, _in_words(earlier.get(name)), _in_words(after.get(name))) for name in {**earlier, **after}]


def _in_words(value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, dict):
        value = {name: each for name, each in value.items() if each is not None}
    return json.dumps(value, ensure_ascii=False)
