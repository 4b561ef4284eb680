"""Faults: jobs that crashed, which is our fault and not a target's, and having them run again."""

from typing import Any

from flask import Blueprint, Response

from scim_bridge.dispatch import QueueSilent
from scim_bridge.errors import NotThere
from scim_bridge.operators import crashed
from scim_bridge.web.api.operations import Role
from scim_bridge.web.console import forms
from scim_bridge.web.console.asking import Question, counted
from scim_bridge.web.console.counter import PREFIX, Counter

PATH = f"{PREFIX}/faults"


def install(blueprint: Blueprint, counter: Counter) -> None:
    """Add the page of faults. It is for admins: where a job broke off says more than of one tenant."""

    @blueprint.get(PATH)
    def faults() -> str:
        counter.need(Role.ADMIN)
        try:
            jobs, fault = _crashed(counter), None
        except QueueSilent as silent:
            jobs, fault = [], str(silent)
        return counter.page("faults.html", jobs=jobs, fault=fault)

    @blueprint.get(f"{PATH}/put-back")
    def ask_to_put_back() -> str:
        counter.need(Role.ADMIN)
        job = forms.word("job")
        chosen = [each for each in _crashed(counter) if job in {None, each["job"]}]
        if not chosen:
            raise NotThere("No such job has crashed, or it was put back already.")
        return counter.page("ask.html", question=_question(len(chosen), job))

    @blueprint.post(f"{PATH}/put-back")
    def put_back() -> Response:
        counter.need(Role.ADMIN)
        desk = counter.desk
        told = crashed.put_back(
            desk.store, desk.queue_url, who=counter.who, tenant=counter.tenant, job=forms.word("job")
        )
        return counter.go("/faults", told=f"{counted(told['jobs'], 'job runs', 'jobs run')} again.")


def _crashed(counter: Counter) -> list[dict[str, Any]]:
    if not counter.desk.queue_url:
        raise QueueSilent
    found: list[dict[str, Any]] = crashed.crashed(counter.desk.queue_url, tenant=counter.tenant)["crashed"]
    return found


def _question(count: int, job: str | None) -> Question:
    return Question(
        title=f"Run {counted(count, 'job', 'jobs')} again?",
        says=("A job does what the store says is due then, so that running it twice is no harm.",),
        does="Put back",
        back="/faults",
        fields={"job": job},
    )
