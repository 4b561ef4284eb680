"""Reads what HR systems answer: the document of a good answer, or why there is none."""

import base64
import json
from collections.abc import Mapping
from typing import Any, NoReturn

from scim_bridge.domain.instants import Millis
from workers.http import Response
from workers.policy import patience
from workers.targets.port import AnswerLost, CallFailed, CredentialRefused, RateLimited

MOST_BYTES = 4 * 1024 * 1024
"""The largest answer that is read: some fifty people with every field of theirs."""


def basic(user: str, password: str) -> dict[str, str]:
    """Return the header of a credential by HTTP Basic (RFC 7617)."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def document_of(answer: Response, *, now: Millis) -> Mapping[str, Any]:
    """Return the JSON object of a 200.

    Raises:
        CredentialRefused: 401 or 403.
        RateLimited: 429, or a 503 that says how long to wait: BambooHR throttles by 503
            (https://documentation.bamboohr.com/docs/api-details).
        CallFailed: any other status.
        AnswerLost: a 200 that is no JSON object.
    """
    asked_s = patience.seconds_asked(answer.headers, now=now)
    if answer.status in (401, 403):
        raise CredentialRefused("the HR system refuses the credential", status=answer.status)
    if answer.status == 429 or (answer.status == 503 and answer.headers.get("Retry-After") is not None):
        raise RateLimited("the HR system asks for patience", status=answer.status, retry_after_s=asked_s)
    if answer.status != 200:
        raise CallFailed(f"HTTP {answer.status}", status=answer.status)
    try:
        document = json.loads(answer.body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        document = None
    # Out here, so that no traceback chains to the library's error, which quotes the answer.
    if not isinstance(document, dict):
        raise AnswerLost("the answer is no JSON object", status=200)
    return document


def _refuse(constant: str) -> NoReturn:
    """Refuse NaN and the infinities: they are no JSON (RFC 8259 section 6), and no database takes them."""
    raise ValueError(constant)
