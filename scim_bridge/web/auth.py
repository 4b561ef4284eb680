"""Who knocks: bearer tokens, and how often a token may be guessed."""

import threading
from collections import OrderedDict

import structlog
from scim2_models import ForbiddenException, SCIMException, UnauthorizedException

from scim_bridge.domain.instants import Clock, Millis
from scim_bridge.store import tokens
from scim_bridge.store.engine import Store, StoreUnavailable
from scim_bridge.store.tokens import Principal

MAX_FAILURES = 20
WINDOW_MS = 60_000
_MAX_PREFIXES = 10_000

_log = structlog.get_logger(__name__)


class TooManyFailures(SCIMException):
    """Too many wrong tokens with this prefix; wait and use the right one."""

    status = 429
    _default_detail = "Too many wrong tokens. Wait a minute, then use a token that `scim-bridge token list` shows."


class Failures:
    """Counts wrong tokens by their public prefix. A right token is never kept out, however many wrong ones came."""

    def __init__(self, clock: Clock) -> None:
        """Start with none."""
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: OrderedDict[str, tuple[Millis, int]] = OrderedDict()

    def note(self, prefix: str) -> bool:
        """Count one failure; True when there have been too many within a minute."""
        now = self._clock()
        with self._lock:
            since, count = self._windows.pop(prefix, (now, 0))
            if now - since >= WINDOW_MS:
                since, count = now, 0
            self._windows[prefix] = (since, count + 1)
            if len(self._windows) > _MAX_PREFIXES:
                self._windows.popitem(last=False)
            return count + 1 > MAX_FAILURES


class Doorkeeper:
    """Tells who knocks from the Authorization header. The tenant comes from the token and from nothing else."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Ask this store."""
        self._store = store
        self._failures = Failures(clock)
        self._clock = clock
        self._touched: dict[str, Millis] = {}

    def admit(self, authorization: str | None, *, scopes: frozenset[str]) -> Principal:
        """Return whom a request speaks for. Any of the scopes will do.

        Raises:
            UnauthorizedException: no token, or one that is wrong, expired or revoked.
            TooManyFailures: the same, too often.
            ForbiddenException: the token is right but not for this.
            StoreUnavailable: nothing can be known just now.
        """
        value = bearer_of(authorization)
        if value is None:
            raise UnauthorizedException(
                detail="Send a token, made with `scim-bridge token create`, in the header 'Authorization: Bearer ...'"
            )
        principal = tokens.authenticate(self._store, value)
        if principal is None:
            if self._failures.note(tokens.token_id_of(value) or "unknown"):
                raise TooManyFailures
            raise UnauthorizedException(
                detail="The token is unknown, expired or revoked. Make a new one, or rotate it."
            )
        if not principal.scopes & scopes:
            given, needed = ", ".join(sorted(principal.scopes)), " or ".join(sorted(scopes))
            raise ForbiddenException(detail=f"This token is for {given}; this needs one for {needed}")
        self._touch(principal)
        return principal

    def _touch(self, principal: Principal) -> None:
        """Note that a token was used, at most once a minute; a request never fails because of it."""
        now = self._clock()
        if now - self._touched.get(principal.token_id, -tokens.TOUCH_MS) < tokens.TOUCH_MS:
            return
        self._touched[principal.token_id] = now
        try:
            with self._store.begin(principal.tenant) as tx:
                tokens.touch(tx, principal.token_id)
        except StoreUnavailable:
            _log.warning("token_use_not_noted", token_id=principal.token_id)


def bearer_of(authorization: str | None) -> str | None:
    """Return the token of an Authorization header; the scheme's case does not count, but there must be one."""
    scheme, _, value = (authorization or "").strip().partition(" ")
    return (value.strip() or None) if scheme.lower() == "bearer" else None
