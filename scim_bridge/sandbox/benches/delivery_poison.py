"""One user whom the target refuses a whole call for, among many whom it takes."""

from collections.abc import Sequence
from pathlib import Path

from scim_bridge.domain.states import State
from scim_bridge.sandbox.benches import delivery_arrivals as arrivals
from scim_bridge.sandbox.benches import delivery_stage as stage
from scim_bridge.sandbox.benches.delivery_arrivals import Arrival
from scim_bridge.sandbox.benches.delivery_edits import rename
from scim_bridge.sandbox.benches.delivery_finding import Finding, Line
from scim_bridge.sandbox.benches.delivery_stage import Lane
from scim_bridge.sandbox.benches.front_door import TENANT
from scim_bridge.store import tallies
from scim_bridge.store.verify import verify_ledger

PART = "poison"
USERS = 200
MOST_EXTRA = 17
POISON = 137
"""The number of the one; anywhere but at an end."""

PATIENCE_S = 60.0
TOO_LONG = "x" * 60


def measure(store_url: str, *, store: str, users: int, folder: Path, seed: int) -> Finding:
    """Have one call's people delivered, one of whom breaks the target's schema. `users` is as promised, always."""
    del users
    # The bridge knows the length that Trakstar documents; it is told of a longer one, so that the target finds out.
    lane = Lane(name="trakstar", fields="[tenants.targets.fields.firstName]\nmax_length = 100\n")
    with stage.set_up(store_url, [lane], folder=folder, seed=seed) as played:
        played.owe(range(USERS))
        rename(played, range(POISON, POISON + 1), TOO_LONG)
        with played.working(1) as workers:
            played.await_done(workers, patience_s=PATIENCE_S)
        log = arrivals.read(played.calls(lane.name))
        with played.store.begin(TENANT, write=False) as tx:
            tally = tallies.tally(tx)
        faults = [] if verify_ledger(played.store, TENANT)["balanced"] else ["the books do not agree"]
        lines = figures(
            log,
            held=played.worlds[lane.name].state().counts["accounts"],
            dead=tally.of(lane.name, State.DEAD),
        )
    return Finding(part=PART, store=store, users=USERS, lines=lines, faults=faults)


def figures(log: Sequence[Arrival], *, held: int, dead: int) -> list[Line]:
    """Return who arrived, and what that cost beyond the one call that all would have taken."""
    return [
        Line(name="users in the target", value=held, least=USERS - 1),
        Line(name="users told apart as refused", value=dead, least=1, most=1),
        Line(name="extra calls", value=len(log) - 1, most=MOST_EXTRA),
    ]
