"""People who leave: many at once, and one in front of a long line."""

import shlex

from scim_bridge.sandbox.senders.people import generate_people
from scim_bridge.sandbox.stories.play import Play
from scim_bridge.sandbox.stories.setting import SHORTENED_NAMES, Setting, Simulated
from scim_bridge.sandbox.stories.stage import TENANT

LEAVING = 16
GONE_AT_ONCE = 9
"""The guard applies from the tenth deactivation of a window on, and 10 % of 40 people are fewer than that."""

MASS = Setting(
    targets=(
        Simulated(
            name="trakstar",
            kind="trakstar",
            options={"bulk_archive": True},
            keys='bulk_archive = "on"\n',
            tables=SHORTENED_NAMES,
        ),
        Simulated(name="mindtickle", kind="mindtickle"),
    )
)


def mass(played: Play) -> None:
    """Two people of five are deactivated at once, as a wrong filter in an identity provider does it."""
    people = generate_people(40, seed=61)
    played.act = "40 people are pushed and delivered"
    played.push_waiting(people)
    played.await_done()
    played.act = f"{LEAVING} of 40 are deactivated at once"
    played.stage.pause_lanes()
    played.each(lambda person: played.okta.deactivate(person.user_name), people[:LEAVING])
    played.stage.resume_lanes()
    played.await_done()
    counts = {name: world.state().counts for name, world in played.stage.worlds.items()}
    gone = {name: count["inactive"] for name, count in counts.items()}
    played.claim(
        f"the guard let {GONE_AT_ONCE} go in each target and holds the other {LEAVING - GONE_AT_ONCE}",
        holds=set(gone.values()) == {GONE_AT_ONCE},
        **gone,
    )
    config = str(played.stage.config)
    listing = ("hold", "list", "--tenant", TENANT)
    releasing = ("hold", "release", "--tenant", TENANT, "--all", "--reason", "checked with HR")
    for words in (listing, releasing, (*releasing[:1], "reject", *releasing[2:])):
        played.say(f"operator: scim-bridge {shlex.join([*words, '--config', config])}")
    if not played.once:
        for name, world in played.stage.worlds.items():
            held = [p for p in people[:LEAVING] if (account := world.state().find(p.user_name)) and account.active]
            played.excuse(name, held, "guard_held")
        return
    listed = played.stage.command(*listing)
    played.act = "an operator has looked at the list, and releases them"
    played.stage.command(*releasing)
    played.await_done()
    played.claim(
        f"after hold list (in both targets {listed.splitlines()[-1]}) and hold release, all {LEAVING} are out",
        holds=all(world.state().counts["inactive"] == LEAVING for world in played.stage.worlds.values()),
    )


FIRST = Setting(targets=(Simulated(name="trakstar", kind="trakstar", limits="10/4", tables=SHORTENED_NAMES),))
MOST_BEFORE = 4
"""Calls that may be out at once when the leaver comes."""


def first(played: Play) -> None:
    """A leaver comes when sixty edits wait, of which Trakstar takes one a call."""
    people = generate_people(61, seed=62)
    leaver, edited = people[0], people[1:]
    played.act = "61 people are pushed and delivered"
    played.push_waiting(people)
    played.await_done()
    played.act = "60 of them are edited, one a call; then one leaves"
    played.stage.pause_lanes()
    played.each(lambda person: played.okta.update_user(person.evolve(family_name="Married")), edited)
    played.stage.resume_lanes()
    played.await_that(lambda: len(_edits(played)) >= 5, "the first edits have arrived", within_s=15.0)
    played.okta.deactivate(leaver.user_name)
    accepted_ms = _now_ms(played)
    played.await_done()
    [archived] = played.calls("trakstar", method="POST", ending="/archive")
    times = [call["arrived_ms"] for call in _edits(played)]
    before = sum(accepted_ms < at < archived["arrived_ms"] for at in times)
    after = sum(at > archived["arrived_ms"] for at in times)
    played.claim(
        f"Trakstar heard of the leaver {(archived['arrived_ms'] - accepted_ms) / 1000:.1f} s after Okta was answered: "
        f"{before} edits came between, {after} waited behind",
        holds=before <= MOST_BEFORE and after > 20,
        before=before,
        after=after,
    )


def _edits(played: Play) -> list[dict[str, int]]:
    calls = played.calls("trakstar", method="POST")
    return [dict(call) for call in calls if call["path"].rsplit("/", 1)[-1].isdigit()]


def _now_ms(played: Play) -> int:
    with played.stage.store.begin(TENANT, write=False) as tx:
        return tx.now
