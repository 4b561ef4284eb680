"""Files of HR rows, as operators look at them: which came, what became of each, and of each row."""

from collections.abc import Iterator
from typing import Any

from scim_bridge.errors import NotThere
from scim_bridge.intake.hr.imports import report
from scim_bridge.store import imports
from scim_bridge.store.engine import Store
from scim_bridge.store.imports import Import


def listed(
    store: Store, tenant: str | None, *, source: str | None = None, after: int | None = None, limit: int = 50
) -> dict[str, Any]:
    """Return a page of imports, the newest in front, and what `after` is for the next page (None: there is none).

    `tenant` is None for all tenants. What became of the rows is not counted: they would have to be read for each.
    """
    door = store.across_tenants("list imports") if tenant is None else store.begin(tenant, write=False)
    with door as tx:
        # One more than is shown tells whether there is another page.
        found = imports.newest(tx, source=source, before=after, limit=limit + 1)
    return {
        "items": [_shown(each) for each in found[:limit]],
        "next": found[limit - 1].id if len(found) > limit else None,
    }


def show(store: Store, tenant: str, name: str) -> dict[str, Any]:
    """Return where an import stands, and how many of its rows came to which outcome.

    Raises:
        NotThere: the tenant has no import of this name.
    """
    return report.summary(store, find(store, tenant, name))


def rows(
    store: Store, tenant: str, name: str, *, after: int = 0, limit: int = 50, refused: bool = False
) -> dict[str, Any]:
    """Return what became of a page of rows, in their order in the file; with `refused`, of those that were refused.

    Raises:
        NotThere: as `show`.
    """
    found = find(store, tenant, name)
    with store.begin(tenant, write=False) as tx:
        read = imports.refused if refused else imports.rows_after
        some = read(tx, found.id, after, limit=limit + 1)
    return {
        "items": [report.as_object(each) for each in some[:limit]],
        "next": some[limit - 1].position if len(some) > limit else None,
    }


def as_csv(store: Store, tenant: str, name: str) -> Iterator[str]:
    """Return the report of every row as CSV, piece by piece.

    Raises:
        NotThere: as `show`.
    """
    return report.as_csv(store, find(store, tenant, name))


def find(store: Store, tenant: str, name: str) -> Import:
    """Return an import of a tenant.

    Raises:
        NotThere: there is none of this name.
    """
    with store.begin(tenant, write=False) as tx:
        found = imports.named(tx, name)
    if found is None:
        raise NotThere(f"the tenant {tenant} has no import of this name")
    return found


def _shown(found: Import) -> dict[str, Any]:
    return {"tenant": found.tenant, **report.heading(found)}
