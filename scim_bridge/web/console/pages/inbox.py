"""The inbox: what is no longer tried, in groups and person by person; giving up, notes, and the way to a replay."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, make_response, redirect, request

from scim_bridge.domain.catalogue import CATALOGUE, Trouble
from scim_bridge.domain.instants import to_iso
from scim_bridge.errors import UsageError
from scim_bridge.operators import discarding, existing, inbox, notes
from scim_bridge.operators.inbox import Filters
from scim_bridge.web.api.operations import Role
from scim_bridge.web.console import forms
from scim_bridge.web.console.asking import Question, counted
from scim_bridge.web.console.counter import PREFIX, Counter

PATH = f"{PREFIX}/inbox"

TICK_FIRST = "Tick somebody first. Nothing was done."


def install(blueprint: Blueprint, counter: Counter) -> None:
    """Add the inbox."""
    _install_lists(blueprint, counter)
    _install_replaying(blueprint, counter)
    _install_discarding(blueprint, counter)
    _install_noting(blueprint, counter)


def _install_lists(blueprint: Blueprint, counter: Counter) -> None:
    @blueprint.get(PATH)
    def inbox_groups() -> Response:
        """Show the dead by target and code."""
        try:
            filters = _filters(counter)
            found = inbox.groups(counter.desk.store, counter.tenant, filters)["groups"]
        except UsageError as fault:
            return make_response(counter.page("inbox.html", **_form(counter), groups=[], fault=str(fault)), 400)
        groups = [{**each, "fields": _group_fields(filters, each)} for each in found]
        operations = sum(each["operations"] for each in found)
        page = counter.page(
            "inbox.html", **_form(counter), groups=groups, fields=_fields(filters), operations=operations
        )
        return make_response(page)

    @blueprint.get(f"{PATH}/people")
    def inbox_people() -> str:
        """Show the people of a group, or of any filter, a page at a time."""
        filters = _filters(counter)
        found = inbox.items(counter.desk.store, counter.tenant, filters, after=forms.number("after"))
        return counter.page(
            "inbox_people.html",
            items=found["items"],
            next=found["next"],
            filters=filters,
            fields=_fields(filters),
            about=CATALOGUE.get(filters.code or ""),
        )

    @blueprint.get(f"{PATH}/export.csv")
    def inbox_export() -> Response:
        """Send the dead that the filter chooses as CSV."""
        pieces = inbox.as_csv(counter.desk.store, counter.tenant, _filters(counter))
        headers = {"Content-Disposition": 'attachment; filename="failed.csv"'}
        return Response(pieces, content_type="text/csv; charset=utf-8", headers=headers)


def _install_replaying(blueprint: Blueprint, counter: Counter) -> None:
    @blueprint.get(f"{PATH}/replay")
    def replay_ticked() -> Response:
        """Go on to the plan of a replay of those who are ticked."""
        counter.need(Role.OPERATOR)
        named = _named()
        if not named:
            return _back_to_people(counter, told=TICK_FIRST)
        return make_response(redirect(f"{PREFIX}/replays/plan?{urlencode({'operation': named}, doseq=True)}", 303))


def _install_discarding(blueprint: Blueprint, counter: Counter) -> None:
    @blueprint.get(f"{PATH}/discard")
    def ask_to_discard() -> Response | str:
        counter.need(Role.OPERATOR)
        filters, named = _filters(counter), _named()
        if forms.is_ticked("ticked") and not named:
            return _back_to_people(counter, told=TICK_FIRST)
        back = _people_path(filters)
        if named:
            count = len(named)
        else:
            # Who dies from now on was not asked about.
            filters = filters if filters.until is not None else replace(filters, until=counter.clock() + 1)
            groups = inbox.groups(counter.desk.store, counter.tenant, filters)["groups"]
            count = sum(each["operations"] for each in groups)
        if not count:
            return counter.go("/inbox", told="Nothing that is dead fits this any more.")
        question = _discarding(count, {} if named else {**_fields(filters), "count": count}, back)
        return counter.page("ask_about_dead.html", question=question, named=named)

    @blueprint.post(f"{PATH}/discard")
    def discard() -> Response:
        counter.need(Role.OPERATOR)
        filters, named = _filters(counter), _named()
        told = discarding.discard(
            counter.desk.store,
            counter.tenant,
            None if named else filters,
            operations=named or None,
            expected=None if named else forms.needed_number("count"),
            who=counter.who,
            reason=forms.reason(is_needed=True),
        )
        passed = f" {counted(len(told['passed']), 'was', 'were')} no longer dead." if told["passed"] else ""
        return counter.go("/inbox", told=f"{counted(told['discarded'], 'operation', 'operations')} discarded.{passed}")


def _install_noting(blueprint: Blueprint, counter: Counter) -> None:
    @blueprint.get(f"{PATH}/note")
    def ask_for_note() -> Response | str:
        counter.need(Role.OPERATOR)
        filters, named = _filters(counter), _named()
        if not named:
            return _back_to_people(counter, told=TICK_FIRST)
        question = Question(
            title=f"Add a note to {counted(len(named), 'operation', 'operations')}",
            says=("It is shown here and in the timeline of each person, with your name.",),
            does="Add the note",
            back=_people_path(filters),
            fields=_fields(filters),
        )
        return counter.page("ask_about_dead.html", question=question, named=named, most=notes.MOST_CHARACTERS)

    @blueprint.post(f"{PATH}/note")
    def note() -> Response:
        counter.need(Role.OPERATOR)
        # Before anything is written: what cannot be read is refused, and then nothing is there.
        filters, text = _filters(counter), request.form.get("text", "")
        notes.note(counter.desk.store, counter.tenant, _named(), who=counter.who, text=text)
        return counter.go(_people_path(filters), told="The note is there.")


def _discarding(count: int, fields: Mapping[str, str | int], back: str) -> Question:
    return Question(
        title=f"Discard {counted(count, 'operation', 'operations')}?",
        says=(
            "Nothing is sent for them any more, and they leave the inbox. The books keep them, with your name and why.",
            "The directory stays as it is: the next change of a person is sent as ever.",
        ),
        does="Discard",
        back=back,
        fields=fields,
        needs_reason=True,
        is_grave=True,
    )


def _back_to_people(counter: Counter, *, told: str) -> Response:
    return counter.go(_people_path(_filters(counter)), told=told)


def _people_path(filters: Filters) -> str:
    return f"/inbox/people?{urlencode(_fields(filters))}"


def _form(counter: Counter) -> dict[str, Any]:
    """Return what the form of the filters is made of."""
    return {"targets": counter.targets, "codes": sorted(CATALOGUE), "classes": sorted(Trouble)}


def _filters(counter: Counter) -> Filters:
    """Return what the request chooses.

    Raises:
        UsageError: a field cannot be read, or there is no such target.
    """
    target = forms.word("target")
    existing.check(counter.desk.store, counter.desk.settings, tenant=counter.tenant, target=target)
    return Filters(
        target=target,
        code=forms.word("code"),
        klass=forms.word("class"),
        since=forms.moment("since", counter.clock),
        until=forms.moment("until", counter.clock),
        user=forms.word("user"),
    )


def _group_fields(filters: Filters, group: Mapping[str, Any]) -> dict[str, str]:
    return _fields(replace(filters, target=group["target"], code=group["code"]))


def _fields(filters: Filters) -> dict[str, str]:
    """Return filters as the fields of an address; a time that was given as a span stays where it is."""
    times = {"since": filters.since, "until": filters.until}
    given = {"target": filters.target, "code": filters.code, "class": filters.klass, "user": filters.user}
    given |= {name: to_iso(at) for name, at in times.items() if at is not None}
    return {name: value for name, value in given.items() if value is not None}


def _named() -> list[int]:
    """Return the operations that are ticked.

    Raises:
        UsageError: one is no number.
    """
    given = (request.form if request.method == "POST" else request.args).getlist("operation")
    if not all(each.isascii() and each.isdigit() and len(each) <= forms.MOST_DIGITS for each in given):
        raise UsageError("An operation is named by its number.")
    return [int(each) for each in given]
