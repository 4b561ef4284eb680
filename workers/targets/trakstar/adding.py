"""The answer of POST /user: three forms, none of which names every row, so each row is accounted for or doubted."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from scim_bridge.domain.replies import Answer, Reply, Verdict
from scim_bridge.planning.calls import Call, Item
from workers.targets import port, wording
from workers.targets.trakstar.options import TrakstarOptions

_UNKNOWN = Reply(verdict=Verdict.UNKNOWN, code="ambiguous")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """An entry of the answer that names a user by address or username."""

    key: str
    reply: Reply


def read_added(call: Call, answer: Any, options: TrakstarOptions, *, batch_number: int, status: int) -> Answer:
    """Return a reply for each user sent; who cannot be accounted for is UNKNOWN.

    Read are `{batchId, usersAdded, errors}` (document), `{batchId, added, updated}` (vendor's newer page) and
    `{batchId}` alone (older page), which says nothing of anybody.

    Raises:
        AnswerLost: the answer is no object.
    """
    if not isinstance(answer, dict):
        raise port.AnswerLost("the answer to the new users is no object", status=status)
    echo = answer.get("batchId")
    if echo is not None and str(echo) != str(batch_number):
        replies = dict.fromkeys(call.operation_ids, _UNKNOWN)
    elif isinstance(answer.get("added"), list) or isinstance(answer.get("updated"), list):
        replies = _by_names(call, answer, options)
    else:
        replies = _by_counts(call, answer)
    verdicts = [reply.verdict for reply in replies.values()]
    tally = {str(verdict): verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}
    added = answer.get("usersAdded")
    redacted: dict[str, object] = {"usersAdded": added} if isinstance(added, int) else {}
    return Answer(replies=replies, status=status, redacted={**redacted, "verdicts": tally})


def refusal(text: str, detail: str) -> Reply:
    """Return what an error about one new user means; `detail` is the text without personal data."""
    if wording.is_duplicate(text):
        return Reply(verdict=Verdict.CONFLICT, code="conflict", detail=detail)
    return Reply(verdict=Verdict.REFUSED, code=wording.code_of(text), detail=detail)


def _by_counts(call: Call, answer: dict[str, Any]) -> dict[int, Reply]:
    """Account for the rows by `usersAdded` and `errors`: together they must be as many as were sent."""
    added, errors = answer.get("usersAdded"), answer.get("errors") or []
    if not isinstance(added, int) or isinstance(added, bool) or not isinstance(errors, list):
        return dict.fromkeys(call.operation_ids, _UNKNOWN)
    if added + len(errors) != len(call.items):
        return dict.fromkeys(call.operation_ids, _UNKNOWN)
    if not errors:
        return dict.fromkeys(call.operation_ids, Reply(verdict=Verdict.DONE))
    named, anonymous = _errors(call, errors)
    replies, is_certain = _attribute(call.items, named)
    # An error that fits nobody hides one failure among the rows without an error of their own.
    rest = Reply(verdict=Verdict.DONE) if is_certain and not anonymous else _UNKNOWN
    return {operation_id: replies.get(operation_id, rest) for operation_id in call.operation_ids}


def _by_names(call: Call, answer: dict[str, Any], options: TrakstarOptions) -> dict[int, Reply]:
    """Account for the rows by `added` and `updated`, which name them; who is in neither is doubted."""
    named, _ = _errors(call, answer.get("errors") or [])
    for entry in answer.get("added") or []:
        named += _with_id(entry, Reply(verdict=Verdict.DONE))
    for entry in answer.get("updated") or []:
        if options.create_semantics == "upsert":
            named += _with_id(entry, Reply(verdict=Verdict.DONE, code="adopted"))
        else:
            # We were promised additions only: the conflict policy must still hear of an account that was there.
            named += _with_id(entry, Reply(verdict=Verdict.CONFLICT, code="conflict", detail="updated by the target"))
    replies, _ = _attribute(call.items, named)
    return {operation_id: replies.get(operation_id, _UNKNOWN) for operation_id in call.operation_ids}


def _errors(call: Call, errors: Iterable[Any]) -> tuple[list[_Named], int]:
    """Return the errors that name somebody, and how many name nobody."""
    redaction = wording.Redaction(item.desired for item in call.items)
    named, anonymous = [], 0
    for error in errors:
        key = _folded(error.get("email")) if isinstance(error, dict) else ""
        if not key:
            anonymous += 1
            continue
        text = str(error.get("error") or "")
        named.append(_Named(key=key, reply=refusal(text, redaction.apply(text))))
    return named, anonymous


def _with_id(entry: Any, reply: Reply) -> list[_Named]:
    if not isinstance(entry, dict) or entry.get("id") is None:
        return []
    key = _folded(entry.get("email")) or _folded(entry.get("username") or entry.get("userName"))
    account_id = None if reply.verdict is Verdict.CONFLICT else str(entry["id"])
    told = Reply(verdict=reply.verdict, code=reply.code, detail=reply.detail, account_id=account_id)
    return [_Named(key=key, reply=told)] if key else []


def _attribute(items: Iterable[Item], named: Iterable[_Named]) -> tuple[dict[int, Reply], bool]:
    """Give each entry to exactly one row, and tell whether all entries found one.

    Several rows of one address are only told apart when all of them have an entry, and all say the same.
    """
    rows: dict[str, list[int]] = defaultdict(list)
    for item in items:
        for key in _keys(item):
            rows[key].append(item.person.operation_id)
    entries: dict[str, list[Reply]] = defaultdict(list)
    for each in named:
        entries[each.key].append(each.reply)
    replies: dict[int, Reply] = {}
    is_certain = True
    for key, said in entries.items():
        meant = rows.get(key, [])
        is_told_twice = any(operation_id in replies for operation_id in meant)
        if len(said) > len(meant) or is_told_twice:
            replies.update(dict.fromkeys(meant, _UNKNOWN))
            is_certain = False
        elif len(meant) == len(said) and len({(reply.verdict, reply.account_id) for reply in said}) == 1:
            replies.update(zip(meant, said, strict=True))
        else:
            # Some of these rows are meant and nobody can tell which; the others are not touched by it.
            replies.update(dict.fromkeys(meant, _UNKNOWN))
    return replies, is_certain


def _keys(item: Item) -> set[str]:
    attributes = item.desired.attributes if item.desired is not None else {}
    return {_folded(attributes.get("email")), _folded(attributes.get("username"))} - {""}


def _folded(value: Any) -> str:
    return value.strip().casefold() if isinstance(value, str) else ""
