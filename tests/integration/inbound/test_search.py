"""Whatever is searched for in whatever directory: the database answers as the library's own matching and sorting do."""

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from random_searches import SORT_PATHS, everybody, fill, filters, hits_of, other_value, search_request

from scim_bridge.domain.models import MODELS
from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.store import members, trips
from scim_bridge.store.engine import Store, Transaction
from scim_bridge.store.search import pages

SEEDS = (1, 2, 3)
KINDS = ((USER,), (GROUP,), (USER, GROUP))


def tried(examples: int) -> settings:
    """Try so many searches, the same each time. More and others: `--hypothesis-seed=random` with a larger number."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
    )


@pytest.fixture(scope="module")
def directories(shared_store: Store) -> dict[int, list[Any]]:
    """Random directories by their seed, each in a tenant of its own, as the library's models."""
    found = {}
    for seed in SEEDS:
        fill(shared_store, f"random-{seed}", seed=seed)
        found[seed] = everybody(shared_store, f"random-{seed}")
    return found


def asked(kinds: tuple[str, ...], **values: Any) -> Any:
    """Return a search; a filter that the library refuses is none."""
    try:
        return search_request(*kinds, **values)
    except ValidationError:
        reject()


def drawn_filter(data: st.DataObject, kinds: tuple[str, ...], everyone: list[Any]) -> str:
    return str(data.draw(filters(kinds, hits_of(everyone, kinds)), label="filter"))


def found(store: Store, tenant: str, kinds: tuple[str, ...], request: Any, *, position: Any = None) -> pages.Page:
    with store.begin(tenant, write=False) as tx:
        page = pages.find(tx, [(kind, MODELS[kind]) for kind in kinds], request, position=position)
        if trips.are_made(store) and len(kinds) == 1:
            assert_same_at_once(tx, store, tenant, kinds[0], request, position, page)
        return page


def assert_same_at_once(
    tx: Transaction, store: Store, tenant: str, kind: str, request: Any, position: Any, page: pages.Page
) -> None:
    """What is read in one message is what is read step by step, if it can be."""
    at_once = pages.find_at_once(store, tenant, (kind, MODELS[kind]), request, position=position, with_ends=True)
    if at_once is not None:
        ends_of = members.members_of if kind == GROUP else members.groups_of
        ids = [each.id for each in page.resources]
        read, ends = at_once
        assert read == page
        assert {number: ends[number] for number in ids if number in ends} == ends_of(tx, ids)


def expected(everyone: list[Any], kinds: tuple[str, ...], request: Any) -> list[str]:
    matching = [
        each
        for each in everyone
        if each.meta.resource_type in kinds and (request.filter is None or request.filter.match(each))
    ]
    return [each.id for each in request.sort(matching)]


def ids_of(page: pages.Page) -> list[str]:
    return [each.scim_id for each in page.resources]


@tried(70)
@given(data=st.data())
def test_a_filter_finds_whom_the_library_matches(
    shared_store: Store, directories: dict[int, list[Any]], data: st.DataObject
) -> None:
    """Twice: with its own values, and with others, for which nothing is translated anew."""
    seed, kinds = data.draw(st.sampled_from(SEEDS)), data.draw(st.sampled_from(KINDS))
    text = drawn_filter(data, kinds, directories[seed])
    values = iter(data.draw(st.lists(other_value(), min_size=20, max_size=20), label="other values"))
    for each in (text, re.sub(r'"[^"\\]+"', lambda _: next(values), text)):
        request = asked(kinds, filter=each)
        page = found(shared_store, f"random-{seed}", kinds, request)
        wanted = expected(directories[seed], kinds, request)
        assert (ids_of(page), page.total) == (wanted, len(wanted)), each


@tried(70)
@given(data=st.data())
def test_a_page_is_the_library_s_order_cut_out(
    shared_store: Store, directories: dict[int, list[Any]], data: st.DataObject
) -> None:
    seed, kinds = data.draw(st.sampled_from(SEEDS)), data.draw(st.sampled_from(KINDS))
    request = asked(
        kinds,
        filter=drawn_filter(data, kinds, directories[seed]) if data.draw(st.booleans()) else None,
        sort_by=data.draw(st.one_of(st.none(), st.sampled_from(SORT_PATHS))),
        sort_order=data.draw(st.sampled_from(["ascending", "descending"])),
        start_index=data.draw(st.one_of(st.just(1), st.integers(-1, 40))),
        count=data.draw(st.one_of(st.integers(0, 12), st.none())),
    )
    page = found(shared_store, f"random-{seed}", kinds, request)
    wanted = expected(directories[seed], kinds, request)
    assert (ids_of(page), page.total) == (wanted[request.start_index_0 : request.stop_index_0], len(wanted))


@tried(30)
@given(data=st.data())
def test_cursors_lead_through_the_library_s_order_forth_and_back(
    shared_store: Store, directories: dict[int, list[Any]], data: st.DataObject
) -> None:
    seed, kinds = data.draw(st.sampled_from(SEEDS)), data.draw(st.sampled_from(KINDS))
    request = asked(
        kinds,
        filter=drawn_filter(data, kinds, directories[seed]) if data.draw(st.booleans()) else None,
        sort_by=data.draw(st.one_of(st.none(), st.sampled_from(SORT_PATHS))),
        sort_order=data.draw(st.sampled_from(["ascending", "descending"])),
        count=data.draw(st.integers(1, 9)),
        cursor="",
    )
    wanted = expected(directories[seed], kinds, request)
    page = found(shared_store, f"random-{seed}", kinds, request)
    assert (page.total, page.previous) == (len(wanted), None)
    forth = [ids_of(page)]
    while page.next is not None:
        page = found(shared_store, f"random-{seed}", kinds, request, position=page.next)
        forth.append(ids_of(page))
        assert page.total is None
    assert [each for part in forth for each in part] == wanted
    assert all(len(part) == request.count for part in forth[:-1])
    back = [ids_of(page)]
    while page.previous is not None:
        page = found(shared_store, f"random-{seed}", kinds, request, position=page.previous)
        back.append(ids_of(page))
    assert back[::-1] == forth
