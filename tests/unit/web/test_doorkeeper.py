"""Whom a process lets in between two questions to the store, and when an answer does not come."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from scim2_models import UnauthorizedException

from scim_bridge.store import tokens
from scim_bridge.store.engine import Store, StoreUnavailable, Transaction
from scim_bridge.store.tokens import Issued
from scim_bridge.web.auth import Doorkeeper
from scim_bridge.web.recognition import ASKED_AGAIN_MS, KEPT_MS


class Interrupted(Store):
    """A store that cannot be asked about tokens now and then."""

    is_away = False

    def across_tenants(self, reason: str, **more: bool) -> AbstractContextManager[Transaction]:
        if self.is_away:
            raise StoreUnavailable("away")
        return super().across_tenants(reason, **more)


@pytest.fixture
def store(sqlite_url: str, clock: Any) -> Iterator[Store]:
    opened = Interrupted.open(sqlite_url, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def issued(store: Store) -> Issued:
    with store.begin("acme") as tx:
        return tokens.issue(tx, scopes=["scim"], source="idp")


def admit(doorkeeper: Doorkeeper, issued: Issued) -> str:
    return doorkeeper.admit(f"Bearer {issued.value}", address="127.0.0.1", scopes=frozenset({"scim"})).tenant


def test_nobody_is_let_in_again_once_a_process_has_seen_the_token_revoked(
    store: Store, issued: Issued, clock: Any
) -> None:
    doorkeeper = Doorkeeper(store, clock)
    assert admit(doorkeeper, issued) == "acme"
    with store.begin("acme") as tx:
        tokens.revoke(tx, issued.id)
    clock.advance(ms=ASKED_AGAIN_MS)
    for _ in range(3):
        with pytest.raises(UnauthorizedException):
            admit(doorkeeper, issued)


def test_a_question_ahead_of_time_that_is_not_answered_keeps_nobody_out(
    store: Interrupted, issued: Issued, clock: Any
) -> None:
    doorkeeper = Doorkeeper(store, clock)
    admit(doorkeeper, issued)
    store.is_away = True
    clock.advance(ms=ASKED_AGAIN_MS)
    assert [admit(doorkeeper, issued) for _ in range(3)] == ["acme"] * 3
    clock.advance(ms=KEPT_MS - ASKED_AGAIN_MS)
    with pytest.raises(StoreUnavailable):
        admit(doorkeeper, issued)
