"""How a story is judged: against real simulators, with people who are and who are not as they should be."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from scim_bridge.domain.states import State
from scim_bridge.sandbox.compare import Desired
from scim_bridge.sandbox.stories import bounds, cast, singles, story, summary, verdict
from scim_bridge.sandbox.stories.expected import Claim, Expected
from scim_bridge.sandbox.stories.setting import MINDTICKLE, TRAKSTAR
from scim_bridge.sandbox.stories.stage import TENANT
from scim_bridge.sandbox.stories.worlds import World
from scim_bridge.sandbox.targets.mindtickle import simulate_mindtickle
from scim_bridge.sandbox.targets.seeds import SeedUser
from scim_bridge.sandbox.targets.simulator import Simulator
from scim_bridge.sandbox.targets.trakstar import simulate_trakstar
from scim_bridge.store import lanes
from scim_bridge.store.engine import Store

ANN = SeedUser(first_name="Ann", last_name="Example", email="ann@example.com", user_name="ann@example.com")
WISH = Desired(user_name="ann@example.com", email="ann@example.com", first_name="Ann", last_name="Example")

PLAYERS = cast.gather()


@pytest.fixture
def books(sqlite_url: str, clock: Any) -> Iterator[Store]:
    store = Store.open(sqlite_url, clock=clock)
    with store.across_tenants("a test's lanes", write=True) as tx:
        lanes.sync(tx, [(TENANT, "trakstar"), (TENANT, "mindtickle")])
    yield store
    store.close()


def world_of(simulator: Simulator[Any]) -> World:
    return World(name=simulator.vendor.kind, origin=simulator.origin, urls=simulator.urls)


@pytest.fixture
def simulators() -> Iterator[dict[str, Simulator[Any]]]:
    with simulate_trakstar(api_key="k") as trakstar, simulate_mindtickle(api_key="k") as mindtickle:
        yield {"trakstar": trakstar, "mindtickle": mindtickle}


def judged(
    books: Store, simulators: dict[str, Simulator[Any]], *desired: Desired, expected: Expected | None = None, **how: Any
) -> verdict.Verdict:
    worlds = {name: world_of(each) for name, each in simulators.items()}
    expected = expected or Expected()
    return verdict.judge(books, worlds, [TRAKSTAR, MINDTICKLE], list(desired), expected, elapsed_s=1.0, **how)


def differing(found: verdict.Verdict) -> dict[str, tuple[str, ...]]:
    return {each.target: each.differences for each in found.targets}


def test_targets_that_hold_what_was_pushed_do_not_differ(books: Store, simulators: dict[str, Simulator[Any]]) -> None:
    for simulator in simulators.values():
        simulator.vendor.seed([ANN], [], [])
    assert differing(judged(books, simulators, WISH)) == {"trakstar": (), "mindtickle": ()}


def test_somebody_missing_is_named_for_the_target_that_lacks_them(
    books: Store, simulators: dict[str, Simulator[Any]]
) -> None:
    simulators["mindtickle"].vendor.seed([ANN], [], [])
    found = judged(books, simulators, WISH)
    assert differing(found) == {"trakstar": ("ann@example.com is missing",), "mindtickle": ()}
    assert "trakstar differs: ann@example.com is missing" in found.faults
    assert not found.is_good


def test_an_account_that_nobody_asked_for_is_a_fault(books: Store, simulators: dict[str, Simulator[Any]]) -> None:
    for simulator in simulators.values():
        simulator.vendor.seed([ANN], [], [])
    assert "mindtickle differs: ann@example.com is extra" in judged(books, simulators).faults


def test_a_story_in_which_nothing_happened_is_not_good(books: Store, simulators: dict[str, Simulator[Any]]) -> None:
    expected = Expected(exceptions={("trakstar", "ann@example.com"): "refused"})
    faults = judged(books, simulators, expected=expected).faults
    assert faults == ("trakstar: ann@example.com should be refused, is in place",)


def test_an_exception_may_be_missing_where_it_was_named(books: Store, simulators: dict[str, Simulator[Any]]) -> None:
    expected = Expected(exceptions={("trakstar", "ann@example.com"): None})
    found = differing(judged(books, simulators, WISH, expected=expected))
    assert found == {"trakstar": (), "mindtickle": ("ann@example.com is missing",)}


def test_an_exception_may_not_be_there_twice(books: Store, simulators: dict[str, Simulator[Any]]) -> None:
    for changes in ({"user_name": "ann2"}, {"email": "ann@elsewhere.example"}):
        simulators["mindtickle"].vendor.seed([replace(ANN, **changes)], [], [])
    expected = Expected(exceptions={("mindtickle", "ann@example.com"): None})
    assert differing(judged(books, simulators, WISH, expected=expected))["mindtickle"] == (
        "ann@example.com is duplicate",
    )


def test_a_claim_that_does_not_hold_is_a_fault(books: Store, simulators: dict[str, Simulator[Any]]) -> None:
    claims = [Claim(text="nobody came", holds=False), Claim(text="it rained", holds=True)]
    assert judged(books, simulators, expected=Expected(claims=claims)).faults == ("not so: nobody came",)


def test_faults_known_beforehand_stand_first(books: Store, simulators: dict[str, Simulator[Any]]) -> None:
    found = judged(books, simulators, faults=["a push was not accepted"])
    assert found.faults[0] == "a push was not accepted"
    assert "  - a push was not accepted" in summary.lines(found)
    assert summary.to_json(found, scenario="none")["ok"] is False


def failure(number: int, state: State, code: str) -> verdict.Failure:
    return verdict.Failure(
        target="trakstar", user_name=f"p{number}@example.com", state=state, code=code, said="", advice="Look."
    )


def test_who_is_held_is_told_apart_from_who_failed(books: Store, simulators: dict[str, Simulator[Any]]) -> None:
    failures = (failure(1, State.DEAD, "refused"), *(failure(n, State.HELD, "guard_held") for n in range(2, 9)))
    told = summary.lines(replace(judged(books, simulators), failures=failures))
    start = told.index("failed      1 people, each alone, nobody else was held up:")
    assert told[start : start + 4] == [
        "failed      1 people, each alone, nobody else was held up:",
        "            trakstar: p1@example.com: refused",
        "            -> Look.",
        "held        7 deliveries wait for a person's decision:",
    ]
    assert "            trakstar: 2 more: guard_held" in told


def call(method: str, path: str, *, arrived_s: float = 0.0) -> dict[str, Any]:
    return {"method": method, "path": path, "arrived_s": arrived_s}


def test_calls_about_one_person_are_counted_by_what_they_do() -> None:
    calls = [
        call("POST", "/api/v3/user"),
        call("GET", "/api/v3/user"),
        call("POST", "/api/v3/user/7"),
        call("POST", "/api/v3/user/7/archive"),
        call("POST", "/api/v3/group/3/user/7"),
        call("POST", "/api/v3/group/3/user/8"),
        call("DELETE", "/api/v3/group/3/user/7"),
    ]
    assert singles.count(calls) == {"updates": 1, "archives": 1, "joins": 2, "leaves": 1}


@pytest.mark.parametrize(
    ("arrivals", "most"),
    [
        ([], 0),
        ([0.0, 1.0, 9.9], 3),
        # A window is half open: what arrives exactly its width later is not in it.
        ([0.0, 10.0], 1),
        ([0.0, 5.0, 9.0, 12.0, 14.0, 14.5], 5),
    ],
)
def test_the_fullest_window_is_found(arrivals: list[float], most: int) -> None:
    assert verdict.most_within([call("GET", "/", arrived_s=at) for at in arrivals], 10.0) == most


def test_the_bound_for_trakstar_counts_sets_of_groups_and_single_calls() -> None:
    parts = bounds.of_trakstar(PLAYERS).parts
    # Nobody's group: 520 people less 180 in two groups and 5 who never arrive.
    assert parts["creates"] == 2 + 1 + 1
    assert (parts["updates"], parts["archives"], parts["memberships"]) == (12, 6, 5)
    assert bounds.of_trakstar(PLAYERS).calls == sum(parts.values())


def test_the_story_stays_below_its_number_of_single_calls() -> None:
    parts = bounds.of_trakstar(PLAYERS).parts
    assert parts["updates"] + parts["archives"] + parts["memberships"] <= story.MOST_SINGLES


def test_nobody_plays_two_parts() -> None:
    parts = [
        [person.user_name for person in people]
        for people in (
            PLAYERS.edited_early,
            PLAYERS.passing,
            PLAYERS.present,
            PLAYERS.renamed,
            PLAYERS.leavers,
            [PLAYERS.mover],
            PLAYERS.late_members,
            PLAYERS.refused,
        )
    ]
    together = [name for names in parts for name in names]
    assert len(together) == len(set(together))


def test_the_cast_is_as_large_as_promised() -> None:
    names = {person.user_name.casefold() for person in PLAYERS.everybody}
    assert len(names) == len(PLAYERS.everybody) >= 500
    assert (len(PLAYERS.present), len(PLAYERS.refused)) == (10, 3)
