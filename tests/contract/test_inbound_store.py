"""Requests as they came, in the store, on both databases."""

import pytest
import sqlalchemy as sa

from scim_bridge.operators import inbound as requests
from scim_bridge.store import inbound, operator_tables, tokens
from scim_bridge.store.engine import Store
from scim_bridge.store.inbound import Seen

DAY_MS = 86_400_000


def seen(number: int = 0, **values: object) -> Seen:
    told: dict[str, object] = {
        "at": 1_700_000_000_000 + number,
        "method": "GET",
        "route": "/scim/v2/Users",
        "status": 200,
        "took_ms": 3,
        "tenant": "acme",
        "token_id": None,
        "source": "okta",
        "correlation_id": f"c{number}",
    }
    return Seen(**{**told, **values})  # type: ignore[arg-type] # a table of values


def append(store: Store, *some: Seen) -> None:
    with store.across_tenants("test", write=True) as tx:
        inbound.append(tx, some)


def correlations(store: Store, tenant: str | None = "acme", **choice: object) -> list[str]:
    return [row["correlation_id"] for row in requests.listed(store, tenant, **choice)["items"]]  # type: ignore[arg-type]


def forget(store: Store, *, before: int = 0, since: int = 0, most: int = 5_000, at_a_time: int = 500) -> bool:
    with store.across_tenants("test", write=True) as tx:
        return inbound.forget(tx, before=before, since=since, most=most, at_a_time=at_a_time)


def test_nothing_is_appended_of_nothing(store: Store) -> None:
    append(store)
    assert requests.listed(store, None) == {"items": [], "next": None}


def test_the_newest_is_in_front(store: Store) -> None:
    append(store, seen(2), seen(0), seen(1))
    assert correlations(store) == ["c2", "c1", "c0"]


def test_every_value_comes_back(store: Store) -> None:
    append(store, seen(status=404, detail='There is no User with the id … "\\ é', token_id=None))
    [row] = requests.listed(store, "acme")["items"]
    assert row.pop("request") > 0
    assert row == {
        "at": "2023-11-14T22:13:20.000Z",
        "tenant": "acme",
        "method": "GET",
        "route": "/scim/v2/Users",
        "id": None,
        "status": 404,
        "token": None,
        "source": "okta",
        "correlation_id": "c0",
        "why": 'There is no User with the id … "\\ é',
        "took_ms": 3,
    }


def test_an_id_of_ours_stands_beside_its_route(store: Store) -> None:
    ours = "0123456789abcdef" * 2
    append(store, seen(route=f"/scim/v2/Users/{ours}"))
    [row] = requests.listed(store, "acme")["items"]
    assert (row["route"], row["id"]) == ("/scim/v2/Users/{id}", ours)


def test_a_tenant_sees_its_own_requests(store: Store) -> None:
    append(store, seen(1), seen(2, tenant="umbrella"), seen(3, tenant=None))
    assert correlations(store) == ["c1"]
    assert correlations(store, "umbrella") == ["c2"]
    assert correlations(store, None) == ["c3", "c2", "c1"]


def test_a_token_s_public_part_tells_whose_a_request_is(store: Store) -> None:
    with store.begin("acme") as tx:
        token = tokens.issue(tx, scopes=("scim",), source="entra")
    append(store, seen(tenant=None, source=None, token_id=token.id, status=401))
    [row] = requests.listed(store, "acme")["items"]
    assert (row["tenant"], row["token"], row["source"]) == ("acme", token.id, "entra")


def test_a_token_that_there_is_not_is_nobody_s(store: Store) -> None:
    append(store, seen(tenant=None, source=None, token_id="ab" * 8, status=401))
    assert correlations(store) == []
    [row] = requests.listed(store, None)["items"]
    assert (row["tenant"], row["token"], row["source"]) == (None, None, None)


def test_pages_follow_each_other_without_a_gap(store: Store) -> None:
    append(store, *(seen(number) for number in range(5)))
    found, after = [], None
    while True:
        page = requests.listed(store, "acme", after, 2)
        found += [row["correlation_id"] for row in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert found == ["c4", "c3", "c2", "c1", "c0"]


@pytest.mark.parametrize(("limit", "told"), [(0, 1), (-5, 1), (10_000, 3)])
def test_a_limit_out_of_bounds_is_brought_within(store: Store, limit: int, told: int) -> None:
    append(store, *(seen(number) for number in range(3)))
    assert len(requests.listed(store, "acme", None, limit)["items"]) == told


def test_refused_ones_are_those_of_400_or_more(store: Store) -> None:
    append(store, seen(1, status=399), seen(2, status=400), seen(3, status=503))
    assert correlations(store, refused=True) == ["c3", "c2"]
    assert correlations(store, status=503) == ["c3"]


def test_what_is_older_than_a_week_is_let_go(store: Store) -> None:
    append(store, seen(0), seen(1), seen(2))
    assert not forget(store, before=seen(2).at)
    assert correlations(store) == ["c2"]


def test_of_a_tenant_no_more_than_so_many_are_kept(store: Store) -> None:
    append(store, *(seen(number) for number in range(6)), *(seen(number, tenant="umbrella") for number in range(2)))
    assert not forget(store, most=3)
    assert correlations(store) == ["c5", "c4", "c3"]
    assert correlations(store, "umbrella") == ["c1", "c0"]


def test_those_whom_nobody_knows_are_bounded_too(store: Store) -> None:
    append(store, *(seen(number, tenant=None) for number in range(6)))
    forget(store, most=3)
    assert correlations(store, None) == ["c5", "c4", "c3"]


def test_little_is_let_go_at_a_time(store: Store) -> None:
    append(store, *(seen(number) for number in range(6)))
    assert forget(store, most=1, at_a_time=3)
    assert len(correlations(store)) == 3
    assert not forget(store, most=1, at_a_time=3)
    assert len(correlations(store)) == 1


def test_a_tenant_without_a_new_request_is_not_looked_at(store: Store) -> None:
    append(store, *(seen(number) for number in range(3)))
    forget(store, since=seen(3).at, most=1)
    assert len(correlations(store)) == 3


def test_what_a_request_said_has_no_column() -> None:
    assert {column.name for column in operator_tables.inbound.columns} == {
        *("id", "tenant", "method", "route", "status", "token_id", "source", "correlation_id", "detail"),
        *("took_ms", "at"),
    }


def test_a_page_of_many_follows_an_index(sqlite_url: str) -> None:
    opened = Store.open(sqlite_url, clock=lambda: 1)
    with opened.across_tenants("test") as tx:
        plan = tx.connection.execute(
            sa.text("EXPLAIN QUERY PLAN SELECT * FROM inbound WHERE tenant = 'a' AND id < 9 ORDER BY id DESC LIMIT 50")
        ).all()
    opened.close()
    assert any("inbound_tenant" in str(row) for row in plan)
    assert not any("TEMP B-TREE" in str(row) for row in plan)
