"""What a SCIM service's answers mean: for a call as a whole, and for each person in it."""

from collections.abc import Mapping

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.people import Step
from scim_bridge.domain.replies import Answer, Reply, Verdict
from workers.http import Response
from workers.targets import port, reading, wording
from workers.targets.scim import errors
from workers.targets.scim.mapping import Operation


def answer_of(told: Mapping[int, Reply]) -> Answer:
    """Return the answer of a call that wrote, with what may be kept of it."""
    verdicts = [str(reply.verdict) for reply in told.values()]
    return Answer(
        replies=dict(told), redacted={"verdicts": {each: verdicts.count(each) for each in dict.fromkeys(verdicts)}}
    )


def require_success(response: Response, *, where: str, now: Millis) -> None:
    """Return when a call for many, or for nobody, was answered with success.

    Raises:
        CallFailed: one of its children, by the status.
    """
    reading.require_word(response, where=where, now=now)
    status = response.status
    if status in {401, 403}:
        raise port.CredentialRefused(f"{where} answered {status}: check the credential", status=status)
    if status in {404, 405, 410}:
        raise port.CredentialRefused(f"{where} answered {status}: check the configured address", status=status)
    if status >= 400:
        raise port.BatchRefused(_detail(where, response), status=status)


def read_single(operation: Operation, response: Response, *, now: Millis) -> dict[int, Reply]:
    """Return the reply for each item of one request: one person's, or the members of one group.

    Raises:
        CallFailed: one of its children; a refusal of several members at once is BatchRefused.
    """
    step = operation.items[0].step
    where = f"{operation.method} /{operation.path.split('/')[1]}"
    status = response.status
    if status != 501 and (status >= 500 or status in {401, 403, 408, 429} or 300 <= status < 400):
        require_success(response, where=where, now=now)
    if status in {404, 405} and step is Step.CREATE:
        require_success(response, where=where, now=now)
    if status < 300:
        account_id = _shown_id(response, where) if status != 204 else None
        done = Reply(verdict=Verdict.DONE, account_id=account_id if step is Step.CREATE else None)
        return {item.person.operation_id: done for item in operation.items}
    error = errors.read_error(status, reading.error_json(response) or response.body.decode(errors="replace"))
    detail = wording.Redaction(item.desired for item in operation.items).apply(error.text)
    reply = errors.reply_to(operation.items[0], error, detail=detail)
    if len(operation.items) > 1 and reply.verdict in {Verdict.REFUSED, Verdict.GONE}:
        raise port.BatchRefused(detail or f"{where} answered {status}", status=status)
    return {item.person.operation_id: errors.reply_to(item, error, detail=detail) for item in operation.items}


def _shown_id(response: Response, where: str) -> str | None:
    shown = reading.json_of(response, where=where)
    identifier = shown.get("id") if isinstance(shown, dict) else None
    return identifier if isinstance(identifier, str) else None


def _detail(where: str, response: Response) -> str:
    error = errors.read_error(response.status, reading.error_json(response))
    return f"{where} answered {response.status} {error.kind}".rstrip()
