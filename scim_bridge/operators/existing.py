"""Whether what an operator names exists, in the configuration or in the store."""

from collections.abc import Collection

from scim_bridge.errors import UsageError
from scim_bridge.settings.models import Settings
from scim_bridge.store import reports
from scim_bridge.store.engine import Store


def check(store: Store, settings: Settings, *, tenant: str | None = None, target: str | None = None) -> None:
    """Raise UsageError, naming those there are, when neither configuration nor store has the tenant or the target.

    What has left the configuration keeps its rows, so it may still be asked about. The tenants are named to the command
    line only: a token may be of one that is gone.
    """
    if tenant is None and target is None:
        return
    with store.across_tenants("look up what an operator named") as tx:
        tenants = reports.tenants(tx) | {each.id for each in settings.tenants}
        pairs = reports.pairs(tx) | {(each.id, lane.name) for each in settings.tenants for lane in each.targets}
    if tenant is not None and tenant not in tenants:
        raise no_tenant(tenant, tenants)
    targets = {name for of, name in pairs if tenant in (None, of)}
    if target is not None and target not in targets:
        where = "there is no target" if tenant is None else f"the tenant {tenant} has no target"
        raise UsageError(f"{where} {target} (there: {_listed(targets)})")


def no_tenant(tenant: str, tenants: Collection[str]) -> UsageError:
    """Return the error that there is no such tenant; the command line adds which there are."""
    return UsageError(f"there is no tenant {tenant}", aside=f" (there: {_listed(tenants)})")


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none yet"
