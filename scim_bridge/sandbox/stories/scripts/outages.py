"""Targets that cannot or will not work for a while: limits, outages, dead keys, silence."""

import itertools
import time
from collections.abc import Mapping
from email.utils import formatdate

from scim_bridge.sandbox.senders.people import generate_people
from scim_bridge.sandbox.stories.play import Play
from scim_bridge.sandbox.stories.scripts.answers import SHORT_CALLS
from scim_bridge.sandbox.stories.setting import MINDTICKLE, SHORTENED_NAMES, Setting, Simulated

DATE_S = 4
DEFAULT_WAIT_S = 2.0
"""What is waited when the target names no time."""

FORMS: tuple[tuple[str, Mapping[str, str], float], ...] = (
    ("Retry-After: 3", {"Retry-After": "3"}, 3.0),
    ("retry-after-ms: 1500", {"retry-after-ms": "1500"}, 1.5),
    ("no header", {}, DEFAULT_WAIT_S),
    ("Retry-After: 0", {"Retry-After": "0"}, DEFAULT_WAIT_S),
    ("Retry-After: soon", {"Retry-After": "soon"}, DEFAULT_WAIT_S),
)
"""How targets ask for patience: in words, as headers, and the least seconds that it means. A date comes before them."""


def rate_limit(played: Play) -> None:
    """Both targets answer 429, once in each form."""
    played.act = "both targets refuse six calls with 429, each time with another word about the wait"
    played.stage.pause_lanes()
    played.push(generate_people(20, seed=51))
    # HTTP-dates have whole seconds.
    until_s = int(time.time()) + DATE_S
    headers = [{"Retry-After": formatdate(until_s, usegmt=True)}, *(dict(given) for _, given, _ in FORMS)]
    for target in played.stage.worlds:
        played.fault(target, *({"status": 429, "headers": each} for each in headers))
    played.stage.resume_lanes()
    played.await_done()
    for target in played.stage.worlds:
        calls = played.calls(target)[: len(headers) + 1]
        waits = [after["arrived_s"] - before["arrived_s"] for before, after in itertools.pairwise(calls)]
        kept = [wait >= least for wait, (_, _, least) in zip(waits[1:], FORMS, strict=True)]
        told = ", ".join(f"{text} -> {wait:.1f} s" for wait, (text, _, _) in zip(waits[1:], FORMS, strict=True))
        played.claim(
            f"{target} was waited for as it asked: a date -> {waits[0]:.1f} s, {told}",
            holds=all(kept) and calls[1]["arrived_ms"] >= until_s * 1000,
        )


def outage(played: Play) -> None:
    """Trakstar answers 503 for a while."""
    people = generate_people(6, seed=52)
    played.act = "six people are pushed and delivered"
    played.push_waiting(people)
    played.await_done()
    played.fault("trakstar", {"status": 503, "times": None})
    played.act = "Trakstar answers everything with 503; all six are edited"
    played.stage.pause_lanes()
    played.each(lambda person: played.okta.update_user(person.evolve(family_name="Married")), people)
    played.stage.resume_lanes()
    took_s = played.await_state("trakstar", "breaker")
    refused = len(_failed(played, "trakstar"))
    played.mend("trakstar")
    played.act = (
        f"the breaker is open after {refused} failed calls; Trakstar is well again, and nobody tells the bridge"
    )
    began = time.monotonic()
    played.await_done()
    calls = played.calls("trakstar")
    last_failed = max(place for place, call in enumerate(calls) if call["fault"])
    probe = calls[last_failed + 1]
    played.claim(
        f"the breaker opened {took_s:.1f} s after the edits came; {len(_failed(played, 'trakstar'))} calls failed",
        holds=5 <= refused <= 8,
    )
    played.claim(
        f"one probe ({probe['method']}) closed it, and all edits were in {time.monotonic() - began:.1f} s later",
        holds=probe["method"] == "GET",
    )
    _claim_no_attempt_burned(played)


def dead_key(played: Play) -> None:
    """Trakstar refuses the key, MindTickle the company; both are put right without anybody telling the bridge."""
    people = generate_people(30, seed=53)
    played.fault("trakstar", {"status": 401, "times": None})
    played.world("mindtickle").control("POST", "options", {"company_id": "renamed"})
    played.act = "30 people are pushed; Trakstar answers 401 (dead key), MindTickle 403 (stale company id)"
    played.push_waiting(people)
    for target in played.stage.worlds:
        played.await_state(target, "quarantined")
    why = {target: str(played.stage.lane(target)["why"]) for target in played.stage.worlds}
    asked = {target: len(played.calls(target)) for target in played.stage.worlds}
    played.act = "both lanes are quarantined; now the key and the company are put right"
    played.mend("trakstar")
    played.world("mindtickle").control("POST", "options", {"company_id": "acme"})
    began = time.monotonic()
    played.await_done()
    told = "; ".join(f"{target}: {reason}" for target, reason in why.items())
    played.claim(f"status told why ({told})", holds="401" in why["trakstar"] and "403" in why["mindtickle"])
    played.claim(
        f"the dead key cost {asked['trakstar']} and {asked['mindtickle']} calls, and the lanes went on by themselves "
        f"{time.monotonic() - began:.1f} s after it worked again",
        holds=max(asked.values()) <= 6,
        **asked,
    )
    _claim_no_attempt_burned(played)


HUNG = Setting(
    targets=(Simulated(name="trakstar", kind="trakstar", keys=SHORT_CALLS, tables=SHORTENED_NAMES), MINDTICKLE)
)


def hung(played: Play) -> None:
    """Trakstar takes calls and says nothing."""
    people = generate_people(120, seed=54)
    played.fault("trakstar", {"answer": "hang", "hang_s": 60.0, "times": None})
    played.act = "120 people are pushed; Trakstar takes the call and never answers"
    began = time.monotonic()
    played.push(people)
    played.await_that(
        lambda: played.world("mindtickle").state().counts["accounts"] == len(people),
        "MindTickle has everybody",
        within_s=30.0,
    )
    flowed_s = time.monotonic() - began
    stuck = played.world("trakstar").state().counts["accounts"]
    played.mend("trakstar")
    played.act = "MindTickle has everybody; now Trakstar answers again"
    played.await_done()
    played.claim(
        f"MindTickle had all 120 after {flowed_s:.1f} s, pushing included, while Trakstar had {stuck}",
        holds=stuck == 0,
    )
    _claim_no_attempt_burned(played)


def _failed(played: Play, target: str) -> list[Mapping[str, object]]:
    return [call for call in played.calls(target) if call["fault"]]


def _claim_no_attempt_burned(played: Play) -> None:
    dead = {target: played.stage.lane(target)["dead"] for target in played.stage.worlds}
    played.claim(
        "nobody was given up: a call that fails as a whole burns no one's attempts", holds=not any(dead.values())
    )
