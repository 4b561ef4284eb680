"""Requests as they came to the front door, for the day on which an admin says that it does not work."""

import re
from collections.abc import Mapping
from typing import Any

from scim_bridge.domain.instants import to_iso
from scim_bridge.store import inbound
from scim_bridge.store.engine import Store

MOST_AT_ONCE = 500

_OUR_ID = re.compile(r"/(?P<id>[0-9a-f]{32})(?=/|$)")


def listed(
    store: Store,
    tenant: str | None,
    after: int | None = None,
    limit: int = 50,
    status: int | None = None,
    *,
    refused: bool = False,
) -> dict[str, Any]:
    """Return a page of requests, the newest in front, and the `next` page's `after` (None: there is none).

    `tenant` None is for those who may see all, requests with unknown tokens included. `status` chooses those that were
    answered so, `refused` those that were answered with 400 or more.
    """
    limit = max(1, min(limit, MOST_AT_ONCE))
    door = store.across_tenants("list requests as they came in") if tenant is None else store.begin(tenant, write=False)
    with door as tx:
        # One more than asked for tells whether there is another page.
        rows = inbound.listed(
            tx,
            after=after,
            limit=limit + 1,
            status=status,
            least_status=inbound.REFUSED_FROM if refused else 0,
        )
    page = rows[:limit]
    return {"items": [_shown(row) for row in page], "next": page[-1]["id"] if len(rows) > limit else None}


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    ours = _OUR_ID.search(row["route"])
    return {
        "request": row["id"],
        "at": to_iso(row["at"]),
        "tenant": row["tenant"] or None,
        "method": row["method"],
        "route": _OUR_ID.sub("/{id}", row["route"]),
        "id": None if ours is None else ours["id"],
        "status": row["status"],
        "token": row["token_id"],
        "source": row["source"] or None,
        "correlation_id": row["correlation_id"],
        "why": row["detail"],
        "took_ms": row["took_ms"],
    }
