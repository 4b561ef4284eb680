"""What somebody is told who names what is not there: at the command line all names, behind a token none of others'."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scim_bridge.errors import UsageError
from scim_bridge.operators import existing, kept_events
from scim_bridge.settings.models import Settings, TenantSettings
from scim_bridge.store import lanes
from scim_bridge.store.engine import Store

SETTINGS = Settings(tenants=[TenantSettings(id="acme"), TenantSettings(id="secretcorp")])


@pytest.fixture
def store(sqlite_url: str, clock: Callable[[], int]) -> Iterator[Store]:
    opened = Store.open(sqlite_url, clock=clock)
    yield opened
    opened.close()


def gone(store: Store, check: Callable[..., None], **named: Any) -> UsageError:
    with pytest.raises(UsageError) as told:
        check(store, SETTINGS, tenant="gone", **named)
    return told.value


@pytest.mark.parametrize(("check", "more"), [(existing.check, {}), (kept_events.check, {"source": None})])
def test_who_names_no_tenant_is_told_of_no_other(
    store: Store, check: Callable[..., None], more: dict[str, Any]
) -> None:
    told = gone(store, check, **more)
    assert (str(told), told.aside) == ("there is no tenant gone", " (there: acme, secretcorp)")


def test_kept_events_may_be_asked_for_of_a_tenant_that_has_left(store: Store) -> None:
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("gone", "lms")])
    kept_events.check(store, SETTINGS, tenant="gone", source=None)
