"""The real front door on the loopback interface, on both databases, for programs and suites that others wrote."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from fakes.dispatcher import RecordingDispatcher
from fakes.server import served

from scim_bridge.settings.models import Settings
from scim_bridge.store import tokens
from scim_bridge.store.engine import Store
from scim_bridge.web.app import create_app


@dataclass(frozen=True)
class FrontDoor:
    """Where the SCIM endpoints are, and a token of one tenant."""

    url: str
    token: str = field(repr=False)


@pytest.fixture
def front_door(store: Store) -> Iterator[FrontDoor]:
    app = create_app(Settings(), store, RecordingDispatcher(), clock=store.clock, secret=b"s" * 32)
    with store.begin("acme") as tx:
        token = tokens.issue(tx, scopes=["scim"], source="idp").value
    with served(app) as url:
        yield FrontDoor(f"{url}/scim/v2", token)
