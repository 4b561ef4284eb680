"""A front door with a directory behind it, on both databases; each test is a tenant of its own."""

import itertools
from collections.abc import Callable, Iterator

import pytest
from fakes.dispatcher import RecordingDispatcher
from fakes.sleeps import Sleeps
from fakes.stores import shared_url
from flask import Flask
from running.door import Sender, Ticking

from scim_bridge.settings.models import GroupSettings, Settings, TargetSettings, TenantSettings, WebSettings
from scim_bridge.store import lanes, tokens
from scim_bridge.store.engine import Store
from scim_bridge.web.app import create_app

_tenants = itertools.count(1)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def shared_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    with shared_url(request) as url:
        store = Store.open(url, clock=Ticking())
        yield store
        store.close()


@pytest.fixture
def dispatcher() -> RecordingDispatcher:
    return RecordingDispatcher()


@pytest.fixture
def tenant_settings() -> TenantSettings:
    """A tenant with three targets: one takes everybody, one a group, one only employees."""
    return TenantSettings(
        id=f"tenant-{next(_tenants)}",
        targets=[
            TargetSettings(name="everybody", kind="fake"),
            TargetSettings(name="sales", kind="fake", groups={"Sales": GroupSettings()}),
            TargetSettings(name="employees", kind="fake", scope='userType eq "Employee"'),
        ],
    )


@pytest.fixture
def web_settings() -> WebSettings:
    return WebSettings(
        max_body_bytes=100_000,
        bulk_max_operations=50,
        bulk_max_payload_bytes=200_000,
        import_max_bytes=200_000,
        max_results=50,
    )


@pytest.fixture
def sleeps() -> Sleeps:
    """The time of requests that wait until their change is settled."""
    return Sleeps()


@pytest.fixture
def app(
    shared_store: Store,
    dispatcher: RecordingDispatcher,
    tenant_settings: TenantSettings,
    web_settings: WebSettings,
    sleeps: Sleeps,
) -> Flask:
    with shared_store.across_tenants("test", write=True) as tx:
        # The lanes of tests before this one are nobody's any more.
        lanes.sync(tx, [(tenant_settings.id, target.name) for target in tenant_settings.targets])
    settings = Settings(web=web_settings, tenants=[tenant_settings])
    return create_app(
        settings,
        shared_store,
        dispatcher,
        clock=shared_store.clock,
        secret=b"s" * 32,
        sleep=sleeps.sleep,
        monotonic_s=sleeps.monotonic_s,
    )


@pytest.fixture
def make_sender(app: Flask, shared_store: Store) -> Callable[..., Sender]:
    def make(tenant: str, *, scopes: tuple[str, ...] = ("scim",), user_agent: str = "test") -> Sender:
        with shared_store.begin(tenant) as tx:
            issued = tokens.issue(tx, scopes=scopes, source="idp")
        return Sender(app.test_client(), issued.value, tenant, user_agent)

    return make


@pytest.fixture
def sender(make_sender: Callable[..., Sender], tenant_settings: TenantSettings) -> Sender:
    return make_sender(tenant_settings.id)
