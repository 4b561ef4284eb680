"""Several changes of a person that wait together cost no more calls than one."""

from collections.abc import Mapping
from pathlib import Path

from scim_bridge.domain.resources import USER
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder
from scim_bridge.recording.scopes import scopes_of
from scim_bridge.sandbox.benches import delivery_stage as stage
from scim_bridge.sandbox.benches.delivery_finding import Finding, Line
from scim_bridge.sandbox.benches.delivery_stage import Lane, Stage
from scim_bridge.sandbox.benches.front_door import SOURCE, TENANT
from scim_bridge.sandbox.stories.worlds import StageFailed
from scim_bridge.store import directory
from scim_bridge.store.verify import verify_ledger

PART = "edits"
USERS = 2_000
EVENTS = 5
PATIENCE_S = 300.0

KNOWN_SHARE = 10
"""One in so many is edited once more when the target knows them: that may cost a call for each."""

AT_A_TIME = 500

NEW_ONCE, NEW_OFTEN = "calls for new people, one event each", f"calls for new people, {EVENTS} events each"
KNOWN_ONCE, KNOWN_OFTEN = "calls for known people, one event each", f"calls for known people, {EVENTS} events each"
LEARNING = "calls that tell the ids"


def measure(store_url: str, *, store: str, users: int, folder: Path, seed: int) -> Finding:
    """Have new people, then some of the same as known people, delivered with one event each and with several."""
    lane = Lane(name="trakstar")
    calls: dict[str, int] = {}
    with stage.set_up(store_url, [lane], folder=folder, seed=seed) as played, played.working(1) as workers:
        once, often = range(users), range(users, 2 * users)
        known = max(1, users // KNOWN_SHARE)
        # The ids are learned by one call, which neither load should have to itself.
        for name, people, events, is_new in (
            (NEW_ONCE, once, 1, True),
            (NEW_OFTEN, often, EVENTS, True),
            (LEARNING, often[-1:], 1, False),
            (KNOWN_ONCE, once[:known], 1, False),
            (KNOWN_OFTEN, often[:known], EVENTS, False),
        ):
            before = len(played.calls(lane.name))
            with played.paused():
                if is_new:
                    played.owe(people)
                for event in range(1 if is_new else 0, events):
                    rename(played, people, f"Name {name} {event}"[:30])
            played.await_done(workers, patience_s=PATIENCE_S)
            calls[name] = len(played.calls(lane.name)) - before
        faults = [] if verify_ledger(played.store, TENANT)["balanced"] else ["the books do not agree"]
    return Finding(part=PART, store=store, users=users, lines=figures(calls), faults=faults)


def figures(calls: Mapping[str, int]) -> list[Line]:
    """Return the calls of each load, with what the same people cost with one event as the bar of several."""
    return [
        Line(name=NEW_ONCE, value=calls[NEW_ONCE]),
        Line(name=NEW_OFTEN, value=calls[NEW_OFTEN], most=calls[NEW_ONCE]),
        Line(name=KNOWN_ONCE, value=calls[KNOWN_ONCE]),
        Line(name=KNOWN_OFTEN, value=calls[KNOWN_OFTEN], most=calls[KNOWN_ONCE]),
    ]


def rename(played: Stage, people: range, given_name: str) -> None:
    """Record another first name for each of some people, as a sender's requests would."""
    scopes = scopes_of(played.settings.tenant(TENANT))
    for at in range(0, len(people), AT_A_TIME):
        with played.store.begin(TENANT) as tx:
            recorder = Recorder(tx, scopes=scopes, origin=Origin(source=SOURCE, correlation_id="bench"))
            for number in people[at : at + AT_A_TIME]:
                stored = directory.fetch(tx, USER, played.crowd.scim_id(number))
                if stored is None:
                    raise StageFailed("somebody who was put into the directory is not there")
                document = stored.document
                recorder.update(stored, {**document, "name": {**document["name"], "givenName": given_name}})
