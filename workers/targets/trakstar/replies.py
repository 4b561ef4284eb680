"""What Trakstar's answers mean: for a call as a whole, and for each person in it."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.people import Step
from scim_bridge.domain.replies import Answer, Reply, Verdict
from scim_bridge.planning.calls import Call
from workers.http import Response
from workers.targets import port, reading, wording
from workers.targets.trakstar import accounts, adding
from workers.targets.trakstar.options import TrakstarOptions

_ABSENT = frozenset({"user_not_exist", "user_not_found"})
_ALREADY: dict[Step | None, str] = {Step.DEACTIVATE: "already archived", Step.REACTIVATE: "not archived"}
"""What a refusal says when the wanted state is the present one."""

_ACCOUNT_PROBLEM = "api_key_validation"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Error:
    """An error's body, in the document's form or the vendor's."""

    text: str
    kind: str
    code: str


def read_answer(
    call: Call,
    response: Response,
    options: TrakstarOptions,
    *,
    batch_number: int,
    protect: Collection[str],
    now: Millis,
) -> Answer:
    """Return what a call brought.

    Raises:
        CallFailed: one of its children, when the call failed as a whole.
    """
    where = str(call.step)
    reading.require_word(response, where=where, now=now)
    if response.status >= 400:
        return _refused(call, response)
    match call.step:
        case Step.CREATE:
            return adding.read_added(
                call, reading.json_of(response, where=where), options, batch_number=batch_number, status=response.status
            )
        case Step.LOOK_UP if call.items or call.everybody:
            return _listed_users(call, reading.json_of(response, where=where), options, protect=protect)
        case Step.LOOK_UP:
            return _listed_groups(reading.json_of(response, where=where))
        case Step.CREATE_GROUP:
            return _group_made(call, reading.json_of(response, where=where))
        case Step.UPDATE if options.edit_answer == "user":
            return _edited(call, reading.json_of(response, where=where))
    reading.require_plain_success(response, where=where)
    return _everyone(call, Reply(verdict=Verdict.DONE), status=response.status)


def require_well(response: Response, *, now: Millis) -> None:
    """Return when a probe's answer shows a target that is well.

    Raises:
        CallFailed: one of its children, when it is not.
    """
    reading.require_word(response, where="probe", now=now)
    if response.status >= 400:
        raise port.CredentialRefused(_whole(response, "the probe"), status=response.status)
    reading.json_of(response, where="probe")


def _refused(call: Call, response: Response) -> Answer:
    error = _error_of(response)
    status = response.status
    detail = wording.Redaction(item.desired for item in call.items).apply(error.text)
    is_absent = error.code in _ABSENT
    # The vendor's account problems come as 400, and its absent users as 401: the body decides, not the status.
    if (status in {401, 403} or error.kind == _ACCOUNT_PROBLEM) and not is_absent:
        raise port.CredentialRefused(_whole(response, str(call.step)), status=status)
    is_collection = call.step in {Step.CREATE, Step.LOOK_UP, Step.CREATE_GROUP}
    if status in {404, 405, 410} and is_collection and not (call.groups or call.courses or call.required_courses):
        raise port.CredentialRefused(f"{call.step} answered {status}: check base_url", status=status)
    if _is_about_course(call, error, detail):
        # All people of a call are sent into the same courses: whom to leave out is no question.
        return _everyone(call, _of_course(call, error, detail), status=status)
    if len(call.items) != 1 or call.step in {Step.LOOK_UP, Step.CREATE_GROUP}:
        raise port.BatchRefused(detail or f"{call.step} answered {status}", status=status)
    return _everyone(call, _verdict(call.step, status, error, detail, is_absent=is_absent), status=status)


def _verdict(step: Step | None, status: int, error: _Error, detail: str, *, is_absent: bool) -> Reply:
    """Return what an error of a call for one person means for that person."""
    about = f"{error.code} {error.text}".casefold()
    if step in _ALREADY and _ALREADY[step] in about:
        return Reply(verdict=Verdict.DONE, code="already_so", detail=detail)
    if step is Step.LEAVE and status == 404:
        # No such group or no such member: either way the person is not in it any more.
        return Reply(verdict=Verdict.DONE, code="already_so", detail=detail)
    if "group" in about and "user" not in about and status in {400, 404}:
        return Reply(verdict=Verdict.RETRY, code="blocked_by_group", detail=detail)
    if status == 404 or is_absent:
        return Reply(verdict=Verdict.GONE, detail=detail)
    if step is Step.CREATE:
        return adding.refusal(error.text, detail)
    if wording.is_duplicate(f"{error.code} {error.text}"):
        # Its own account is known, so a look-up would find only that: the value belongs to another account.
        return Reply(verdict=Verdict.REFUSED, code="merge_needed", detail=detail)
    return Reply(verdict=Verdict.REFUSED, code=wording.code_of(f"{error.code} {error.text}"), detail=detail)


def _is_about_course(call: Call, error: _Error, detail: str) -> bool:
    """Tell whether an error is about a course of the call.

    A call that sends people's data must be told which course it is, and nothing of anybody: a person's name may well be
    Course. `detail` is the text without that data.
    """
    ids = (*call.courses, *call.required_courses)
    about = f"{error.code} {error.text}".casefold()
    if not ids or "course" not in about or "user" in about:
        return False
    if call.step is not Step.CREATE:
        return True
    is_of_person = "<value>" in detail or "<address>" in detail
    return not is_of_person and any(_names(error.text, each) for each in ids)


def _names(text: str, course: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(course)}(?!\w)", text) is not None


def _of_course(call: Call, error: _Error, detail: str) -> Reply:
    """Say which setting names the course that Trakstar does not take: nobody's data is to blame."""
    named = {"courses": call.courses, "required_courses": call.required_courses}
    told = {key: [each for each in ids if _names(error.text, each)] or list(ids) for key, ids in named.items() if ids}
    where = ", ".join(f"{key} = {', '.join(ids)}" for key, ids in told.items())
    return Reply(verdict=Verdict.REFUSED, code="unknown_course", detail=f"[groups] {where}: {detail}")


def _everyone(call: Call, reply: Reply, *, status: int = 200) -> Answer:
    redacted: Mapping[str, object] = {"verdict": str(reply.verdict), "code": reply.code, "detail": reply.detail}
    replies = dict.fromkeys(call.operation_ids, reply)
    return Answer(replies=replies, status=status, redacted={name: value for name, value in redacted.items() if value})


def _edited(call: Call, answer: Any) -> Answer:
    """Read the user that an edit answers; another user, or none, tells nothing of ours."""
    shown = str(answer.get("id")) if isinstance(answer, dict) else None
    is_ours = shown == call.items[0].account_id
    return _everyone(call, Reply(verdict=Verdict.DONE if is_ours else Verdict.UNKNOWN))


def _listed_users(call: Call, listed: Any, options: TrakstarOptions, *, protect: Collection[str]) -> Answer:
    users = listed.get("users") if isinstance(listed, dict) else listed
    if not isinstance(users, list):
        raise port.AnswerLost("the listing of users is no list")
    read = [accounts.account_of(user, protect=protect, permissions=options.permissions) for user in users]
    found = tuple(account for account in read if account is not None)
    return Answer(
        replies=dict.fromkeys(call.operation_ids, Reply(verdict=Verdict.DONE)),
        accounts=found,
        complete=len(found) == len(users),
        redacted={"accounts": len(found), "unreadable": len(users) - len(found)},
    )


def _listed_groups(listed: Any) -> Answer:
    if not isinstance(listed, list):
        raise port.AnswerLost("the listing of groups is no list")
    # Names may repeat; the oldest group of a name (the smallest id) is taken, every time.
    pairs = sorted(accounts.groups_of(listed), key=lambda pair: int(pair[1]), reverse=True)
    return Answer(replies={}, group_ids=dict(pairs), redacted={"groups": len(pairs)})


def _group_made(call: Call, made: Any) -> Answer:
    pair = accounts.group_of(made)
    if pair is None:
        raise port.AnswerLost("the answer does not show the new group's id")
    answer = _everyone(call, Reply(verdict=Verdict.DONE))
    return Answer(replies=answer.replies, group_ids={call.groups[0]: pair[1]}, redacted={"groupId": pair[1]})


def _error_of(response: Response) -> _Error:
    body = reading.error_json(response)
    if not isinstance(body, dict):
        return _Error(text="", kind="", code="")
    listed = body.get("errors")
    texts = [body.get("message"), *(listed if isinstance(listed, list) else [])]
    return _Error(
        text="; ".join(text for text in texts if isinstance(text, str) and text),
        kind=str(body.get("type") or ""),
        code=str(body.get("code") or ""),
    )


def _whole(response: Response, where: str) -> str:
    code = _error_of(response).code
    named = f" ({code})" if code.replace("_", "").isalnum() and len(code) < 60 else ""
    return f"{where} answered {response.status}{named}"
