"""Holds: who waits for a decision, letting them go or leaving them as they are, and allowing a planned day."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, make_response, request

from scim_bridge.errors import NotThere, OutOfDate, UsageError
from scim_bridge.operators import existing, holds
from scim_bridge.operators.holds import Kind
from scim_bridge.web.api.operations import Role
from scim_bridge.web.console import forms, shown
from scim_bridge.web.console.asking import Question, people
from scim_bridge.web.console.counter import PREFIX, Counter

PATH = f"{PREFIX}/holds"

MOST_ALLOWED = 1_000_000
MOST_HOURS = 24 * 365
HOUR_MS = 3_600_000

KINDS = (
    (Kind.DEACTIVATION.value, "Leaving: more at once than the guard lets through"),
    (Kind.TAKEOVER.value, "Having an account that was there before us"),
)

_RELEASED = {
    Kind.DEACTIVATION: "Their accounts are closed in the target: they lose access. This goes ahead of all other work.",
    Kind.TAKEOVER: "The account that was there becomes theirs: what it holds is overwritten with what the directory"
    " says, also an owner's or administrator's, and it is closed when the person leaves.",
}
_REJECTED = {
    Kind.DEACTIVATION: "Their accounts stay active, until the directory calls them active again.",
    Kind.TAKEOVER: "The account stays as it is, whatever the directory says, until it is released after all.",
}


def install(blueprint: Blueprint, counter: Counter) -> None:
    """Add the pages of holds."""

    @blueprint.get(PATH)
    def held() -> str:
        choice = _choice(counter)
        found = holds.page(counter.desk.store, tenant=counter.tenant, **choice, after=forms.after() or 0)
        return counter.page(
            "holds.html",
            rows=found["items"],
            next=found["next"],
            kinds=KINDS,
            targets=counter.targets,
            choice=_fields(choice),
            link={name: value for name, value in _fields(choice).items() if value is not None},
        )

    _install_deciding(blueprint, counter)
    _install_allowing(blueprint, counter)


def _install_deciding(blueprint: Blueprint, counter: Counter) -> None:
    @blueprint.get(f"{PATH}/release")
    def ask_to_release() -> str:
        counter.need(Role.OPERATOR)
        choice = _choice(counter)
        number, digest = _counted(counter, choice)
        question = Question(
            title=f"Release {people(number)}?",
            says=(_RELEASED[choice["kind"]], _whose(choice)),
            does=f"Release {people(number)}",
            back=_back(choice),
            fields={**_fields(choice), "people": number, "digest": digest},
            needs_reason=True,
            is_grave=True,
        )
        return counter.page("ask.html", question=question)

    @blueprint.post(f"{PATH}/release")
    def release() -> Response:
        counter.need(Role.OPERATOR)
        choice, reason = _confirmed(counter), forms.reason(is_needed=True)
        desk = counter.desk
        told = holds.release(
            desk.store, desk.dispatcher, tenant=counter.tenant, who=counter.who, reason=reason, **choice
        )
        return counter.go(_back(choice), told=f"{people(told['people'])} released.")

    @blueprint.get(f"{PATH}/reject")
    def ask_to_reject() -> str:
        counter.need(Role.OPERATOR)
        choice = {**_choice(counter), "rejected": False}
        number, digest = _counted(counter, choice)
        question = Question(
            title=f"Leave the accounts of {people(number)} as they are?",
            says=(_REJECTED[choice["kind"]], _whose(choice)),
            does=f"Reject {people(number)}",
            back=_back(choice),
            fields={**_fields(choice), "people": number, "digest": digest},
            needs_reason=True,
        )
        return counter.page("ask.html", question=question)

    @blueprint.post(f"{PATH}/reject")
    def reject() -> Response:
        counter.need(Role.OPERATOR)
        choice, reason = _confirmed(counter, rejected=False), forms.reason(is_needed=True)
        whom = {name: choice[name] for name in ("kind", "target", "user")}
        desk = counter.desk
        told = holds.reject(desk.store, desk.dispatcher, tenant=counter.tenant, who=counter.who, reason=reason, **whom)
        return counter.go(_back(choice), told=f"The accounts of {people(told['people'])} stay as they are.")


def _install_allowing(blueprint: Blueprint, counter: Counter) -> None:
    @blueprint.get(f"{PATH}/allow")
    def ask_to_allow() -> str:
        counter.need(Role.OPERATOR)
        return _allowing(counter, {"target": forms.word("target"), "hours": "24"})

    @blueprint.post(f"{PATH}/allow")
    def allow() -> Response:
        counter.need(Role.OPERATOR)
        try:
            asked = _allowance(counter)
        except UsageError as fault:
            return make_response(_allowing(counter, request.form, fault=str(fault)), 400)
        if forms.is_ticked("now"):
            told = holds.allow_now(counter.desk.store, counter.desk.dispatcher, **asked)
        else:
            told = holds.allow(counter.desk.store, **asked)
        return counter.go(
            f"/holds?target={told['target']}",
            told=f"{told['target']} may close {told['count']:,} accounts more until {shown.moment(told['until'])} UTC."
            f" {people(told['released'])} released, {people(told['still_held'])} still held.",
        )


def _choice(counter: Counter) -> dict[str, Any]:
    """Return whom the fields choose.

    Raises:
        UsageError: the tenant has no such target, or there is no such kind.
    """
    kind, target = forms.word("kind") or Kind.DEACTIVATION.value, forms.word("target")
    if kind not in list(Kind):
        raise UsageError(f"Nobody is held of the kind {kind[:40]}.")
    existing.check(counter.desk.store, counter.desk.settings, tenant=counter.tenant, target=target)
    return {
        "kind": Kind(kind),
        "target": target,
        "user": forms.word("user"),
        "rejected": forms.is_ticked("rejected"),
    }


def _fields(choice: Mapping[str, Any]) -> dict[str, str | None]:
    return {
        "kind": choice["kind"].value,
        "target": choice["target"],
        "user": choice["user"],
        "rejected": "yes" if choice["rejected"] else None,
    }


def _counted(counter: Counter, choice: Mapping[str, Any]) -> tuple[int, str]:
    """Return how many are chosen, and a digest of who they are.

    Raises:
        NotThere: nobody.
    """
    found = holds.list_held(counter.desk.store, tenant=counter.tenant, **choice)
    if not found:
        # Whoever mistypes a name must not believe that a leaver is out.
        raise NotThere("Nobody is held whom this chooses. Look at the holds again.")
    # Who waits for an account has no number of a hold: the target and the person tell them.
    names = sorted((each["target"], each["id"], each["hold"] or 0) for each in found)
    return len(found), hashlib.sha256(json.dumps(names).encode()).hexdigest()


def _confirmed(counter: Counter, **fixed: bool) -> dict[str, Any]:
    """Return whom the answer to a question is about, once it is sure that they are those who were asked about."""
    choice = {**_choice(counter), **fixed}
    asked_about, asked_digest = forms.needed_number("people"), forms.needed_word("digest")
    number, digest = _counted(counter, choice)
    if number != asked_about:
        raise OutOfDate(f"{people(number)} are held now, not {asked_about:,} as you were asked about. Look again.")
    if digest != asked_digest:
        raise OutOfDate("Others are held now than those you were asked about. Look again.")
    return choice


def _whose(choice: Mapping[str, Any]) -> str:
    target = f"only in {choice['target']}" if choice["target"] else "in every target that holds them"
    return f"This is about {'one person' if choice['user'] else 'everybody of this kind who is held'}, {target}."


def _back(choice: Mapping[str, Any]) -> str:
    return f"/holds?kind={choice['kind'].value}" + (f"&target={choice['target']}" if choice["target"] else "")


def _allowance(counter: Counter) -> dict[str, Any]:
    target, count, hours = forms.needed_word("target"), forms.needed_number("count"), forms.needed_number("hours")
    if target not in counter.targets:
        raise UsageError("There is no such target.")
    if not 1 <= count <= MOST_ALLOWED:
        raise UsageError(f"Allow from 1 to {MOST_ALLOWED:,} people.")
    if not 1 <= hours <= MOST_HOURS:
        raise UsageError(f"Allow it for 1 to {MOST_HOURS:,} hours.")
    return {
        "tenant": counter.tenant,
        "target": target,
        "count": count,
        "for_ms": hours * HOUR_MS,
        "who": counter.who,
        "reason": forms.reason(is_needed=True),
    }


def _allowing(counter: Counter, given: Mapping[str, Any], *, fault: str = "") -> str:
    return counter.page("hold_allow.html", given=given, fault=fault, targets=counter.targets)
