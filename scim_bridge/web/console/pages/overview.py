"""The overview: where every lane stands and how much of its limits it uses; stopping one, and setting it going."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from scim_bridge.errors import NotThere
from scim_bridge.operators import alive, calls, pausing, status
from scim_bridge.web.api.operations import Role
from scim_bridge.web.console import forms
from scim_bridge.web.console.asking import Question, counted, people
from scim_bridge.web.console.charts import chart_of
from scim_bridge.web.console.counter import PREFIX, Counter

LANE = f"{PREFIX}/lanes/<target>"

TOTALS = ("pending", "held", "dead", "calls")

_SAYS = {
    "paused": "Stopped by a person. Nothing is sent until somebody resumes it.",
    "dry-run": "Nothing is sent. What would be is recorded, each call as a batch.",
    "quarantined": "The target refuses the credential or the company. It is tried again from time to time.",
    "breaker": "Calls failed in a row. One call at a time tries whether the target is back.",
    "unreachable": "The target does not answer. It is tried again later.",
    "quota": "Waits until the target's limits let the next call through.",
    "working": "A worker is at it.",
    "idle": "Nothing is due.",
}
"""What a state of a lane means."""

_STOPPED = frozenset({"paused", "quarantined"})
"""States of which somebody wants to know since when, and by whom."""


def install(blueprint: Blueprint, counter: Counter) -> None:
    """Add the overview and the questions before a lane is stopped or set going."""

    @blueprint.get(f"{PREFIX}/")
    def overview() -> str:
        desk = counter.desk
        lanes = status.report(desk.store, desk.settings, tenant=counter.tenant)["lanes"]
        called = calls.report(desk.store, desk.settings, tenant=counter.tenant)["lanes"]
        charts = {each["target"]: each for each in called}
        tenant = desk.settings.tenant(counter.tenant)
        rehearsed = {each.name for each in (() if tenant is None else tenant.targets) if each.mode == "dry-run"}
        return counter.page(
            "overview.html",
            lanes=[_shown(each, charts.get(each["target"])) for each in lanes],
            stopped=_stopped(counter) if any(each["state"] in _STOPPED for each in lanes) else {},
            rehearsed=rehearsed,
            totals={name: sum(each[name] for each in lanes) for name in TOTALS},
            warnings=alive.warnings(alive.report(desk.queue_url, now=counter.clock())),
            is_live=request.args.get("live") != "no",
        )

    @blueprint.get(f"{LANE}/pause")
    def ask_to_pause(target: str) -> str:
        counter.need(Role.OPERATOR)
        return counter.page("ask.html", question=_pausing(_lane(counter, target)))

    @blueprint.post(f"{LANE}/pause")
    def pause(target: str) -> Response:
        counter.need(Role.OPERATOR)
        reason = forms.reason(is_needed=True)
        pausing.pause(counter.desk.store, tenant=counter.tenant, target=target, who=counter.who, reason=reason)
        return counter.go("/", told=f"{target} is paused. Everything owed to it waits.")

    @blueprint.get(f"{LANE}/resume")
    def ask_to_resume(target: str) -> str:
        counter.need(Role.OPERATOR)
        return counter.page("ask.html", question=_resuming(_lane(counter, target)))

    @blueprint.post(f"{LANE}/resume")
    def resume(target: str) -> Response:
        counter.need(Role.OPERATOR)
        desk, reason = counter.desk, forms.reason()
        told = pausing.resume(
            desk.store, desk.dispatcher, tenant=counter.tenant, target=target, who=counter.who, reason=reason
        )
        return counter.go("/", told=_resumed(target, told))


def _shown(lane: Mapping[str, Any], called: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a lane's figures with its chart and what one may do about it."""
    others = called["limits"][1:] if called is not None else []
    return {
        **lane,
        "says": _SAYS.get(lane["state"], ""),
        "chart": None if called is None else chart_of(called),
        "other_limits": others,
        # A lane may be both; who resumes a quarantined one has its credential tried at once.
        "can_resume": lane["state"] in _STOPPED,
    }


def _stopped(counter: Counter) -> dict[str, dict[str, Any]]:
    """Return since when lanes are stopped, and by whom, by target."""
    desk = counter.desk
    told = pausing.report(desk.store, desk.settings, tenant=counter.tenant)
    return {each["target"]: each for each in told if each["since"] is not None}


def _lane(counter: Counter, target: str) -> dict[str, Any]:
    desk = counter.desk
    found = status.report(desk.store, desk.settings, tenant=counter.tenant, target=target)["lanes"]
    if not found:
        raise NotThere(f"There is no lane to {target}.")
    return dict(found[0])


def _pausing(lane: Mapping[str, Any]) -> Question:
    waiting = f"What is owed waits: {people(lane['pending'])} now, and whoever comes."
    return Question(
        title=f"Pause {lane['target']}?",
        says=(
            f"No call goes to {lane['target']} any more; a call that is out is still settled. {waiting}",
            "Leavers wait too: their accounts stay open until somebody resumes it.",
        ),
        does="Pause",
        back="/",
        needs_reason=True,
        is_grave=True,
    )


def _resuming(lane: Mapping[str, Any]) -> Question:
    quarantined = "The credential is tried at once; it goes on if the target takes it."
    waiting = f"{people(lane['pending'])} wait. They take at least {counted(lane['calls'], 'call', 'calls')}."
    return Question(
        title=f"Resume {lane['target']}?",
        says=(waiting, quarantined) if lane["state"] == "quarantined" else (waiting,),
        does="Resume",
        back="/",
        asks_reason=True,
    )


def _resumed(target: str, told: Mapping[str, Any]) -> str:
    if told["is_quarantined"]:
        return f"The credential for {target} is tried now."
    if told["is_failing"]:
        return f"{target} goes on; its target failed last, so one call tries whether it is back."
    return f"{target} goes on."
