"""New users by the REST side's bulk call. Its paths and shapes are not the vendor's word, so all of it is configured.

Only creates go this way: the call knows users by their address alone, so an update that changes the address would make
a second account.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from scim_bridge.domain.replies import Reply, Verdict
from scim_bridge.planning.calls import Item
from workers.targets import port, wording
from workers.targets.mindtickle.options import MindTickleOptions
from workers.targets.scim.errors import ScimError, reply_for

_UNKNOWN = Reply(verdict=Verdict.UNKNOWN, code="ambiguous")
_STATUSES = {"SCIM_CONFLICT": 409, "CONFLICT": 409}


def request_of(items: Sequence[Item], options: MindTickleOptions) -> list[dict[str, Any]]:
    """Return the users of one call, with the field names of [rest_fields]; what has no name there is left out."""
    return [
        {
            options.rest_fields[name]: value
            for name, value in (item.desired.attributes if item.desired is not None else {}).items()
            if name in options.rest_fields
        }
        for item in items
    ]


def read_replies(items: Sequence[Item], answer: Any) -> dict[int, Reply]:
    """Return a reply for each user sent; who has no result of their own is UNKNOWN.

    A user whom the call says to have updated was there before us: that is a conflict, so that the policy is heard.

    Raises:
        AnswerLost: there is no list of results.
    """
    results = answer.get("results") if isinstance(answer, dict) else answer
    if not isinstance(results, list):
        raise port.AnswerLost("the answer has no list of results")
    by_key: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for result in results:
        if isinstance(result, dict):
            by_key[_folded(result.get("email")) or _folded(result.get("externalId"))].append(result)
    redaction = wording.Redaction(item.desired for item in items)
    rows: dict[str, int] = defaultdict(int)
    for item in items:
        rows[_key(item)] += 1
    replies = {}
    for item in items:
        found = by_key.get(_key(item), [])
        is_sure = len(found) == 1 and rows[_key(item)] == 1
        replies[item.person.operation_id] = _reply(item, found[0], redaction) if is_sure else _UNKNOWN
    return replies


def _reply(item: Item, result: dict[str, Any], redaction: wording.Redaction) -> Reply:
    status = str(result.get("status", "")).casefold()
    if status in {"created", "ok", "success"}:
        account_id = result.get("id")
        return Reply(verdict=Verdict.DONE, account_id=str(account_id) if account_id is not None else None)
    if status == "updated":
        return Reply(verdict=Verdict.CONFLICT, code="conflict", detail="updated by the target")
    error = result.get("error")
    if not isinstance(error, dict):
        return _UNKNOWN
    text, kind = str(error.get("description") or ""), str(error.get("type") or "")
    return reply_for(
        item.step, ScimError(status=_STATUSES.get(kind, 400), kind=kind, text=text), detail=redaction.apply(text)
    )


def _key(item: Item) -> str:
    attributes = item.desired.attributes if item.desired is not None else {}
    return _folded(attributes.get("email")) or _folded(attributes.get("externalId"))


def _folded(value: Any) -> str:
    return value.strip().casefold() if isinstance(value, str) else ""
