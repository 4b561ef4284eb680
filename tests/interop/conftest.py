"""The real front door on the loopback interface, on both databases; each test is a tenant of its own."""

import itertools
from collections.abc import Iterator

import pytest
from fakes.dispatcher import RecordingDispatcher
from fakes.server import served
from fakes.stores import shared_url
from running.door import FrontDoor, Ticking

from scim_bridge.settings.models import Settings
from scim_bridge.store import tokens
from scim_bridge.store.engine import Store
from scim_bridge.web.app import create_app

_tenants = itertools.count(1)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def shared_door(request: pytest.FixtureRequest) -> Iterator[tuple[str, Store]]:
    with shared_url(request) as url:
        store = Store.open(url, clock=Ticking())
        app = create_app(Settings(), store, RecordingDispatcher(), clock=store.clock, secret=b"s" * 32)
        with served(app) as address:
            yield f"{address}/scim/v2", store
        store.close()


@pytest.fixture
def front_door(shared_door: tuple[str, Store]) -> FrontDoor:
    url, store = shared_door
    with store.begin(f"tenant-{next(_tenants)}") as tx:
        return FrontDoor(url, tokens.issue(tx, scopes=["scim"], source="idp").value)
