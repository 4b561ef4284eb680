"""Replays: what is planned, approved, running and over; making a plan, and deciding about it."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, make_response, request

from scim_bridge.domain.catalogue import CATALOGUE, Trouble
from scim_bridge.domain.instants import to_iso
from scim_bridge.errors import UsageError
from scim_bridge.operators import replay_plans
from scim_bridge.web.api.operations import Role
from scim_bridge.web.console import forms, shown
from scim_bridge.web.console.asking import Question, counted, people
from scim_bridge.web.console.counter import PREFIX, Counter

PATH = f"{PREFIX}/replays"

DOES = {
    "create": "makes an account",
    "update": "changes the account",
    "reactivate": "opens the account again",
    "deactivate": "closes the account",
    "look_up": "looks the account up first",
    "nothing": "nothing differs",
    "refused": "would be refused again",
    "out_of_scope": "is not in the target's scope",
    "group": "brings the group up to date",
    "dry_run": "is only recorded: the target is in dry-run",
    "not_configured": "waits: the target is not configured",
}
"""What a replay does first with somebody, in words."""

_FILTERS = ("target", "code", "class", "since", "until", "user", "policy")


def install(blueprint: Blueprint, counter: Counter) -> None:
    """Add the pages of replays."""
    _install_lists(blueprint, counter)
    _install_planning(blueprint, counter)
    _install_deciding(blueprint, counter)


def _install_lists(blueprint: Blueprint, counter: Counter) -> None:
    @blueprint.get(PATH)
    def replays() -> str:
        found = replay_plans.list_plans(counter.desk.store, tenant=counter.tenant, after=forms.after())
        rows = [{**each, "what": chosen_in_words(each["filter"])} for each in found["items"]]
        return counter.page("replays.html", rows=rows, next=found["next"])

    @blueprint.get(f"{PATH}/{forms.NUMBER}")
    def replay(number: int) -> str:
        return _shown(counter, number)

    @blueprint.get(f"{PATH}/{forms.NUMBER}/standing")
    def replay_standing(number: int) -> str:
        return counter.page("replay_standing.html", **_standing(counter, number))


def _install_planning(blueprint: Blueprint, counter: Counter) -> None:
    @blueprint.get(f"{PATH}/plan")
    def replay_form() -> str:
        counter.need(Role.OPERATOR)
        return _form(counter, {name: forms.word(name) for name in _FILTERS}, request.args.getlist("operation"))

    @blueprint.post(f"{PATH}/plan")
    def plan_replay() -> Response:
        counter.need(Role.OPERATOR)
        named = request.form.getlist("operation")
        try:
            asked = {name: forms.word(name) for name in _FILTERS}
            made = _planned(counter, asked, named)
        except UsageError as fault:
            given = {name: request.form.get(name) for name in _FILTERS}
            return make_response(_form(counter, given, named, fault=str(fault)), 400)
        if made["replay"] is None:
            nothing = f"Nothing that is dead fits this. {not_dead_in_words(made['not_dead'])}".strip()
            return make_response(_form(counter, asked, named, fault=nothing), 409)
        told = f"Planned. Nothing is replayed yet. {not_dead_in_words(made['not_dead'])}".strip()
        return counter.go(f"/replays/{made['replay']}", told=told)


def _install_deciding(blueprint: Blueprint, counter: Counter) -> None:
    @blueprint.get(f"{PATH}/{forms.NUMBER}/approve")
    def ask_to_approve_replay(number: int) -> str:
        counter.need(Role.OPERATOR)
        found = _status(counter, number)
        if found["status"] == "planned":
            replay_plans.check_figures(number, found["figures"])
        return counter.page("ask.html", question=_approval(found))

    @blueprint.post(f"{PATH}/{forms.NUMBER}/approve")
    def approve_replay(number: int) -> Response:
        counter.need(Role.OPERATOR)
        try:
            desk = counter.desk
            replay_plans.approve(desk.store, desk.settings, tenant=counter.tenant, number=number, who=counter.who)
        except replay_plans.StalePlan as stale:
            return make_response(_shown(counter, number, difference=stale.difference), 409)
        return counter.go(f"/replays/{number}", told="Approved. It begins within seconds.")

    @blueprint.get(f"{PATH}/{forms.NUMBER}/cancel")
    def ask_to_cancel_replay(number: int) -> str:
        counter.need(Role.OPERATOR)
        return counter.page("ask.html", question=_cancellation(_status(counter, number)))

    @blueprint.post(f"{PATH}/{forms.NUMBER}/cancel")
    def cancel_replay(number: int) -> Response:
        counter.need(Role.OPERATOR)
        ended = replay_plans.cancel(counter.desk.store, tenant=counter.tenant, number=number, who=counter.who)
        put_back = counted(ended["put_back"], "operation was", "operations were")
        return counter.go(f"/replays/{number}", told=f"Cancelled. {put_back} put back before; the rest stays dead.")


def _planned(counter: Counter, asked: Mapping[str, str | None], named: Sequence[str]) -> dict[str, Any]:
    if not all(each.isascii() and each.isdigit() and len(each) <= forms.MOST_DIGITS for each in named):
        raise UsageError("An operation is named by its number.")
    return replay_plans.plan(
        counter.desk.store,
        counter.desk.settings,
        tenant=counter.tenant,
        who=counter.who,
        target=asked["target"],
        code=asked["code"],
        klass=asked["class"],
        since=forms.moment("since", counter.clock),
        until=forms.moment("until", counter.clock),
        user=asked["user"],
        operations=[int(each) for each in named] or None,
        policy=asked["policy"],
    )


def _form(counter: Counter, asked: Mapping[str, str | None], named: Sequence[str], *, fault: str = "") -> str:
    return counter.page(
        "replay_plan.html",
        asked=asked,
        named=named,
        fault=fault,
        targets=counter.targets,
        codes=sorted(CATALOGUE),
        classes=sorted(Trouble),
        policies=replay_plans.POLICIES,
    )


def _status(counter: Counter, number: int) -> dict[str, Any]:
    desk = counter.desk
    return replay_plans.status(desk.store, desk.settings, tenant=counter.tenant, number=number)


def _standing(counter: Counter, number: int) -> dict[str, Any]:
    """Return what the part of a replay's page that moves is about."""
    found = _status(counter, number)
    whole = sum(found["progress"].values())
    return {
        "replay": found,
        "what": chosen_in_words(found["filter"]),
        "whole": whole,
        "behind": whole - found["progress"]["planned"],
        "is_live": found["status"] == "running" or found["waiting"] > 0,
        "again": _again(found),
    }


def _again(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the form of the same plan says; None where it cannot say it.

    Who was chosen by hand is not kept, and a time that no calendar has cannot be written.
    """
    asked = found["filter"]
    if asked.get("by_user") or asked.get("operations"):
        return None
    fields = {name: value for name, value in asked.items() if name in _FILTERS}
    try:
        fields |= {name: to_iso(fields[name]) for name in ("since", "until") if fields.get(name)}
    except OverflowError:
        return None
    return {**fields, "policy": found["policy"]}


def _shown(counter: Counter, number: int, *, difference: Mapping[str, Any] | None = None) -> str:
    desk = counter.desk
    standing = _standing(counter, number)
    found = replay_plans.preview(
        desk.store, desk.settings, tenant=counter.tenant, number=number, after=forms.after() or 0
    )
    rows = [{**each, "parts": parts_of(each), "words": DOES.get(each["does"], each["does"])} for each in found["items"]]
    return counter.page("replay.html", **standing, rows=rows, next=found["next"], difference=difference)


def _approval(found: Mapping[str, Any]) -> Question:
    figures = found["figures"] or {}
    eta = shown.age(found["eta_s"]) if found["eta_s"] is not None else "until nobody knows when: a lane stands still"
    dead = counted(figures.get("operations", 0), "dead operation is", "dead operations are")
    says = [
        f"{dead} put back. What is sent is what the directory says then.",
        f"It takes at least {counted(figures.get('calls', 0), 'call', 'calls')}, about {eta}.",
    ]
    if figures.get("held"):
        says.append(f"The guard would hold {people(figures['held'])}: they wait for a decision under Holds.")
    elif figures.get("deactivations"):
        says.append(f"{people(figures['deactivations'])} lose access.")
    return Question(
        title=f"Replay {people(figures.get('people', 0))}?",
        says=tuple(says),
        does="Approve",
        back=f"/replays/{found['replay']}",
    )


def _cancellation(found: Mapping[str, Any]) -> Question:
    rest = counted(found["progress"]["planned"], "operation stays", "operations stay")
    is_running = found["status"] == "running"
    return Question(
        title=f"Cancel replay {found['replay']}?",
        says=(
            f"The {rest} dead and can be planned again." if is_running else "The plan is thrown away. Nothing is sent.",
            *(("Whoever was put back already is delivered.",) if is_running else ()),
        ),
        does="Cancel the replay",
        back=f"/replays/{found['replay']}",
        is_grave=True,
    )


def chosen_in_words(asked: Mapping[str, Any]) -> str:
    """Return which of the dead a replay is about."""
    words = [f"{name} {asked[name]}" for name in ("target", "code", "class") if asked.get(name)]
    words += [f"{name} {shown.moment(asked[name])}" for name in ("since", "until") if asked.get(name)]
    words += ["one person"] if asked.get("by_user") else []
    words += [f"{counted(asked['operations'], 'operation', 'operations')} by number"] if asked.get("operations") else []
    return ", ".join(words) or "everything that is dead"


def not_dead_in_words(states: Mapping[str, int]) -> str:
    """Return what became of the operations that were named and are not dead; nothing where all are."""
    words = [f"{count:,} {state.replace('_', ' ')}" for state, count in states.items()]
    return f"Left alone, because no longer dead: {', '.join(words)}." if words else ""


def parts_of(item: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return the parts of an account that a replay changes, each before and after."""
    before, after = item["before"], item["after"]
    if after is None:
        return []
    names = item["changes"]
    if before is None:
        names = ["status", *sorted(after["attributes"]), *(name for name in ("groups", "courses") if after[name])]
    return [(name, _part(before, name), _part(after, name)) for name in names]


def _part(record: Mapping[str, Any] | None, name: str) -> str:
    if record is None:
        return shown.NONE
    if name == "status":
        return "active" if record["active"] else "inactive"
    value = record[name] if name in {"groups", "courses"} else record["attributes"].get(name)
    return (", ".join(value) if isinstance(value, list) else str(value or "")) or shown.NONE
