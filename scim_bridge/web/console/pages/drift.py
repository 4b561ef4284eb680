"""Drift: comparing a target with the directory, what differs, and owing the difference."""

from typing import Any

from flask import Blueprint, Response

from scim_bridge.errors import UsageError
from scim_bridge.operators import drift
from scim_bridge.store.errands import RECONCILE
from scim_bridge.web.api.operations import Role
from scim_bridge.web.console import forms
from scim_bridge.web.console.asking import Question, counted
from scim_bridge.web.console.counter import PREFIX, Counter

PATH = f"{PREFIX}/drift"

_OPEN = frozenset({"waiting", "working"})

_REPAIRS = (
    "What is missing or differs then is brought to what the directory says, in the usual way: people who have left"
    " lose access, and the guard holds them when they are many."
)


def install(blueprint: Blueprint, counter: Counter) -> None:
    """Add the pages of drift."""

    @blueprint.get(PATH)
    def comparisons() -> str:
        target = forms.word("target")
        found = drift.listed(
            counter.desk.store, tenant=counter.tenant, target=target, kind=RECONCILE, after=forms.after()
        )
        return counter.page(
            "drift.html", rows=found["items"], next=found["next"], target=target, targets=counter.targets
        )

    @blueprint.get(f"{PATH}/{forms.NUMBER}")
    def comparison(number: int) -> str:
        kind = forms.word("kind")
        found = drift.rows(counter.desk.store, tenant=counter.tenant, number=number, kind=kind, after=forms.after())
        return counter.page(
            "comparison.html",
            **_standing(counter, number),
            rows=found["items"],
            next=found["next"],
            kind=kind,
            kinds=drift.DRIFTS,
        )

    @blueprint.get(f"{PATH}/{forms.NUMBER}/standing")
    def comparison_standing(number: int) -> Response | str:
        standing = _standing(counter, number)
        if not standing["is_live"]:
            return counter.reload()
        return counter.page("comparison_standing.html", **standing)

    @blueprint.get(f"{PATH}/{forms.NUMBER}/rows.csv")
    def comparison_rows(number: int) -> Response:
        pieces = drift.as_csv(counter.desk.store, tenant=counter.tenant, number=number)
        return counter.file(pieces, name=f"drift-{number}.csv")

    _install_asking(blueprint, counter)


def _install_asking(blueprint: Blueprint, counter: Counter) -> None:
    @blueprint.get(f"{PATH}/compare")
    def ask_to_compare() -> str:
        counter.need(Role.OPERATOR)
        return counter.page("ask.html", question=_question(_target(counter), repair=False, differs=None))

    @blueprint.post(f"{PATH}/compare")
    def compare() -> Response:
        counter.need(Role.OPERATOR)
        return _asked(counter, _target(counter), repair=False)

    @blueprint.get(f"{PATH}/{forms.NUMBER}/repair")
    def ask_to_repair(number: int) -> str:
        counter.need(Role.OPERATOR)
        found = drift.show(counter.desk.store, tenant=counter.tenant, number=number)
        figures = found["found"] or {}
        differs = figures.get("missing", 0) + figures.get("differing", 0)
        return counter.page(
            "ask.html", question=_question(found["target"], repair=True, differs=differs, number=number)
        )

    @blueprint.post(f"{PATH}/{forms.NUMBER}/repair")
    def repair(number: int) -> Response:
        counter.need(Role.OPERATOR)
        found = drift.show(counter.desk.store, tenant=counter.tenant, number=number)
        return _asked(counter, found["target"], repair=True)


def _target(counter: Counter) -> str:
    target = forms.word("target")
    if target not in counter.targets:
        raise UsageError("Choose one of the tenant's targets.")
    return str(target)


def _question(target: str, *, repair: bool, differs: int | None, number: int | None = None) -> Question:
    listing = "All accounts of the target are listed once; that takes calls of its quota."
    if not repair:
        return Question(
            title=f"Compare {target} with the directory?",
            says=(listing, "Nothing is changed."),
            does="Compare now",
            back="/drift",
            fields={"target": target},
        )
    accounts = counted(differs or 0, "account was missing or differed", "accounts were missing or differed")
    return Question(
        title=f"Repair {target}?",
        says=(
            f"{accounts} in this comparison.",
            f"{listing} {_REPAIRS}",
            "Accounts of which the directory knows nobody are never touched.",
        ),
        does=f"Repair {target}",
        back=f"/drift/{number}",
        is_grave=True,
    )


def _asked(counter: Counter, target: str, *, repair: bool) -> Response:
    made = drift.ask(
        counter.desk.store,
        counter.desk.dispatcher,
        tenant=counter.tenant,
        target=target,
        who=counter.who,
        repair=repair,
    )
    told = "Asked for; a worker takes it up within seconds."
    if not made["is_new"]:
        told = "A comparison of this target is under way already; this is it."
        told += " It repairs nothing: ask again when it is over." if repair and not made["repair"] else ""
    return counter.go(f"/drift/{made['errand']}", told=told)


def _standing(counter: Counter, number: int) -> dict[str, Any]:
    found = drift.show(counter.desk.store, tenant=counter.tenant, number=number)
    return {"errand": found, "is_live": found["status"] in _OPEN}
