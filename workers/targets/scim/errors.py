"""A SCIM error in any of the forms that services give it, and what it means for one person."""

import re
from dataclasses import dataclass
from typing import Any

from scim_bridge.domain.people import Step
from scim_bridge.domain.replies import Reply, Verdict
from scim_bridge.planning.calls import Item
from workers.targets import wording
from workers.targets.scim.attributes import EMAIL

_TYPE = re.compile(r"[A-Za-z_]{1,60}")
_NO_MEMBER = re.compile(r"(member|user|value).{0,40}(not exist|not found|unknown)", re.IGNORECASE)
_MEMBERSHIPS = frozenset({Step.JOIN, Step.LEAVE})
_PATHS_REFUSED = frozenset({"invalidPath", "invalidFilter"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ScimError:
    """Status, type (scimType or the vendor's own word) and text of an error."""

    status: int
    kind: str = ""
    text: str = ""


def read_error(status: int, body: Any) -> ScimError:
    """Read RFC 7644's error, `{error: {type, description}}`, or plain text."""
    if isinstance(body, str):
        return ScimError(status=status, text=body)
    if not isinstance(body, dict):
        return ScimError(status=status)
    inner = body.get("error")
    if isinstance(inner, dict):
        kind, text = inner.get("type"), inner.get("description")
    else:
        kind, text = body.get("scimType"), body.get("detail")
    return ScimError(
        status=status,
        kind=kind if isinstance(kind, str) and _TYPE.fullmatch(kind) else "",
        text=text if isinstance(text, str) else "",
    )


def reply_to(item: Item, error: ScimError, *, detail: str) -> Reply:
    """Return what an error means for the person of an item, as `reply_for`, and what it says of how we asked.

    An address is picked by its value as we last knew it: when it is not there, the account is read back. A service that
    does so twice, or knows no such path, changes no parts of a list: UNSUPPORTED, so that the whole user is put back.
    """
    if item.step is Step.UPDATE and EMAIL in item.changes and error.status == 400:
        if error.kind in _PATHS_REFUSED or (error.kind == "noTarget" and item.person.attempts):
            return Reply(verdict=Verdict.UNSUPPORTED, code="unsupported", detail=detail)
        if error.kind == "noTarget":
            return Reply(verdict=Verdict.UNKNOWN, code="ambiguous", detail=detail)
    return reply_for(item.step, error, detail=detail)


def reply_for(step: Step, error: ScimError, *, detail: str) -> Reply:
    """Return what an error of one operation means for the person whom it was for. `detail` names nobody.

    401 and 403 say nothing of a person: whoever is met by one within a bulk call is tried again.
    """
    status = error.status
    if status in {401, 403, 412, 423, 429}:
        return Reply(verdict=Verdict.RETRY, code="unavailable", detail=detail)
    if status >= 500 and status != 501:
        return Reply(verdict=Verdict.UNKNOWN, code="ambiguous", detail=detail)
    if status in {405, 501}:
        return Reply(verdict=Verdict.UNSUPPORTED, code="unsupported", detail=detail)
    if step in _MEMBERSHIPS:
        return _of_membership(step, error, detail)
    if status == 404:
        return Reply(verdict=Verdict.GONE, detail=detail)
    if _is_duplicate(error):
        if step is Step.CREATE:
            return Reply(verdict=Verdict.CONFLICT, code="conflict", detail=detail)
        # Its own account is known, so a look-up would find only that: the value belongs to another account.
        return Reply(verdict=Verdict.REFUSED, code="merge_needed", detail=detail)
    return Reply(verdict=Verdict.REFUSED, code=wording.code_of(f"{error.text} {error.kind}"), detail=detail)


def _of_membership(step: Step, error: ScimError, detail: str) -> Reply:
    if step is Step.LEAVE and (error.status == 404 or error.kind == "noTarget"):
        # No such group or no such member: either way the person is not in it any more.
        return Reply(verdict=Verdict.DONE, code="already_so", detail=detail)
    if error.status == 404:
        return Reply(verdict=Verdict.RETRY, code="blocked_by_group", detail=detail)
    if _NO_MEMBER.search(error.text):
        return Reply(verdict=Verdict.GONE, detail=detail)
    return Reply(verdict=Verdict.REFUSED, code=wording.code_of(f"{error.kind} {error.text}"), detail=detail)


def _is_duplicate(error: ScimError) -> bool:
    if error.status == 409 or error.kind in {"uniqueness", "SCIM_CONFLICT"}:
        return True
    # Services that leave scimType out say it in words.
    return error.status in {400, 422} and not error.kind and wording.is_duplicate(error.text)
