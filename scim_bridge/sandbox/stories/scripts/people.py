"""Trouble with single people: one who spoils a call, who is there already, whom nobody may touch, who finds no seat."""

from scim_bridge.sandbox.senders.people import generate_people
from scim_bridge.sandbox.stories.cast import OUTDATED_NAME, seed_of
from scim_bridge.sandbox.stories.play import Play
from scim_bridge.sandbox.stories.setting import MINDTICKLE, SHORTENED_NAMES, TRAKSTAR, Setting, Simulated
from scim_bridge.sandbox.stories.stage import TENANT

LONGEST_GIVEN_NAME = 100

# The bridge knows the length that Trakstar documents; it is told of a longer one, so that the target finds out.
POISON = Setting(
    targets=(
        Simulated(
            name="trakstar",
            kind="trakstar",
            tables="[tenants.targets.fields.firstName]\n"
            f"max_length = {LONGEST_GIVEN_NAME}\n"
            '[tenants.targets.fields.lastName]\non_too_long = "shorten"\n',
        ),
        MINDTICKLE,
    )
)
MOST_EXTRA = 17


def poison(played: Play) -> None:
    """One person of two hundred breaks the target's schema, for which it refuses the whole call."""
    people = generate_people(200, seed=31)
    people[136] = bad = people[136].evolve(given_name="Bartholomew " * 5)
    played.act = "200 people are due at once; Trakstar refuses any call that holds one of them"
    played.push_waiting(people)
    played.excuse("trakstar", [bad], "too_long")
    played.await_done()
    calls = played.calls("trakstar", method="POST", ending="/user")
    held = played.world("trakstar").state().counts["active"]
    played.claim(
        f"{held} of 200 are in Trakstar after {len(calls)} calls instead of one ({MOST_EXTRA} more at the most)",
        holds=held == 199 and len(calls) <= 1 + MOST_EXTRA,
        people=held,
        calls=len(calls),
    )


CONFLICTS = Setting(
    targets=(
        TRAKSTAR,
        Simulated(name="mindtickle", kind="mindtickle", keys='on_conflict = "skip"\n'),
        Simulated(name="scim", kind="scim", keys='on_conflict = "hold"\n'),
    )
)


def conflicts(played: Play) -> None:
    """Some of the people have accounts already, under outdated names; one has an account that nothing shows."""
    people = generate_people(40, seed=32)
    there, hidden = people[:6], people[6]
    seeds = [seed_of(person, family_name=OUTDATED_NAME) for person in there]
    for world in played.stage.worlds.values():
        world.control("POST", "seed", {"users": [*seeds, seed_of(hidden, is_hidden=True)]})
        played.excuse(world.name, [hidden], "merge_needed")
    played.excuse("mindtickle", there, None)
    played.excuse("scim", there, "conflict_held")
    played.act = "six accounts exist in each target: update in Trakstar, skip in MindTickle, hold in the third"
    played.push_waiting(people)
    played.await_done()
    for target, outdated, what in (
        ("trakstar", 0, "on_conflict = update brought the 6 accounts to what the directory says"),
        ("mindtickle", 6, "on_conflict = skip linked the 6 and left them as they were"),
        ("scim", 6, "on_conflict = hold left the 6 alone, for a person to decide"),
    ):
        names = [account.last_name for account in played.world(target).state().accounts]
        played.claim(f"{target}: {what}", holds=names.count(OUTDATED_NAME) == outdated)
    played.claim(
        "the account that exists and is not shown (another identity provider's) was reported once, without a loop",
        holds=all(len(played.calls(target)) < 20 for target in played.stage.worlds),
    )


SEATS = Setting(targets=(Simulated(name="trakstar", kind="trakstar", options={"seats": 20}, tables=SHORTENED_NAMES),))


def seats(played: Play) -> None:
    """Thirty people for twenty seats; then an administrator buys more, and an operator replays."""
    people = generate_people(30, seed=33)
    played.act = "30 people are pushed; Trakstar has 20 seats"
    played.push_waiting(people)
    played.await_done()
    held = {account.user_name for account in played.world("trakstar").state().accounts}
    without = [person for person in people if person.user_name not in held]
    played.claim(
        f"{len(held)} people got a seat; {len(without)} failed as no_seats, visibly, and nobody was asked for twice",
        holds=(len(held), len(without)) == (20, 10),
    )
    played.say("operator: scim-bridge failed list --code no_seats, buys seats, then")
    played.say(f"operator: scim-bridge replay run --tenant {TENANT} --code no_seats")
    if not played.once:
        played.excuse("trakstar", without, "no_seats")
        played.say(f"(seats: curl -X POST {played.world('trakstar').origin}/_sim/options -d '{{\"seats\": 50}}')")
        return
    played.act = "seats are bought; an operator replays"
    played.world("trakstar").control("POST", "options", {"seats": 50})
    played.stage.command("replay", "run", "--tenant", TENANT, "--code", "no_seats")
    played.await_done()
    played.claim("after one replay all 30 are in", holds=played.world("trakstar").state().counts["active"] == 30)


def protected(played: Play) -> None:
    """An owner and an administrator of the targets are among the people; one of them even leaves."""
    people = generate_people(20, seed=34)
    mighty = people[:2]
    for world in played.stage.worlds.values():
        world.control(
            "POST",
            "seed",
            {"users": [seed_of(person, family_name=OUTDATED_NAME, is_protected=True) for person in mighty]},
        )
        played.excuse(world.name, mighty, "protected")
    played.act = "20 people are pushed; two of them are owners of both targets"
    played.push_waiting(people)
    played.await_done()
    played.act = "one of the two leaves"
    played.okta.deactivate(mighty[0].user_name)
    played.await_done()
    accounts = [played.held(target, person) for target in played.stage.worlds for person in mighty]
    played.claim(
        "both accounts are as they were in both targets, active and under their own names; a person must decide",
        holds=all(each is not None and each.active and each.last_name == OUTDATED_NAME for each in accounts),
    )
