"""Answers that are lost, that do not account for everybody, and reads that lag behind: nobody may be made twice."""

from scim_bridge.sandbox.senders.people import Person, generate_people
from scim_bridge.sandbox.stories.play import Play
from scim_bridge.sandbox.stories.setting import SHORTENED_NAMES, Setting, Simulated

SHORT_CALLS = "timeout_s = 3\ntimeout_bulk_s = 3\n"
LAG_S = 6.0
LOST = 6

CREATES = "/api/v3/user"
BULK = "/scim/v2/Bulk"

SETTING = Setting(
    targets=(
        Simulated(name="trakstar", kind="trakstar", keys=SHORT_CALLS, tables=SHORTENED_NAMES),
        Simulated(name="mindtickle", kind="mindtickle", keys=SHORT_CALLS),
    )
)


def lost(played: Play) -> None:
    """Calls are applied, and their answers lost in every way."""
    people = generate_people(60, seed=41)
    played.fault("trakstar", {"answer": "reset", "when": "after", "method": "POST", "path": CREATES})
    played.fault("mindtickle", {"answer": "drop", "when": "after", "method": "POST", "path": BULK})
    played.act = "60 people are pushed; both targets apply the call, and the answer is lost"
    played.push_waiting(people)
    played.await_done()
    _claim_once(played, people)
    played.act = "edits, whose answers are empty, cut off, a page of HTML, or too late"
    for answer in ("empty", "cut", "html"):
        played.fault("trakstar", {"answer": answer, "when": "after", "method": "POST", "path": CREATES + r"/\d+"})
    played.fault("mindtickle", {"answer": "hang", "hang_s": 6.0, "when": "after", "method": "POST", "path": BULK})
    played.stage.pause_lanes()
    played.each(lambda person: played.okta.update_user(person.evolve(family_name="Married")), people[:3])
    played.stage.resume_lanes()
    played.await_done()
    # The simulator is not yet done with the one that came too late.
    played.await_that(lambda: _spoiled(played) == LOST, f"{LOST} answers were lost", within_s=10.0)
    played.claim(f"{LOST} answers were lost on the way, and each was found out by reading back", holds=True)


def partial(played: Play) -> None:
    """Calls of which only a part was applied: a success that does not account for all, and a failure."""
    people = generate_people(60, seed=42)
    played.fault("trakstar", {"answer": "real", "apply": 20, "method": "POST", "path": CREATES})
    played.fault("mindtickle", {"status": 502, "apply": 25, "method": "POST", "path": BULK})
    played.act = "Trakstar adds 20 of 60 and answers 200; MindTickle adds 25 of 60 and answers 502"
    played.push_waiting(people)
    played.await_done()
    sent = {target: _people_sent(played, target, path) for target, path in _CREATING.items()}
    played.claim(
        f"Trakstar was sent {sent['trakstar']} people for 60 (20 of them had arrived), "
        f"MindTickle {sent['mindtickle']} operations (25 had)",
        holds=sent == {"trakstar": 60 + 40, "mindtickle": 60 + 35},
        **sent,
    )
    _claim_nobody_twice(played)


LAGGING = Setting(
    targets=(
        Simulated(
            name="trakstar",
            kind="trakstar",
            options={"read_lag_s": LAG_S},
            keys=SHORT_CALLS,
            tables=SHORTENED_NAMES,
        ),
        Simulated(name="mindtickle", kind="mindtickle", options={"read_lag_s": LAG_S}, keys=SHORT_CALLS),
    )
)


def lagging(played: Play) -> None:
    """The answers to the creates are lost, and for a while no listing shows who was created."""
    people = generate_people(50, seed=43)
    played.fault("trakstar", {"answer": "reset", "when": "after", "method": "POST", "path": CREATES})
    played.fault("mindtickle", {"answer": "reset", "when": "after", "method": "POST", "path": BULK})
    played.act = f"50 people are pushed, the answers are lost, and listings lag by {LAG_S:g} s"
    played.push_waiting(people)
    played.await_done()
    _claim_once(played, people)


_CREATING = {"trakstar": CREATES, "mindtickle": BULK}


def _people_sent(played: Play, target: str, path: str) -> int:
    return sum(call["items"] for call in played.calls(target, method="POST", ending=path))


def _spoiled(played: Play) -> int:
    return sum(call["fault"] is not None for target in played.stage.worlds for call in played.calls(target))


def _claim_once(played: Play, people: list[Person]) -> None:
    sent = {target: _people_sent(played, target, path) for target, path in _CREATING.items()}
    played.claim(
        f"each of the {len(people)} was sent to each target once, and read back; no second create",
        holds=set(sent.values()) == {len(people)},
        **sent,
    )
    _claim_nobody_twice(played)


def _claim_nobody_twice(played: Play) -> None:
    twice = [name for world in played.stage.worlds.values() for name in world.state().duplicates()]
    played.claim("no address is in any target twice", holds=not twice)
