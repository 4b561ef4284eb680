"""Notices in the store, on both databases: owed with their cause, told once, sent by one at a time."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from scim_bridge.domain.notices import HOUR_MS, MINUTE_MS, Kind
from scim_bridge.domain.replies import Outcome
from scim_bridge.domain.states import State
from scim_bridge.store import lanes, notices, tables
from scim_bridge.store.engine import Store
from scim_bridge.store.notices import Posting, Wish

ALL = frozenset(kind.value for kind in Kind)
LEASE_MS = 30_000

Owe = Callable[..., None]


@pytest.fixture
def owe(store: Store) -> Owe:
    def make(kind: Kind = Kind.HOLD, *, tenant: str = "acme", count: int = 1, code: str = "") -> None:
        with store.begin(tenant) as tx:
            notices.owe(tx, kind, target="lms", count=count, code=code)

    return make


def share_out(store: Store, *wishes: Wish) -> int:
    with store.across_tenants("test", write=True) as tx:
        return notices.share_out(tx, wishes or [Wish(destination="ops", kinds=ALL)])


def claim(store: Store, destination: str = "ops") -> Posting | None:
    with store.across_tenants("test", write=True) as tx:
        return notices.claim(tx, destination, lease_ms=LEASE_MS)


def claimed(store: Store, destination: str = "ops") -> Posting:
    found = claim(store, destination)
    assert found is not None
    return found


def put_off(store: Store, posting: Posting, *, due_at: int | None) -> None:
    with store.across_tenants("test", write=True) as tx:
        notices.put_off(tx, posting, due_at=due_at, failure="HTTP 500")


def note_sent(store: Store, posting: Posting) -> None:
    with store.across_tenants("test", write=True) as tx:
        notices.note_sent(tx, posting)


def states(store: Store) -> list[str]:
    with store.across_tenants("test") as tx:
        query = sa.select(tables.posting.c.state).order_by(tables.posting.c.id)
        return list(tx.connection.execute(query).scalars())


def test_a_cause_that_is_undone_owes_no_notice(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.begin("acme") as tx:
        notices.owe(tx, Kind.HOLD, target="lms", count=3)
        raise ZeroDivisionError
    assert share_out(store) == 0


def test_what_comes_before_the_telling_is_one_notice_with_a_count(store: Store, owe: Owe, clock: Any) -> None:
    began_at = clock()
    for _ in range(3):
        owe(count=100)
        clock.advance(ms=100)
    assert share_out(store) == 1
    told = claimed(store).notice
    assert (told.kind, told.tenant, told.target, told.count, told.at) == (Kind.HOLD, "acme", "lms", 300, began_at)


@pytest.mark.parametrize("other", [{"tenant": "other"}, {"kind": Kind.BREAKER}, {"code": "protected"}])
def test_another_tenant_kind_or_code_is_another_notice(store: Store, owe: Owe, other: dict[str, Any]) -> None:
    owe()
    owe(**other)
    assert share_out(store) == 2


@pytest.mark.parametrize(("kind", "code", "quiet_ms"), [(Kind.HOLD, "", MINUTE_MS), (Kind.DEAD, "refused", HOUR_MS)])
def test_the_next_of_its_kind_waits_until_the_first_is_no_news(
    store: Store, owe: Owe, clock: Any, kind: Kind, code: str, quiet_ms: int
) -> None:
    owe(kind, code=code, count=2)
    assert share_out(store) == 1
    owe(kind, code=code, count=3)
    clock.advance(ms=quiet_ms - 1)
    owe(kind, code=code, count=4)
    assert share_out(store) == 0
    clock.advance(ms=1)
    assert share_out(store) == 1
    assert [claimed(store).notice.count, claimed(store).notice.count] == [2, 7]


def test_after_a_quiet_time_a_notice_is_told_at_once(store: Store, owe: Owe, clock: Any) -> None:
    owe()
    share_out(store)
    clock.advance(ms=MINUTE_MS)
    owe()
    assert share_out(store) == 1


def test_everybody_who_wants_a_notice_gets_it_by_the_same_id(store: Store, owe: Owe) -> None:
    owe()
    share_out(store, *(Wish(destination=name, kinds=ALL) for name in ("ops", "desk")))
    assert claimed(store, "ops").notice == claimed(store, "desk").notice


@pytest.mark.parametrize(
    ("wish", "is_told"),
    [
        (Wish(destination="ops", kinds=ALL, tenants=["acme"]), True),
        (Wish(destination="ops", kinds=ALL, tenants=["other"]), False),
        (Wish(destination="ops", kinds=["hold", "dead"]), True),
        (Wish(destination="ops", kinds=["breaker"]), False),
    ],
)
def test_nobody_is_told_of_other_kinds_or_tenants(store: Store, owe: Owe, wish: Wish, *, is_told: bool) -> None:
    owe()
    assert share_out(store, wish) == 1
    assert (claim(store) is not None) == is_told
    assert share_out(store, Wish(destination="late", kinds=ALL)) == 0


def test_who_claims_a_posting_has_it_alone_until_the_lease_ends(store: Store, owe: Owe, clock: Any) -> None:
    owe()
    share_out(store)
    assert claimed(store).attempts == 1
    clock.advance(ms=LEASE_MS - 1)
    assert claim(store) is None
    clock.advance(ms=1)
    assert claimed(store).attempts == 2


def test_what_is_sent_is_sent_no_more(store: Store, owe: Owe, clock: Any) -> None:
    owe()
    share_out(store)
    note_sent(store, claimed(store))
    clock.advance(ms=LEASE_MS)
    assert (claim(store), states(store)) == (None, ["sent"])


def test_what_is_put_off_comes_again_when_its_time_has_come(store: Store, owe: Owe, clock: Any) -> None:
    owe()
    share_out(store)
    put_off(store, claimed(store), due_at=clock() + 5_000)
    clock.advance(ms=4_999)
    assert claim(store) is None
    clock.advance(ms=1)
    assert claimed(store).attempts == 2


def test_what_is_given_up_never_comes_again(store: Store, owe: Owe, clock: Any) -> None:
    owe()
    share_out(store)
    put_off(store, claimed(store), due_at=None)
    clock.advance(ms=LEASE_MS)
    assert (claim(store), states(store)) == (None, ["given_up"])


def test_who_lost_the_lease_neither_puts_off_nor_gives_up(store: Store, owe: Owe, clock: Any) -> None:
    owe()
    share_out(store)
    slow = claimed(store)
    clock.advance(ms=LEASE_MS)
    claimed(store)
    put_off(store, slow, due_at=None)
    assert states(store) == ["waiting"]
    note_sent(store, slow)
    assert states(store) == ["sent"]


def test_an_occasion_is_told_once_whoever_owes_it(store: Store, clock: Any) -> None:
    def owe_once(occasion: str) -> int:
        with store.across_tenants("test", write=True) as tx:
            notices.owe_once(tx, Kind.TOKEN_EXPIRY, [("acme", "t1:7", occasion)])
        return share_out(store)

    assert [owe_once("a"), owe_once("a")] == [1, 0]
    clock.advance(ms=10 * HOUR_MS)
    assert [owe_once("a"), owe_once("b")] == [0, 1]


def test_the_dead_of_a_lane_are_told_by_code(store: Store) -> None:
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "lms")])
    ends = [
        (State.DEAD, "refused"),
        (State.DEAD, "refused"),
        (State.DEAD, "no_seats"),
        (State.HELD, "protected"),
        (State.HELD, "guard_held"),
        (State.DELIVERED, "ok"),
    ]
    with store.begin("acme") as tx:
        lane = lanes.by_target(tx, "lms")
        assert lane is not None
        outcomes = [Outcome(operation_id=n, resource_id=n, state=s, code=c) for n, (s, c) in enumerate(ends)]
        notices.owe_for_stuck(tx, lane.id, outcomes)
    assert share_out(store) == 3
    told = {(each.kind, each.code, each.count, each.target) for each in (claimed(store).notice for _ in range(3))}
    assert told == {
        (Kind.DEAD, "refused", 2, "lms"),
        (Kind.DEAD, "no_seats", 1, "lms"),
        (Kind.HOLD, "protected", 1, "lms"),
    }


def test_what_nobody_sends_any_more_is_given_up(store: Store, owe: Owe, clock: Any) -> None:
    owe()
    share_out(store)
    with store.across_tenants("test", write=True) as tx:
        assert notices.give_up_strays(tx, known=[], before=clock()) == {}
        assert notices.give_up_strays(tx, known=["ops"], before=clock() + 1) == {}
        assert notices.give_up_strays(tx, known=["desk"], before=clock() + 1) == {"ops": 1}
    assert claim(store) is None


def test_old_notices_are_forgotten_once_everybody_has_them(store: Store, owe: Owe, clock: Any) -> None:
    owe()
    share_out(store)
    clock.advance(ms=HOUR_MS)
    with store.across_tenants("test", write=True) as tx:
        assert not notices.forget(tx, before=clock())
    note_sent(store, claimed(store))
    with store.across_tenants("test", write=True) as tx:
        notices.forget(tx, before=clock())
        assert tx.connection.execute(sa.select(tables.notice)).all() == []
