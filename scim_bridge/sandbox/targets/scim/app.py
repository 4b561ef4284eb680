"""A simulated SCIM service as a vendor behind the gate: its credential, and what it offers of RFC 7644."""

import base64
import binascii
import hmac
import random
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from werkzeug.wrappers import Request, Response

from scim_bridge.domain.instants import Clock
from scim_bridge.sandbox.targets import bodies
from scim_bridge.sandbox.targets.holdings import HeldState
from scim_bridge.sandbox.targets.scim import answers, door
from scim_bridge.sandbox.targets.scim.answers import ScimError
from scim_bridge.sandbox.targets.scim.options import ScimOptions
from scim_bridge.sandbox.targets.scim.state import ScimState
from scim_bridge.sandbox.targets.seeds import Refusals, SeedUser

_TEXTS = {401: "Not known here", 403: "Access denied", 429: "Too many requests", 503: "Service unavailable"}


class ScimVendor:
    """Any SCIM 2.0 service. Its credential is a token, or NAME:PASSWORD where the options say `basic`."""

    kind = "scim"

    def __init__(
        self,
        *,
        api_key: str,
        clock: Clock,
        randomness: random.Random,
        options: ScimOptions | None = None,
        refusals: Refusals | None = None,
    ) -> None:
        self._api_key = api_key
        self._clock = clock
        self._randomness = randomness
        self.options = options or ScimOptions()
        self.refusals = refusals or Refusals()
        self.state = ScimState(clock)

    @property
    def paths(self) -> Mapping[str, str]:
        """Path prefix of the service."""
        return {"base_url": self.options.path}

    def credential(self, request: Request) -> str | None:
        """Return the credential when it is the right one."""
        offered = self.offered_credential(request) or ""
        return offered if hmac.compare_digest(offered.encode(), self._api_key.encode()) else None

    def offered_credential(self, request: Request) -> str | None:
        """Return the token, or name and password, that the request bears."""
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.casefold() != self.options.auth:
            return None
        if self.options.auth == "bearer":
            return text.strip()
        try:
            return base64.b64decode(text.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None

    def quota_of(self, credential: str) -> str:
        """Return whose limits a call counts against: the credential's own."""
        return credential

    def classes(self, request: Request) -> Collection[str]:
        """Return `user_write` for what changes users or groups."""
        return ("user_write",) if door.is_write(request) else ()

    def count_items(self, request: Request) -> int:
        """Return how many users or operations the call carries."""
        return door.count_items(request)

    def answer(self, request: Request, at_most: int | None) -> Response:
        """Answer one admitted call."""
        if not request.path.startswith(f"{self.options.path}/"):
            return self.failure(404, request)
        return door.answer(
            request,
            state=self.state,
            options=self.options,
            refusals=self.refusals,
            at_most=at_most,
            randomness=self._randomness,
        )

    def failure(self, status: int, request: Request) -> Response:
        """Return an error of this status in the form that the options ask for."""
        del request
        return answers.scim_error(
            ScimError(status, _TEXTS.get(status, "Something went wrong on our side")), self.options
        )

    def over_limit(self, wait_s: float, request: Request) -> Response:
        """Return 429 with the wait in the form that the options ask for."""
        return answers.with_wait(self.failure(429, request), wait_s, self.options.retry_after, now_ms=self._clock())

    def seed(self, users: Sequence[SeedUser], groups: Sequence[str], courses: Sequence[str]) -> None:
        """Put groups (by name) and users in place; raises ValueError for courses, which SCIM does not know."""
        self.state.seed(users, groups, courses)

    def set_options(self, changes: Mapping[str, Any]) -> None:
        """Change options while running."""
        self.options = bodies.change_options(self.options, dict(changes))

    def held(self) -> HeldState:
        """Return what is held now."""
        return self.state.held()
