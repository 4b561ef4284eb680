"""A cursor keeps its place while others come, go and change, and fits in a URL (RFC 9865)."""

import itertools
import random
from typing import Any

import pytest
from random_searches import search_request
from scim2_models import ExpiredCursorException, InvalidCursorException

from scim_bridge.domain.models import MODELS
from scim_bridge.domain.resources import CORE_USER, USER
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder
from scim_bridge.store import directory
from scim_bridge.store.engine import Store, Transaction
from scim_bridge.store.search import pages

_tenants = itertools.count(1)


@pytest.fixture
def tenant() -> str:
    return f"cursors-{next(_tenants)}"


def create(tx: Transaction, name: str, **attributes: Any) -> str:
    document = {"schemas": [CORE_USER], "userName": name, **attributes}
    return _recorder(tx).create(USER, document).scim_id


def delete(tx: Transaction, scim_id: str) -> None:
    stored = directory.fetch(tx, USER, scim_id)
    assert stored is not None
    _recorder(tx).delete(stored)


def _recorder(tx: Transaction) -> Recorder:
    return Recorder(tx, scopes={}, origin=Origin(source="idp", correlation_id="c"))


def page_of(store: Store, tenant: str, *, position: Any = None, **values: Any) -> pages.Page:
    with store.begin(tenant, write=False) as tx:
        return pages.find(tx, [(USER, MODELS[USER])], search_request(USER, cursor="", **values), position=position)


@pytest.mark.parametrize("order", [{}, {"sort_by": "userName"}, {"sort_by": "title", "sort_order": "descending"}])
def test_who_stays_is_listed_once_whoever_else_comes_or_goes(
    shared_store: Store, tenant: str, order: dict[str, str]
) -> None:
    for seed in range(4):
        chance = random.Random(seed)
        with shared_store.begin(f"{tenant}-{seed}") as tx:
            before = [create(tx, f"{chance.random()}", title=str(chance.randrange(4))) for _ in range(12)]
        leaving, listed = chance.sample(before, 5), []
        staying = set(before) - set(leaving)
        page = page_of(shared_store, f"{tenant}-{seed}", count=2, **order)
        while True:
            listed += [each.scim_id for each in page.resources]
            if page.next is None:
                break
            with shared_store.begin(f"{tenant}-{seed}") as tx:
                create(tx, f"{chance.random()}", title=str(chance.randrange(4)))
                if leaving:
                    delete(tx, leaving.pop())
            page = page_of(shared_store, f"{tenant}-{seed}", count=2, position=page.next, **order)
        assert len(listed) == len(set(listed)), f"seed {seed}"
        assert staying <= set(listed), f"seed {seed}"


def test_a_place_behind_a_long_value_fits_in_a_url(shared_store: Store, tenant: str) -> None:
    with shared_store.begin(tenant) as tx:
        created = [create(tx, f"u{number}", title="😀" * 3000 + str(number % 2)) for number in range(4)]
    page = page_of(shared_store, tenant, count=1, sort_by="title")
    listed = [page.resources[0].scim_id]
    while page.next is not None:
        assert len(str(page.next)) < 200
        page = page_of(shared_store, tenant, count=1, sort_by="title", position=page.next)
        listed.append(page.resources[0].scim_id)
    assert listed == [created[0], created[2], created[1], created[3]]


def test_a_place_whose_long_value_is_gone_has_expired(shared_store: Store, tenant: str) -> None:
    with shared_store.begin(tenant) as tx:
        first, *_ = [create(tx, f"u{number}", title="x" * 300 + str(number)) for number in range(3)]
    page = page_of(shared_store, tenant, count=1, sort_by="title")
    with shared_store.begin(tenant) as tx:
        delete(tx, first)
    with pytest.raises(ExpiredCursorException):
        page_of(shared_store, tenant, count=1, sort_by="title", position=page.next)


def test_counting_alone_leads_nowhere(shared_store: Store, tenant: str) -> None:
    with shared_store.begin(tenant) as tx:
        create(tx, "ann")
    page = page_of(shared_store, tenant, count=0)
    assert (page.total, page.resources, page.next, page.previous) == (1, [], None, None)


@pytest.mark.parametrize(
    "position", ["x", 7, [], {}, {"d": "next"}, {"d": "up", "i": 1}, {"d": "next", "i": "1"}, {"d": "next", "i": None}]
)
def test_what_is_no_place_is_refused(shared_store: Store, tenant: str, position: Any) -> None:
    with pytest.raises(InvalidCursorException):
        page_of(shared_store, tenant, count=1, position=position)


def test_a_place_of_another_kind_of_value_is_refused(shared_store: Store, tenant: str) -> None:
    for value in (["x"], {"x": 1}, 1.5):
        with pytest.raises(InvalidCursorException):
            page_of(shared_store, tenant, count=1, sort_by="title", position={"d": "next", "i": 1, "v": value})
