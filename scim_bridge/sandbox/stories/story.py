"""The default story: what an Okta-like and an Entra-like sender do, in which order, over real HTTP."""

from scim_bridge.sandbox.senders.people import Person
from scim_bridge.sandbox.stories import bounds, cast, singles
from scim_bridge.sandbox.stories.cast import Cast
from scim_bridge.sandbox.stories.play import Play
from scim_bridge.sandbox.stories.setting import Setting

SETTING = Setting(sources=("okta", "entra"), groups=("Sales", "Engineering", "Customer Success"))

MOST_SINGLES = 60
"""Trakstar calls about one person that the story may cost: each is one of ten in ten seconds."""


def play(played: Play) -> None:
    """Play all acts.

    Raises:
        Stopped: when asked for.
        SenderError: the bridge did not accept.
        NeverSo: it was not all delivered in time.
    """
    players = cast.gather()
    _furnish(played, players)
    _first_load(played, players)
    _live(played, players)
    played.act = "all pushed; delivering"
    played.await_done()
    _claim(played, players)


def _furnish(played: Play, players: Cast) -> None:
    """Put into the targets who is there already, and tell Trakstar whom to refuse."""
    for world in played.stage.worlds.values():
        world.control("POST", "seed", {"users": players.seeds()})
    refused = list(zip(players.refused, cast.REFUSALS, strict=True))
    played.world("trakstar").control("POST", "refuse", {person.user_name: text for person, (text, _) in refused})
    for person, (_, code) in refused:
        played.excuse("trakstar", [person], code)
    played.expected.fewest = {"trakstar": bounds.of_trakstar(players), "mindtickle": bounds.of_mindtickle(players)}


def _first_load(played: Play, players: Cast) -> None:
    """Okta's first assignment, with the lanes paused as an operator would: people wait for their groups."""
    okta = played.okta
    played.act = "first load from Okta; delivery is paused until people and groups are in"
    played.stage.pause_lanes()
    okta.test_connection()
    played.push(players.okta)
    for name, members in players.groups.items():
        played.go()
        okta.push_group(name, [person.user_name for person in members])
    played.each(lambda person: okta.update_user(person.evolve(title="Trainee")), players.edited_early)
    played.each(lambda person: okta.update_user(person.evolve(title="Associate")), players.edited_early)
    played.each(lambda person: okta.deactivate(person.user_name), players.passing)
    played.stage.resume_lanes()


def _live(played: Play, players: Cast) -> None:
    """Entra's people one by one into lanes that deliver, and Okta's joiners, movers and leavers between them."""
    okta, entra = played.okta, played.entra
    half = len(players.entra) // 2
    played.act = "Entra pushes people one by one; delivery goes on meanwhile"
    entra.test_connection()
    played.each(entra.push_user, players.entra[:half])
    _await_first_day(played, players)
    played.act = "Okta renames, moves and deactivates people"
    played.each(lambda person: okta.deactivate(person.user_name), players.leavers)
    for suffix in ("Interim", "Married"):
        played.each(okta.update_user, [_renamed(person, suffix) for person in players.renamed])
    _move(played, players)
    played.act = "Entra pushes the rest of its people, then a group"
    played.each(entra.push_user, players.entra[half:])
    played.go()
    entra.push_group(players.late_group, [person.user_name for person in players.late_members])


def _await_first_day(played: Play, players: Cast) -> None:
    """Wait until whoever changes next has an account at Trakstar: only what was delivered takes calls to change."""
    changing = [players.mover, *players.leavers, *players.renamed]

    def are_there() -> bool:
        held = played.world("trakstar").state()
        return all(held.find(person.user_name) for person in changing)

    played.await_that(are_there, "those whom Okta changes next have accounts at Trakstar", within_s=30.0)


def _move(played: Play, players: Cast) -> None:
    name = players.mover.user_name
    sales = {person.user_name for person in players.groups["Sales"]} - {name}
    engineering = {person.user_name for person in players.groups["Engineering"]} | {name}
    played.go()
    played.okta.push_group("Engineering", engineering)
    played.go()
    played.okta.push_group("Sales", sales)


def _renamed(person: Person, suffix: str) -> Person:
    return person.evolve(family_name=f"{person.family_name[:20]} {suffix}", title="Senior Associate")


def _claim(played: Play, players: Cast) -> None:
    met = played.stage.conflicts()
    there = len(players.present)
    played.claim(
        f"{there} people were in each target already, and were taken over there",
        holds=all(met.get(target, 0) == there for target in played.stage.worlds),
    )
    counts = singles.count(played.calls("trakstar"))
    parts = ", ".join(f"{count} {name}" for name, count in counts.items())
    played.claim(
        f"{sum(counts.values())} of Trakstar's calls were about one person ({parts}; at most {MOST_SINGLES} by plan): "
        "its API edits, archives and groups one person a call",
        holds=sum(counts.values()) <= MOST_SINGLES,
        **counts,
    )
