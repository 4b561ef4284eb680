"""What is asked of a fetcher: the people with these ids, as the HR system has them now."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Fields = Mapping[str, Any]
"""A person as the source's mapping reads rows: names of the HR system, without what nobody asked for."""


class Fetcher(Protocol):
    """Speaks to one HR system with one credential. Thread-safe."""

    at_once: int
    """How many people one call may ask for."""

    def fetch(self, ids: Sequence[str], *, deadline_s: float) -> Mapping[str, Fields]:
        """Make one call and return those whom the HR system shows us, by the id that was asked for.

        Whoever is not among them is unknown there, or hidden from our credential: nothing follows from it.

        Raises:
            CredentialRefused: it refuses the credential (401, 403).
            RateLimited: it asks for patience.
            CallFailed: there was no answer, or none that can be read.
        """

    def close(self) -> None:
        """Close its connections."""
