"""`scim-bridge bench delivery`: what reaches the targets, in how many calls, and how soon."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console

from scim_bridge.sandbox.benches import (
    databases,
    delivery_backlog,
    delivery_choosing,
    delivery_creates,
    delivery_edits,
    delivery_hung,
    delivery_leavers,
    delivery_poison,
    delivery_replay,
    figures,
)
from scim_bridge.sandbox.benches.delivery_finding import Finding

ALL = "all"


class Measure(Protocol):
    """Plays one part over an empty, migrated database."""

    def __call__(self, store_url: str, *, store: str, users: int, folder: Path, seed: int) -> Finding:
        """Return what was found."""


PARTS: Mapping[str, tuple[int, Measure]] = {
    delivery_creates.PART: (delivery_creates.USERS, delivery_creates.measure),
    delivery_edits.PART: (delivery_edits.USERS, delivery_edits.measure),
    delivery_backlog.PART: (delivery_backlog.USERS, delivery_backlog.measure),
    delivery_leavers.PART: (delivery_leavers.USERS, delivery_leavers.measure),
    delivery_choosing.PART: (delivery_choosing.USERS, delivery_choosing.measure),
    delivery_poison.PART: (delivery_poison.USERS, delivery_poison.measure),
    delivery_hung.PART: (delivery_hung.USERS, delivery_hung.measure),
    delivery_replay.PART: (delivery_replay.USERS, delivery_replay.measure),
}
"""Each part with the number of users that its promise is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be measured."""

    stores: Sequence[str]
    parts: Sequence[str]
    users: int | None
    """None: of each part as many as its promise is about."""
    seed: int
    postgres_url: str | None = field(default=None, repr=False)
    parent: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found, and what of it misses its bar."""

    seed: int
    findings: Sequence[Finding]

    @property
    def missed(self) -> list[str]:
        """Return a sentence for everything that went wrong, or misses its bar."""
        return [fault for finding in self.findings for fault in finding.missed]

    def to_json(self) -> dict[str, Any]:
        """Return the report as `--json` prints it."""
        return {"seed": self.seed, "parts": [each.to_json() for each in self.findings], "missed": self.missed}

    def show(self, console: Console) -> None:
        """Print one table."""
        rows = [row for finding in self.findings for row in finding.rows()]
        headings = ["part", "database", "users", "figure", "value", "bar"]
        figures.print_table("Delivery to simulated targets", headings, rows, console=console)


def chosen(parts: Sequence[str]) -> tuple[str, ...]:
    """Return the parts that a choice means, in the order in which they are played."""
    return tuple(name for name in PARTS if ALL in parts or name in parts)


def run(order: Order, *, console: Console) -> Report:
    """Play every part on every database; everything is removed at the end. Progress goes to the console.

    Raises:
        UsageError: there is no such database, or nothing can be written.
        BenchFailed, StageFailed: something is answered wrongly, does not start, or comes to no end.
    """
    databases.check(order.stores, postgres_url=order.postgres_url)
    found: list[Finding] = []
    for store in order.stores:
        for part in order.parts:
            usual, measure = PARTS[part]
            users = usual if order.users is None else order.users
            began = time.monotonic()
            # A database and a folder of its own: no part finds what another one left.
            with (
                databases.folder(order.parent) as folder,
                databases.made(store, folder=folder, postgres_url=order.postgres_url) as url,
            ):
                found.append(measure(url, store=store, users=users, folder=folder, seed=order.seed))
            console.print(f"{store}: {part} took {time.monotonic() - began:.0f} s", highlight=False)
    return Report(seed=order.seed, findings=found)
