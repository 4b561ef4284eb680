"""Counts over the books of one tenant, on both databases."""

import sqlalchemy as sa
from fakes.books import add_person, edit, send

from scim_bridge.domain.people import Priority
from scim_bridge.domain.states import State
from scim_bridge.store import lanes, tables, tallies
from scim_bridge.store.engine import Store


def prepare(store: Store) -> dict[str, int]:
    """Two lanes of acme; Ann is delivered in the first, Bo dead. Returns numbers by name."""
    with store.across_tenants("a test's lanes", write=True) as tx:
        lanes.sync(tx, [("acme", "one"), ("acme", "two"), ("other", "one")])
    with store.begin("acme") as tx:
        one = next(lane.id for lane in lanes.configured(tx) if lane.target == "one")
        ann, bo = add_person(tx, "ann"), add_person(tx, "bo")
        send(tx, one, [ann], [State.DELIVERED])
        send(tx, one, [bo], [State.DEAD])
        tx.connection.execute(
            sa.update(tables.resource).where(tables.resource.c.id == bo).values(document='{"userName":"bo@x"}')
        )
    return {"one": one, "ann": ann, "bo": bo}


def test_changes_are_counted_by_source_and_operations_by_target_and_state(store: Store) -> None:
    prepare(store)
    with store.begin("acme", write=False) as tx:
        found = tallies.tally(tx)
    assert (found.changes, found.recorded, found.open) == ({"idp": 2}, 2, 2)
    assert found.of("one", State.DELIVERED) == found.of("one", State.DEAD) == 1
    assert found.of("two", State.WAITING, State.SENDING) == 2
    assert found.of("nowhere", State.WAITING) == 0


def test_another_tenants_books_are_not_counted(store: Store) -> None:
    prepare(store)
    with store.begin("other", write=False) as tx:
        assert tallies.tally(tx).recorded == 0
        assert tallies.stuck(tx) == []


def test_the_dead_are_told_once_with_the_reason_of_their_newest_operation(store: Store) -> None:
    numbers = prepare(store)
    with store.begin("acme") as tx:
        edit(tx, numbers["bo"], owed_to=[numbers["one"]])
        send(tx, numbers["one"], [numbers["bo"]], [State.DEAD])
    with store.begin("acme", write=False) as tx:
        found = tallies.stuck(tx)
    assert [(each.target, each.state, each.user_name) for each in found] == [("one", State.DEAD, "bo@x")]
    assert found[0].code


def test_people_who_met_a_code_are_counted_once(store: Store) -> None:
    numbers = prepare(store)
    with store.begin("acme", write=False) as tx:
        code = tallies.stuck(tx)[0].code
        assert tallies.people_met(tx, code)["one"] >= 1
        assert tallies.people_met(tx, "no such code") == {}
    assert numbers


def test_the_slowest_leaver_is_measured_from_recording_to_the_end(store: Store, clock: object) -> None:
    numbers = prepare(store)
    with store.begin("acme") as tx:
        edit(tx, numbers["ann"], owed_to=[numbers["one"]], priority=int(Priority.LEAVER))
    clock.advance(ms=700)  # type: ignore[attr-defined]
    with store.begin("acme") as tx:
        send(tx, numbers["one"], [numbers["ann"]], [State.DELIVERED])
    with store.begin("acme", write=False) as tx:
        assert tallies.slowest_leavers_ms(tx) == {"one": 700}
