"""Proofs by the API read all of the books at once, so that they are made one after the other."""

from collections.abc import Callable

import pytest
from fakes.dispatcher import RecordingDispatcher

from scim_bridge.errors import OutOfDate
from scim_bridge.settings.models import Settings
from scim_bridge.store.engine import Store
from scim_bridge.web.api.operations import Asked, Desk, Operation
from scim_bridge.web.api.records import OPERATIONS

PROOFS = [each for each in OPERATIONS if each.path.endswith("/verify")]


@pytest.mark.parametrize("proof", PROOFS, ids=[each.name for each in PROOFS])
def test_proofs_are_made_one_at_a_time(proof: Operation, sqlite_url: str, clock: Callable[[], int]) -> None:
    store = Store.open(sqlite_url, clock=clock)
    desk = Desk(settings=Settings(), store=store, dispatcher=RecordingDispatcher(), clock=clock)
    asked = Asked(tenant="acme", who="op", path={}, query={}, body={}, scopes=frozenset())
    with desk.proving, pytest.raises(OutOfDate, match="being proved"):
        proof.handler(desk, asked)
    for _ in range(2):
        assert "fault" in str(proof.handler(desk, asked))
    store.close()
