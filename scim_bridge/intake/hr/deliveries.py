"""What comes through the door for HR events: a signed delivery, and what it tells of each person."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.rows import Refusal, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A right signature: what tells the delivery from every other, and when the sender says that it was signed."""

    mark: str
    at: Millis | None = None
    """None where the sender signs no time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a delivery tells of one person. `fields` of its row still hold all that was sent."""

    row: Row
    event_id: str | None = None
    """The sender's own id of the event, by which it is recognised when it comes again."""
    refusal: Refusal | None = None
    """Why nothing can be made of it; the others of the delivery are not concerned."""


def takes_any_key(secret: bytes) -> bytes:
    """Return the key that a secret is, where any text is one."""
    return secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """One kind of source that sends events: how it signs, and what its deliveries say."""

    headers: tuple[str, ...]
    """What is read of a request's headers, besides its content type."""
    verify: Callable[[bytes, Mapping[str, str], bytes], Signed]
    """From key, headers and body as sent; raises WebhookRefused where the signature is not right."""
    read: Callable[[bytes, str | None, Signed], Sequence[Told]]
    """From body and content type; empty for an event that is about nobody, WebhookRefused for what is no event."""
    key_of: Callable[[bytes], bytes] = takes_any_key
    """The key of a configured secret; raises ValueError where it is none."""
