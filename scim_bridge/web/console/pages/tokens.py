"""Tokens: who may knock. A new one is shown once, on the page that answers its making, and nowhere else."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, make_response, request

from scim_bridge.domain.instants import Millis
from scim_bridge.errors import NotThere, UsageError
from scim_bridge.operators import tokens
from scim_bridge.web.api.operations import Role
from scim_bridge.web.console import forms
from scim_bridge.web.console.asking import Question
from scim_bridge.web.console.counter import PREFIX, Counter

PATH = f"{PREFIX}/tokens"

HOUR_MS = 3_600_000

SCOPES = (
    ("scim", "scim: an identity provider sends people and groups"),
    ("hr", "hr: an HR system sends rows"),
    ("ops:viewer", "ops:viewer: looks, and changes nothing"),
    ("ops:operator", "ops:operator: replays, holds, pauses and repairs"),
    ("ops:admin", "ops:admin: also makes and ends tokens"),
)
"""What a token may be for, in words."""


def install(blueprint: Blueprint, counter: Counter) -> None:
    """Add the pages of tokens; all of them are for admins."""

    @blueprint.get(PATH)
    def token_list() -> str:
        counter.need(Role.ADMIN)
        rows = [_with_end(row) for row in tokens.list_tokens(counter.desk.store, tenant=counter.tenant)]
        return counter.page("tokens.html", rows=rows)

    _install_making(blueprint, counter)
    _install_ending(blueprint, counter)


def _install_making(blueprint: Blueprint, counter: Counter) -> None:
    @blueprint.get(f"{PATH}/create")
    def token_form() -> str:
        counter.need(Role.ADMIN)
        return _form(counter, {"days": "90"}, ())

    @blueprint.post(f"{PATH}/create")
    def create_token() -> Response:
        counter.need(Role.ADMIN)
        chosen = request.form.getlist("scope")
        try:
            made = _created(counter, chosen)
        except UsageError as fault:
            return make_response(_form(counter, request.form, chosen, fault=str(fault)), 400)
        # Not by way of another address: the value would have to be in it, or be kept.
        return make_response(counter.page("token_once.html", made=made, replaces=None))

    @blueprint.get(f"{PATH}/<token_id>/rotate")
    def ask_to_rotate(token_id: str) -> str:
        counter.need(Role.ADMIN)
        row = _named(counter, token_id)
        return counter.page("token_rotate.html", question=_rotation(row))

    @blueprint.post(f"{PATH}/<token_id>/rotate")
    def rotate_token(token_id: str) -> str:
        counter.need(Role.ADMIN)
        overlap, days = forms.number("overlap") or 0, forms.number("days")
        made = tokens.rotate(
            counter.desk.store,
            tenant=counter.tenant,
            who=counter.who,
            token_id=token_id,
            overlap_ms=overlap * HOUR_MS,
            good_for_ms=_good_for(days),
        )
        return counter.page("token_once.html", made=made, replaces=token_id)


def _install_ending(blueprint: Blueprint, counter: Counter) -> None:
    @blueprint.get(f"{PATH}/<token_id>/revoke")
    def ask_to_revoke(token_id: str) -> str:
        counter.need(Role.ADMIN)
        row = _named(counter, token_id)
        is_own = token_id == counter.principal.token_id
        return counter.page("ask.html", question=_revocation(row, is_own=is_own))

    @blueprint.post(f"{PATH}/<token_id>/revoke")
    def revoke_token(token_id: str) -> Response:
        counter.need(Role.ADMIN)
        told = tokens.revoke(counter.desk.store, tenant=counter.tenant, who=counter.who, token_id=token_id)
        word = "was revoked already" if told["already_revoked"] else "is revoked"
        return counter.go("/tokens", told=f"The token {token_id} {word}.")


def _with_end(row: Mapping[str, Any]) -> dict[str, Any]:
    ends = [at for at in (row["revoked_at"], row["expires_at"]) if at is not None]
    return {**row, "ends_at": min(ends, default=None)}


def _named(counter: Counter, token_id: str) -> dict[str, Any]:
    """Return the tenant's token of this id.

    Raises:
        NotThere: there is none.
    """
    for row in tokens.list_tokens(counter.desk.store, tenant=counter.tenant):
        if row["id"] == token_id:
            return row
    raise NotThere("There is no such token.")


def _created(counter: Counter, chosen: Sequence[str]) -> dict[str, Any]:
    return tokens.create(
        counter.desk.store,
        counter.desk.settings,
        tenant=counter.tenant,
        who=counter.who,
        scopes=chosen,
        source=forms.word("source"),
        name=forms.word("name") or "",
        good_for_ms=_good_for(forms.number("days")),
        networks=tokens.parse_networks((forms.word("networks") or "").split(), named="Networks:"),
    )


def _good_for(days: int | None) -> Millis | None:
    return None if days is None else days * tokens.DAY_MS


def _form(counter: Counter, given: Mapping[str, Any], chosen: Sequence[str], *, fault: str = "") -> str:
    found = counter.desk.settings.tenant(counter.tenant)
    sources = [] if found is None else [source.name for source in found.sources]
    return counter.page("token_create.html", given=given, chosen=chosen, fault=fault, sources=sources, scopes=SCOPES)


def _rotation(row: Mapping[str, Any]) -> Question:
    return Question(
        title=f"Replace the token of {row['name'] or row['id']}?",
        says=(
            f"A new token for {' '.join(row['scopes'])} is made and shown once.",
            f"The old one, {row['id']}, ends after the time that you give here: until then both are good.",
        ),
        does="Replace it",
        back="/tokens",
    )


def _revocation(row: Mapping[str, Any], *, is_own: bool) -> Question:
    used = "It was never used." if row["last_used_at"] is None else "Whoever uses it is refused from now on."
    own = ("This is the token with which you are signed in: you are signed out.",) if is_own else ()
    return Question(
        title=f"Revoke the token of {row['name'] or row['id']}?",
        says=(f"The token {row['id']} for {' '.join(row['scopes'])} is worthless at once, for good. {used}", *own),
        does="Revoke it",
        back="/tokens",
        is_grave=True,
    )
