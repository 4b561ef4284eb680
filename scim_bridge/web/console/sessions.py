"""Who sits at the console: a signed cookie that holds a token's id, checked against the store at every request."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from itsdangerous import BadSignature, URLSafeTimedSerializer

from scim_bridge.store.tokens import Principal

COOKIE = "scim_bridge_console"
LASTS_S = 12 * 3600
"""After so long one signs in again."""

TOLD_S = 60
"""So long a page may tell what the action before it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One sign-in."""

    token_id: str
    nonce: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who asks for a page, and what its forms must send back to be believed."""

    principal: Principal
    session: Session
    csrf: str = field(repr=False)


class Sessions:
    """Makes and reads what the browser keeps. Signed, not secret: it holds a token's id and no token."""

    def __init__(self, secret: bytes) -> None:
        """Sign with this secret; every web process needs the same."""
        self._secret = hashlib.sha256(b"console" + secret).digest()
        self._cookies = URLSafeTimedSerializer(self._secret, salt="session")

    def begin(self, token_id: str) -> str:
        """Return the cookie of a new session."""
        return str(self._cookies.dumps([token_id, secrets.token_hex(16)]))

    def read(self, cookie: str | None) -> Session | None:
        """Return the session of a cookie; None: it is not ours, or too old."""
        if not cookie:
            return None
        try:
            token_id, nonce = self._cookies.loads(cookie, max_age=LASTS_S)
        except (BadSignature, ValueError, TypeError):
            return None
        return Session(token_id=token_id, nonce=nonce)

    def csrf_of(self, session: Session) -> str:
        """Return what a form of this session sends along, which no other site can know."""
        return hmac.new(self._secret, session.nonce.encode(), hashlib.sha256).hexdigest()

    def tell(self, text: str, session: Session) -> str:
        """Return a text that the next page of a session may show, so that nobody else can put words there."""
        return str(self._teller(session).dumps(text))

    def told(self, signed: str | None, session: Session) -> str | None:
        """Return what `tell` was given, None when it was not told to this session, or long ago."""
        try:
            return str(self._teller(session).loads(signed, max_age=TOLD_S)) if signed else None
        except BadSignature:
            return None

    def _teller(self, session: Session) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._secret, salt=f"told {session.nonce}")
