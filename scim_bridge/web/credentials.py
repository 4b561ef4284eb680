"""Where a sender puts its token: in the Authorization header, as a bearer token or as the password of HTTP Basic."""

import base64

_MOST_CHARACTERS = 2_000
"""A token has 85; HTTP Basic puts a user name in front."""


def token_of(authorization: str | None) -> str | None:
    """Return what stands in an Authorization header as a token; None where there is nothing of the kind.

    The scheme's case does not count (RFC 9110, section 11.1), but there must be one. What is returned may be anything.
    """
    if authorization is None or len(authorization) > _MOST_CHARACTERS:
        return None
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip() or None
    if scheme.lower() == "basic":
        return _password_of(value.strip())
    return None


def _password_of(encoded: str) -> str | None:
    """Return the password of HTTP Basic (RFC 7617): what follows the first colon. The user name is not looked at."""
    try:
        pair = base64.b64decode(encoded.encode("ascii"), validate=True)
        return pair.partition(b":")[2].decode("ascii") or None
    except ValueError:
        return None
