"""What an HR system says over some minutes: of whom, in which order it arrives, and what must be known in the end."""

import hashlib
import hmac
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass

from scim_bridge.domain.instants import Millis

DUPLICATES = 0.1
OUT_OF_ORDER = 0.05

_FURTHEST = 20
"""So many places later an event may arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event: the person, and what the source says at an instant."""

    number: int
    person: int
    said_at: Millis

    def body(self) -> bytes:
        """Return the event as a source of kind `generic` sends it."""
        fields = {
            "email": f"person{self.person}@example.com",
            "firstName": "Person",
            "lastName": f"No {self.person}",
            "title": self.title,
            "status": "active",
            "ssn": "000-00-0000",
        }
        event = {
            "event_id": f"e-{self.number}",
            "event": "saved",
            "id": f"{self.person:06}",
            "occurred_at": self.said_at,
            "fields": fields,
        }
        return json.dumps(event).encode()

    @property
    def title(self) -> str:
        """Return what is new in it."""
        return f"Title {self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The events in the order in which they arrive, some of them twice."""

    arriving: Sequence[Event]
    duplicates: int
    late: int

    def titles(self) -> dict[str, str]:
        """Return whom the directory must hold in the end by userName, with what was said of each last."""
        last: dict[int, Event] = {}
        for event in self.arriving:
            known = last.get(event.person)
            if known is None or known.said_at < event.said_at:
                last[event.person] = event
        return {f"person{person}@example.com": event.title for person, event in last.items()}


def make(*, count: int, people: int, first_at: Millis, every_ms: float, seed: int) -> Plan:
    """Return a plan of so many arrivals; a tenth of them came before, a twentieth are late."""
    dice = random.Random(seed)  # noqa: S311 - the same events for the same seed
    twice = round(count * DUPLICATES)
    said = [
        Event(number=number, person=dice.randrange(people), said_at=first_at + round(number * every_ms))
        for number in range(count - twice)
    ]
    places = {event.number: float(event.number) for event in said}
    late = dice.sample(range(len(said)), round(len(said) * OUT_OF_ORDER))
    for number in late:
        places[number] += dice.randint(1, _FURTHEST) + 0.5
    again = [
        (places[number] + dice.randint(1, 10 * _FURTHEST) + 0.25, number)
        for number in dice.sample(range(len(said)), twice)
    ]
    arrivals = sorted([(place, number) for number, place in places.items()] + again)
    return Plan(arriving=[said[number] for _, number in arrivals], duplicates=twice, late=len(late))


def request(path: str, event: Event, *, secret: str, at_s: int) -> bytes:
    """Return the bytes of the request that tells of an event, signed anew as each is."""
    body = event.body()
    signature = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    head = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"X-SCIM-Bridge-Timestamp: {at_s}",
        f"X-SCIM-Bridge-Signature: {signature}",
    ]
    return "\r\n".join([*head, "", ""]).encode() + body
