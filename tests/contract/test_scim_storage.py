"""The library's own contract for storages, on both databases. Each test is a tenant of its own."""

import itertools
from collections.abc import Iterator

import pytest
from fakes.stores import shared_url
from scim2_models import ScimProvider
from scim2_server.testing import ScimStorageContract

from scim_bridge.domain.models import describe_service
from scim_bridge.intake.scim.service import announced
from scim_bridge.intake.scim.storage import DirectoryStorage
from scim_bridge.recording.origins import Origin
from scim_bridge.settings.models import WebSettings
from scim_bridge.store.engine import Store

_tenants = itertools.count(1)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def shared_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    moments = itertools.count(1_700_000_000_000)
    with shared_url(request) as url:
        store = Store.open(url, clock=lambda: next(moments))
        yield store
        store.close()


class TestDirectoryStorage(ScimStorageContract):
    @pytest.fixture
    def provider(self) -> ScimProvider:
        return describe_service(announced(WebSettings()))

    @pytest.fixture
    def storage(self, shared_store: Store) -> DirectoryStorage:
        tenant = f"tenant-{next(_tenants)}"
        return DirectoryStorage(
            shared_store, tenant=tenant, origin=Origin(source="idp", correlation_id="contract"), scopes={}
        )
