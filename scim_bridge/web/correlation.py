"""The id that follows a request from here to its outcome."""

import re
import secrets

HEADER = "X-Request-ID"

_SANE = re.compile(r"[A-Za-z0-9._:+/=-]{1,128}")


def correlation_id_of(given: str | None) -> str:
    """Return the sender's id when it is sane, else a new one."""
    if given is not None and _SANE.fullmatch(given):
        return given
    return secrets.token_hex(12)
