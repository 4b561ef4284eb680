"""Who knocks: tokens, from where they may come, how often they may be used and how often they may be guessed."""

import threading
from collections import OrderedDict

import structlog
from scim2_models import ForbiddenException, SCIMException, UnauthorizedException

from scim_bridge import metrics
from scim_bridge.domain import networks
from scim_bridge.domain.instants import Clock, Millis
from scim_bridge.store import tokens
from scim_bridge.store.engine import Store, StoreUnavailable
from scim_bridge.store.tokens import Principal
from scim_bridge.web import credentials
from scim_bridge.web.pace import Pace
from scim_bridge.web.recognition import Recognition

MAX_FAILURES = 20
WINDOW_MS = 60_000
_MAX_PREFIXES = 10_000

_ENDED = {
    tokens.Fault.REVOKED: "This token is revoked.",
    tokens.Fault.EXPIRED: "This token has expired.",
}

_log = structlog.get_logger(__name__)


class WaitFirst(SCIMException):
    """The request may come again, later."""

    status = 429

    def __init__(self, *, detail: str, retry_after_s: int) -> None:
        """Say why, and after how many seconds it may."""
        super().__init__(detail=detail)
        self.retry_after_s = retry_after_s


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

    def __init__(self, store: Store, clock: Clock, pace: Pace | None = None) -> None:
        """Ask this store; hold each token to this pace, where there is one."""
        self._store = store
        self._failures = Failures(clock)
        self._recognition = Recognition(clock)
        self._pace = pace
        self._clock = clock
        self._touched: dict[str, Millis] = {}

    def admit(self, authorization: str | None, *, address: str | None, scopes: frozenset[str]) -> Principal:
        """Return whom a request from an address speaks for; any of the scopes will do.

        Raises:
            UnauthorizedException: no token, or one that is wrong, expired or revoked.
            ForbiddenException: the token is right but not for this, or not from there.
            WaitFirst: wrong tokens, or requests of this token, come too often.
            StoreUnavailable: nothing can be known just now.
        """
        principal = self._recognise(authorization)
        if principal.networks is not None:
            _check_network(principal, address)
        if not principal.scopes & scopes:
            given, needed = ", ".join(sorted(principal.scopes)), " or ".join(sorted(scopes))
            raise _refused(
                "scope", ForbiddenException(detail=f"This token is for {given}; this needs one for {needed}")
            )
        self._keep_to_the_pace(principal)
        self._touch(principal)
        return principal

    def recognise_again(self, token_id: str, address: str | None) -> Principal | None:
        """Return whom a token stands for that was shown before, None when it is no good any more, or not from there.

        Raises:
            WaitFirst: requests of this token come too often.
            StoreUnavailable: nothing can be known just now.
        """
        principal = tokens.living(self._store, token_id)
        if principal is None or not principal.may_come_from(networks.parse_address(address)):
            return None
        self._keep_to_the_pace(principal)
        self._touch(principal)
        return principal

    def _recognise(self, authorization: str | None) -> Principal:
        value = credentials.token_of(authorization)
        if value is None:
            raise _refused(
                "malformed" if authorization else "missing",
                UnauthorizedException(
                    detail="Send a token, made with `scim-bridge token create`, in the header"
                    " 'Authorization: Bearer ...', or as the password of HTTP Basic."
                ),
            )
        found = self._look_up(value)
        if isinstance(found, Principal):
            return found
        if found in _ENDED:
            # Whoever knows all of a token may know this of it, and is not guessing.
            raise _refused(found.value, UnauthorizedException(detail=f"{_ENDED[found]} Ask for a new one."))
        prefix = tokens.token_id_of(value)
        # What has no token's shape cannot be a guess, and costs nothing.
        if prefix is not None and self._failures.note(prefix):
            raise _refused(
                "guessed",
                WaitFirst(
                    detail="Too many wrong tokens. Wait a minute, then use one that `scim-bridge token list` shows.",
                    retry_after_s=WINDOW_MS // 1000,
                ),
            )
        raise _refused(
            found.value,
            UnauthorizedException(
                detail="There is no such token. `scim-bridge token list` shows those that there are."
            ),
        )

    def _look_up(self, value: str) -> Principal | tokens.Fault:
        if tokens.token_id_of(value) is None:
            return tokens.Fault.MALFORMED
        digest = tokens.digest_of(value)
        known = self._recognition.recall(digest)
        if known is not None and not self._recognition.is_to_be_asked_again(digest):
            return known
        asked_at = self._clock()
        try:
            found = tokens.authenticate(self._store, value)
        except StoreUnavailable:
            # What was asked ahead of time was known still, and may be.
            known = self._recognition.recall(digest)
            if known is None:
                raise
            return known
        if isinstance(found, Principal):
            self._recognition.keep(digest, found, asked_at=asked_at)
        else:
            self._recognition.forget(digest)
        return found

    def _keep_to_the_pace(self, principal: Principal) -> None:
        if self._pace is not None and (wait_s := self._pace.wait_s(principal.token_id)):
            metrics.PACED.labels(tenant=principal.tenant, token_id=principal.token_id).inc()
            raise WaitFirst(
                detail=f"This token makes more than {self._pace.requests_per_s} requests in a second."
                f" Try again in {wait_s} s; web.requests_per_s is the limit.",
                retry_after_s=wait_s,
            )

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


def _check_network(principal: Principal, address: str | None) -> None:
    seen = networks.parse_address(address)
    if principal.may_come_from(seen):
        return
    where = f"from {seen}" if seen is not None else "from an address that the proxies in front do not tell"
    raise _refused(
        "network",
        ForbiddenException(
            detail=f"The request comes {where}; this token is only good from the networks that"
            " `scim-bridge token list` shows."
        ),
    )


def _refused(reason: str, answer: SCIMException) -> SCIMException:
    """Count why somebody is kept out, and return the answer to raise."""
    metrics.REFUSED.labels(reason=reason).inc()
    return answer
