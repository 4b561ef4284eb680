"""What every target's answers have in common: statuses that are about the call and not about people, and JSON."""

import json
from typing import Any

from scim_bridge.domain.instants import Millis
from workers.http import Response
from workers.policy import patience
from workers.targets import port


def require_word(response: Response, *, where: str, now: Millis) -> None:
    """Raise for an answer that says nothing of people, whatever the call was; return for all others.

    Raises:
        RateLimited: 429.
        AnswerLost: 5xx and 408; half of a call may have been applied.
        CredentialRefused: a redirect or 407: the configured address is not the target's.
    """
    status = response.status
    if status == 429:
        asked_s = patience.seconds_asked(response.headers, now=now)
        raise port.RateLimited(f"{where} answered 429", retry_after_s=asked_s)
    if status >= 500 or status == 408:
        raise port.AnswerLost(f"{where} answered {status}", status=status)
    if status < 200 or 300 <= status < 400 or status == 407:
        raise port.CredentialRefused(f"{where} answered {status}: check the configured address", status=status)


def json_of(response: Response, *, where: str) -> Any:
    """Return the JSON of a successful answer that must have some.

    Raises:
        AnswerLost: the body is empty, a page, or cut off: nobody knows what was applied.
    """
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError):
        pass
    raise port.AnswerLost(f"{where} answered {response.status} without readable JSON", status=response.status)


def require_plain_success(response: Response, *, where: str) -> None:
    """Accept a successful answer whose body means nothing; it may be empty, or any text but a page or broken JSON.

    Raises:
        AnswerLost: the body is a page or cut-off JSON, so something else than the target answered, or it broke off.
    """
    body = response.body.lstrip()
    if body.startswith((b"{", b"[")):
        json_of(response, where=where)
    elif body.startswith(b"<"):
        raise port.AnswerLost(f"{where} answered {response.status} with a page", status=response.status)


def error_json(response: Response) -> Any:
    """Return the JSON of an error's body, None when it has none that can be read."""
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError):
        return None
