"""SCIM Bulk (RFC 7644 section 3.7): operations into one request, and its answer back to each person, in any order."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from scim_bridge.domain.people import Step
from scim_bridge.domain.replies import Reply, Verdict
from scim_bridge.planning.calls import Item
from workers.targets import port, wording
from workers.targets.scim import combining, errors, mapping
from workers.targets.scim.mapping import Operation

Parts = Mapping[int, Sequence[tuple[Item, Reply]]]
"""What the answer said of each item, by operation, in the order in which they were asked for."""

LAST_PLACE = 99_999
BULK_REQUEST = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"


def request_of(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the bulk request. Every operation has a bulkId, so that most targets tell it back for all of them.

    There is no failOnErrors: one bad user must not stop those who come after.
    """
    return {
        "schemas": [BULK_REQUEST],
        "Operations": [_entry(place, operation) for place, operation in enumerate(operations)],
    }


def size_of(operation: Operation) -> int:
    """Return the bytes that an operation takes of a request, at the most."""
    return len(json.dumps(_entry(LAST_PLACE, operation))) + len(", ")


def read_parts(operations: Sequence[Operation], answer: Any) -> Parts:
    """Return a reply for each item of ours. Who has no entry in the answer, or two, is UNKNOWN.

    Entries are matched by bulkId, or, without one, by method and the end of `location`.

    Raises:
        AnswerLost: the answer is no BulkResponse.
        CredentialRefused: every single entry is a 401 or 403, so nothing was applied.
    """
    listed = answer.get("Operations") if isinstance(answer, dict) else None
    if not isinstance(listed, list):
        raise port.AnswerLost("the answer is no bulk response")
    entries = [entry for entry in listed if isinstance(entry, dict)]
    statuses = [_status_of(entry) for entry in entries]
    if statuses and set(statuses) <= {401, 403} and len(entries) == len(operations):
        raise port.CredentialRefused(f"every operation was answered {statuses[0]}", status=statuses[0])
    by_place = _matched(operations, entries)
    redaction = wording.Redaction(item.desired for operation in operations for item in operation.items)
    parts: dict[int, list[tuple[Item, Reply]]] = {}
    for place, operation in enumerate(operations):
        for item in operation.items:
            reply = _reply(operation, item, by_place.get(place), redaction)
            parts.setdefault(item.person.operation_id, []).append((item, reply))
    return parts


def read_replies(operations: Sequence[Operation], answer: Any) -> dict[int, Reply]:
    """Return a reply for each person, of all that the request did for them; as `read_parts`."""
    return {number: combining.combine(each) for number, each in read_parts(operations, answer).items()}


def spoiled_groups(operations: Sequence[Operation], parts: Parts) -> frozenset[str]:
    """Return the groups whose one request for several members was refused, so that nobody knows because of whom.

    One that names somebody who was not made is refused because of that, and will not name him again.
    """
    made = _made(parts)
    return frozenset(
        operation.items[0].group
        for operation in operations
        if len(operation.items) > 1
        and operation.items[0].group is not None
        and all(made.get(item.person.operation_id, True) for item in operation.items)
        and _is_refused(_reply_to(operation, parts))
    )


def refuses_references(operations: Sequence[Operation], parts: Parts) -> bool:
    """Tell whether a group takes nobody who was made by the same request, so that it must be for the reference.

    That is only so when all whom the group's request names were made, when it was refused for what it holds, and when
    no reference was followed elsewhere. A group that is gone, or an answer that is missing, says nothing of references.
    """
    made = _made(parts)
    told = [
        _reply_to(operation, parts)
        for operation in operations
        if operation.items[0].group is not None
        and all(made.get(item.person.operation_id, False) for item in operation.items)
    ]
    return any(map(_is_refused, told)) and all(reply.verdict is not Verdict.DONE for reply in told)


def _made(parts: Parts) -> dict[int, bool]:
    """Return of each person whom the request was to make whether it did, by operation."""
    firsts = ((number, each[0]) for number, each in parts.items())
    return {number: reply.verdict is Verdict.DONE for number, (item, reply) in firsts if item.step is Step.CREATE}


def _reply_to(operation: Operation, parts: Parts) -> Reply:
    """Return the reply to a request, which is the same for each of its items."""
    first = operation.items[0]
    return next(reply for item, reply in parts[first.person.operation_id] if item is first)


def _is_refused(reply: Reply) -> bool:
    """Tell whether a group's request was refused for what it holds, for one member or for several."""
    return reply.verdict in {Verdict.REFUSED, Verdict.GONE} or (
        reply.verdict is Verdict.RETRY and reply.code == "refused"
    )


def _entry(place: int, operation: Operation) -> dict[str, Any]:
    return {
        "method": operation.method,
        "path": operation.path,
        "bulkId": mapping.bulk_id(place),
        "data": operation.data,
    }


def _matched(operations: Sequence[Operation], entries: Sequence[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    by_id = {mapping.bulk_id(place): place for place in range(len(operations))}
    by_path: dict[tuple[str, str], list[int]] = {}
    for place, operation in enumerate(operations):
        if operation.method != "POST":
            by_path.setdefault((operation.method, operation.path), []).append(place)
    found: dict[int, list[Mapping[str, Any]]] = {}
    for entry in entries:
        named = by_id.get(str(entry.get("bulkId")))
        if named is None and entry.get("bulkId") is None:
            same_path = by_path.get((str(entry.get("method")).upper(), _path_of(entry.get("location"))), [])
            named = same_path[0] if len(same_path) == 1 else None
        if named is not None:
            found.setdefault(named, []).append(entry)
    return {place: matched[0] for place, matched in found.items() if len(matched) == 1}


def _path_of(location: Any) -> str:
    """Return the last two steps of a location: an id is taken from it, it is never called."""
    return "/" + "/".join(str(location).split("?")[0].rstrip("/").split("/")[-2:])


def _status_of(entry: Mapping[str, Any]) -> int:
    status = entry.get("status")
    if isinstance(status, dict):
        # Drafts of the RFC, and servers that follow them, have {"code": "201"}.
        status = status.get("code")
    return int(status) if isinstance(status, (int, str)) and str(status).isdecimal() else 0


def _reply(operation: Operation, item: Item, entry: Mapping[str, Any] | None, redaction: wording.Redaction) -> Reply:
    status = 0 if entry is None else _status_of(entry)
    if entry is None or status < 200 or 300 <= status < 400:
        return Reply(verdict=Verdict.UNKNOWN, code="ambiguous", detail="the answer has no entry for this operation")
    if status < 300:
        return Reply(verdict=Verdict.DONE, account_id=_new_id(entry) if item.step is Step.CREATE else None)
    error = errors.read_error(status, entry.get("response"))
    reply = errors.reply_to(item, error, detail=redaction.apply(error.text))
    if reply.verdict in {Verdict.REFUSED, Verdict.GONE} and len(operation.items) > 1:
        return Reply(verdict=Verdict.RETRY, code="refused", detail=reply.detail)
    return reply


def _new_id(entry: Mapping[str, Any]) -> str | None:
    response = entry.get("response")
    if isinstance(response, dict) and isinstance(response.get("id"), str):
        return str(response["id"])
    location = entry.get("location")
    return _path_of(location).rpartition("/")[2] or None if isinstance(location, str) else None
