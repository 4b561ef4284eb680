"""Tokens on both databases: who is recognised, until when, and what replaces what."""

from typing import Any

import pytest
import sqlalchemy as sa

from scim_bridge.domain import networks
from scim_bridge.store import tables, tokens
from scim_bridge.store.engine import Store

MINUTE = 60_000
DAY = 86_400_000
OFFICE = networks.parse_network("192.0.2.0/24")
AT_WORK = networks.parse_address("192.0.2.7")
ELSEWHERE = networks.parse_address("198.51.100.7")


def issue(store: Store, tenant: str = "acme", **options: Any) -> tokens.Issued:
    with store.begin(tenant) as tx:
        if "good_for_ms" in options:
            options["expires_at"] = tx.now + options.pop("good_for_ms")
        return tokens.issue(tx, scopes=["scim"], source="idp", **options)


def rotate(store: Store, issued: tokens.Issued, **options: Any) -> tokens.Issued:
    with store.begin("acme") as tx:
        replaced = tokens.rotate(tx, issued.id, **options)
    assert replaced is not None
    return replaced


def row(store: Store, token_id: str) -> tokens.TokenRow:
    with store.begin("acme", write=False) as tx:
        return next(each for each in tokens.listed(tx) if each.id == token_id)


def is_good(store: Store, issued: tokens.Issued) -> bool:
    return isinstance(tokens.authenticate(store, issued.value), tokens.Principal)


def test_a_token_tells_the_tenant(store: Store) -> None:
    found = tokens.authenticate(store, issue(store, "globex", name="okta").value)
    assert isinstance(found, tokens.Principal)
    assert (found.tenant, found.source, found.name, found.scopes) == ("globex", "idp", "okta", {"scim"})


def test_why_a_text_is_no_good_token_is_told_apart(store: Store, clock: Any) -> None:
    issued, expiring, revoked = issue(store), issue(store, good_for_ms=MINUTE), issue(store)
    with store.begin("acme") as tx:
        assert tokens.revoke(tx, revoked.id)
    clock.advance(ms=MINUTE)
    other = issued.value[:-1] + ("0" if issued.value[-1] != "0" else "1")
    faults = {value: tokens.authenticate(store, value) for value in (other, expiring.value, revoked.value)}
    assert list(faults.values()) == [tokens.Fault.WRONG, tokens.Fault.EXPIRED, tokens.Fault.REVOKED]
    assert tokens.authenticate(store, f"scb_{'0' * 16}_{'0' * 64}") is tokens.Fault.UNKNOWN


@pytest.mark.parametrize(
    "value",
    [
        "",
        "nonsense",
        "scb_0011223344556677",
        "scb_0011223344556677_",
        "scb_0011223344556677_00",
        f"scb_001122334455667_{'0' * 64}",
        f"scb_0011223344556677_{'0' * 65}",
        f"scb_0011223344556677_{'0' * 63}g",
        f"SCB_0011223344556677_{'0' * 64}",
        f"scb_0011223344556677_{'0' * 64}\n",
        f"scb_\u0660011223344556677_{'0' * 64}",
        "\x00",
        "\udc80",
    ],
)
def test_what_has_no_tokens_shape_never_touches_the_store(tmp_path: Any, value: str) -> None:
    """Guessing at random costs the bridge nothing."""
    nowhere = Store.open(f"sqlite:///{tmp_path}/none/bridge.db", clock=lambda: 0)
    assert tokens.authenticate(nowhere, value) is tokens.Fault.MALFORMED
    nowhere.close()


def test_within_the_overlap_both_are_good_until_the_old_one_ends(store: Store, clock: Any) -> None:
    old = issue(store)
    new = rotate(store, old, overlap_ms=60 * MINUTE)
    assert row(store, old.id).state_at(clock()) == "replaced"
    clock.advance(ms=60 * MINUTE - 1)
    assert (is_good(store, old), is_good(store, new)) == (True, True)
    clock.advance(ms=1)
    assert (is_good(store, old), is_good(store, new)) == (False, True)
    assert row(store, old.id).state_at(clock()) == "revoked"


def test_without_an_overlap_the_old_one_ends_at_once(store: Store) -> None:
    old = issue(store)
    new = rotate(store, old)
    assert (is_good(store, old), is_good(store, new)) == (False, True)


def test_a_replaced_token_can_be_ended_before_its_time(store: Store) -> None:
    old = issue(store)
    rotate(store, old, overlap_ms=60 * MINUTE)
    with store.begin("acme") as tx:
        assert tokens.revoke(tx, old.id)
    assert not is_good(store, old)
    with store.begin("acme") as tx:
        assert not tokens.revoke(tx, old.id)


def test_a_token_is_replaced_once(store: Store) -> None:
    old = issue(store)
    rotate(store, old, overlap_ms=60 * MINUTE)
    with store.begin("acme") as tx:
        assert tokens.rotate(tx, old.id) is None
        assert tokens.rotate(tx, "0" * 16) is None


def test_an_overlap_prolongs_nothing(store: Store, clock: Any) -> None:
    old = issue(store, good_for_ms=MINUTE)
    rotate(store, old, overlap_ms=60 * MINUTE)
    clock.advance(ms=MINUTE)
    assert not is_good(store, old)


def test_the_new_one_is_good_for_as_long_as_the_old_one_was(store: Store, clock: Any) -> None:
    old = issue(store, good_for_ms=90 * DAY)
    clock.advance(ms=89 * DAY)
    new = rotate(store, old)
    assert row(store, new.id).expires_at == clock() + 90 * DAY
    assert row(store, rotate(store, new, good_for_ms=7 * DAY).id).expires_at == clock() + 7 * DAY
    assert row(store, rotate(store, issue(store)).id).expires_at is None


def test_an_expired_token_can_be_replaced(store: Store, clock: Any) -> None:
    old = issue(store, good_for_ms=MINUTE)
    clock.advance(ms=DAY)
    assert is_good(store, rotate(store, old, overlap_ms=MINUTE))
    assert not is_good(store, old)


def test_networks_hold_where_a_token_may_come_from_also_after_rotation(store: Store) -> None:
    bound = issue(store, networks=[OFFICE, networks.parse_network("2001:db8::/32"), OFFICE])
    assert row(store, bound.id).networks == ("192.0.2.0/24", "2001:db8::/32")
    for issued in (bound, rotate(store, bound, overlap_ms=MINUTE)):
        found = tokens.authenticate(store, issued.value)
        assert isinstance(found, tokens.Principal)
        assert found.may_come_from(AT_WORK)
        assert found.may_come_from(networks.parse_address("::ffff:192.0.2.7"))
        assert found.may_come_from(networks.parse_address("2001:db8::7"))
        assert not found.may_come_from(ELSEWHERE)
        assert not found.may_come_from(networks.parse_address("2001:db9::7"))
        assert not found.may_come_from(None)


def test_a_token_without_networks_may_come_from_anywhere(store: Store) -> None:
    found = tokens.authenticate(store, issue(store).value)
    assert isinstance(found, tokens.Principal)
    assert found.may_come_from(ELSEWHERE)
    assert found.may_come_from(None)


@pytest.mark.parametrize("text", ["nonsense", "nonsense 192.0.2.0/33"])
def test_networks_that_cannot_be_read_admit_nobody(store: Store, text: str) -> None:
    """Somebody wrote to the database by hand: that never opens the door wider."""
    bound = issue(store, networks=[OFFICE])
    with store.begin("acme") as tx:
        tx.connection.execute(sa.update(tables.token).values(networks=text))
    for issued in (bound, rotate(store, bound, overlap_ms=MINUTE)):
        found = tokens.authenticate(store, issued.value)
        assert isinstance(found, tokens.Principal)
        assert not found.may_come_from(AT_WORK)


def test_a_principal_knows_when_it_ends(store: Store, clock: Any) -> None:
    forever, expiring = issue(store), issue(store, good_for_ms=DAY)
    rotate(store, expiring, overlap_ms=MINUTE)
    ends = [getattr(tokens.authenticate(store, each.value), "ends_at", 0) for each in (forever, expiring)]
    assert ends == [None, clock() + MINUTE]


def test_only_good_tokens_that_are_not_replaced_are_told_to_expire(store: Store, clock: Any) -> None:
    past, soon, later, never = (
        issue(store, **each) for each in ({"good_for_ms": 1}, {"good_for_ms": DAY}, {"good_for_ms": 2 * DAY}, {})
    )
    elsewhere = issue(store, "globex", good_for_ms=3 * DAY)
    rotate(store, later, overlap_ms=MINUTE)
    clock.advance(ms=1)
    with store.across_tenants("test") as tx:
        found = tokens.ending(tx)
    assert [each.token_id for each in found][:1] == [soon.id]
    assert found[-1] == tokens.Ending(tenant="globex", token_id=elsewhere.id, ends_at=clock() - 1 + 3 * DAY)
    assert {past.id, never.id, later.id}.isdisjoint(each.token_id for each in found)


@pytest.mark.parametrize(
    ("good_for_ms", "state"),
    [(None, "good"), (31 * DAY, "good"), (30 * DAY - 1, "expires soon"), (1, "expires soon"), (0, "expired")],
)
def test_a_state_tells_how_a_token_stands(store: Store, clock: Any, good_for_ms: int | None, state: str) -> None:
    issued = issue(store, expires_at=None if good_for_ms is None else clock() + good_for_ms)
    assert row(store, issued.id).state_at(clock()) == state
