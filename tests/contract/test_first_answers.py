"""First answers by Idempotency-Key, on both databases: one claim wins, deaths are found out, nothing stays for ever."""

import itertools
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa

from scim_bridge.store import first_answers, tables
from scim_bridge.store.engine import Store
from scim_bridge.store.first_answers import Claimed, ClaimLost, Differs, FirstAnswer, Keyed, Running

KEYED = Keyed(token_id="t1", route="r", key="k", body="b")
ANSWER = FirstAnswer(status=201, headers=(("ETag", 'W/"1"'), ("Location", "http://x/1")), body='{"id":"ü"}')


@pytest.fixture
def ask(store: Store) -> Callable[..., Any]:
    """Give a function that claims a key in a transaction of its own."""
    names = itertools.count(1)

    def claim(keyed: Keyed = KEYED, *, tenant: str = "acme") -> Any:
        with store.begin(tenant) as tx:
            return first_answers.claim(tx, keyed, owner=f"request-{next(names)}")

    return claim


def keep(store: Store, claimed: Claimed, answer: FirstAnswer = ANSWER, *, is_given: bool = True) -> None:
    with store.begin("acme") as tx:
        first_answers.keep(tx, KEYED, claimed, answer, is_given=is_given)


def test_the_first_claim_wins_while_it_runs(ask: Any) -> None:
    assert isinstance(ask(), Claimed)
    assert ask() == Running()


def test_the_first_answer_is_given_again_as_it_was(ask: Any, store: Store) -> None:
    keep(store, ask())
    assert ask() == ANSWER


def test_an_answer_without_a_body_stays_without(ask: Any, store: Store) -> None:
    keep(store, ask(), FirstAnswer(status=204, headers=(), body=None))
    assert ask() == FirstAnswer(status=204, headers=(), body=None)


def test_another_body_is_told_before_and_after_the_first_is_answered(ask: Any, store: Store) -> None:
    claimed = ask()
    assert ask(replace(KEYED, body="other")) == Differs()
    keep(store, claimed)
    assert ask(replace(KEYED, body="other")) == Differs()


@pytest.mark.parametrize("part", ["token_id", "route", "key"])
def test_another_token_route_or_key_is_another_request(ask: Any, part: str) -> None:
    ask()
    assert isinstance(ask(replace(KEYED, **{part: "other"})), Claimed)


def test_tenants_do_not_share_keys(ask: Any, store: Store) -> None:
    keep(store, ask())
    assert isinstance(ask(tenant="other"), Claimed)


def test_a_kept_answer_that_is_not_given_yet_still_runs(ask: Any, store: Store) -> None:
    claimed = ask()
    keep(store, claimed, is_given=False)
    assert ask() == Running()
    changed = replace(ANSWER, status=400)
    keep(store, claimed, changed)
    assert ask() == changed


def test_a_kept_answer_whose_request_died_before_it_was_given_is_given(ask: Any, store: Store, clock: Any) -> None:
    keep(store, ask(), is_given=False)
    clock.advance(ms=first_answers.GIVEN_UP_MS)
    assert ask() == ANSWER


def test_a_released_key_is_free_at_once(ask: Any, store: Store) -> None:
    claimed = ask()
    with store.begin("acme") as tx:
        first_answers.release(tx, KEYED, claimed)
    assert isinstance(ask(), Claimed)


def test_a_kept_answer_is_never_released(ask: Any, store: Store) -> None:
    claimed = ask()
    keep(store, claimed, is_given=False)
    with store.begin("acme") as tx:
        first_answers.release(tx, KEYED, claimed)
    assert ask() == Running()


def test_a_claim_of_a_dead_request_is_taken_over_after_a_minute(ask: Any, store: Store, clock: Any) -> None:
    first = ask()
    clock.advance(ms=first_answers.GIVEN_UP_MS - 1)
    assert ask() == Running()
    clock.advance(ms=1)
    second = ask()
    assert isinstance(second, Claimed)
    assert ask() == Running()
    with pytest.raises(ClaimLost):
        keep(store, first)
    keep(store, second)
    assert ask() == ANSWER


def test_who_lost_the_claim_does_not_release_it(ask: Any, store: Store, clock: Any) -> None:
    first = ask()
    clock.advance(ms=first_answers.GIVEN_UP_MS)
    ask()
    with store.begin("acme") as tx:
        first_answers.release(tx, KEYED, first)
    assert ask() == Running()


def test_a_day_later_the_key_is_new_whatever_body_comes(ask: Any, store: Store, clock: Any) -> None:
    keep(store, ask())
    clock.advance(ms=first_answers.KEPT_MS - 1)
    assert ask() == ANSWER
    clock.advance(ms=1)
    assert isinstance(ask(replace(KEYED, body="other")), Claimed)
    assert ask() == Differs()


@pytest.mark.parametrize("age_ms", [0, first_answers.GIVEN_UP_MS, first_answers.KEPT_MS])
def test_of_many_at_once_one_gets_the_key(ask: Any, clock: Any, age_ms: int) -> None:
    if age_ms:
        ask()
        clock.advance(ms=age_ms)
    start = Barrier(8)

    def claim() -> Any:
        start.wait()
        return type(ask())

    with ThreadPoolExecutor(8) as pool:
        found = Counter(future.result() for future in [pool.submit(claim) for _ in range(8)])
    assert found == {Claimed: 1, Running: 7}


def test_old_answers_are_removed_in_parts(ask: Any, store: Store, clock: Any) -> None:
    for number in range(7):
        ask(replace(KEYED, key=f"old-{number}"))
        clock.advance(ms=1)
    before = clock.now
    ask(replace(KEYED, key="young"))
    left = []
    more = True
    while more:
        with store.across_tenants("test", write=True) as tx:
            more = first_answers.forget(tx, before=before, at_a_time=3)
            left.append(tx.connection.execute(sa.select(sa.func.count()).select_from(tables.first_answer)).scalar_one())
    assert left == [5, 2, 1]
    assert ask(replace(KEYED, key="young")) == Running()


def test_neither_bodies_nor_owners_show_when_an_answer_is_printed() -> None:
    assert "ü" not in repr(ANSWER)


def test_a_request_that_says_that_it_lives_keeps_its_key(ask: Any, store: Store, clock: Any) -> None:
    first = ask()
    for _ in range(3):
        clock.advance(ms=first_answers.GIVEN_UP_MS - 1)
        with store.begin("acme") as tx:
            first_answers.renew(tx, KEYED, first)
        assert ask() == Running()
    clock.advance(ms=first_answers.GIVEN_UP_MS)
    assert isinstance(ask(), Claimed)
    with pytest.raises(ClaimLost), store.begin("acme") as tx:
        first_answers.renew(tx, KEYED, first)
