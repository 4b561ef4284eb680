"""The port that each kind of simulated target implements; everything around it is shared."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from werkzeug.wrappers import Request, Response

from scim_bridge.sandbox.targets.holdings import HeldState
from scim_bridge.sandbox.targets.seeds import Refusals, SeedUser


class Vendor(Protocol):
    """The rules and the state of one kind of target, without limits, faults or sockets."""

    kind: str
    refusals: Refusals

    @property
    def paths(self) -> Mapping[str, str]:
        """Path prefix of each base URL, by the name that the bridge's configuration gives it."""

    def credential(self, request: Request) -> str | None:
        """Return the credential that the request bears when it is a valid one, else None."""

    def offered_credential(self, request: Request) -> str | None:
        """Return the credential that the request bears, valid or not."""

    def quota_of(self, credential: str) -> str:
        """Return whose limits a call with this credential counts against."""

    def classes(self, request: Request) -> Collection[str]:
        """Return the classes of limits that the call belongs to, beside `all`."""

    def count_items(self, request: Request) -> int:
        """Return how many users or operations the call carries, without judging them."""

    def answer(self, request: Request, at_most: int | None) -> Response:
        """Apply the call and answer it; with `at_most`, apply only its first so many users or operations."""

    def failure(self, status: int, request: Request) -> Response:
        """Return an error of this status in the form that the vendor gives it."""

    def over_limit(self, wait_s: float, request: Request) -> Response:
        """Return what the vendor says to a call that is refused for `wait_s` more seconds."""

    def seed(self, users: Sequence[SeedUser], groups: Sequence[str], courses: Sequence[str]) -> None:
        """Put users, groups and courses in place."""

    def set_options(self, changes: Mapping[str, Any]) -> None:
        """Change options while running; raises ValueError for unknown or wrong ones."""

    def held(self) -> HeldState:
        """Return what is held now."""
