"""Reads of which PostgreSQL is told everything in one message: a resource or a page, with the memberships they show.

Step by step, a look-up waits for the database four times: to begin, for the resource, for its memberships, and to end.
Read so, it is what `DirectoryStorage` reads otherwise; what is not made for this, that reads.
"""

from collections.abc import Sequence
from typing import Any

from scim2_models import ResponseParameters, SearchRequest

from scim_bridge.domain.models import MODELS
from scim_bridge.domain.texts import is_storable
from scim_bridge.intake.scim import refusals, shown
from scim_bridge.intake.scim.shown import Shown
from scim_bridge.store import glances, trips
from scim_bridge.store.engine import Store
from scim_bridge.store.search import pages
from scim_bridge.store.search.pages import Page


def suits(store: Store, kinds: Sequence[str], parameters: ResponseParameters[Any] | None) -> bool:
    """Tell whether the store is read so, and no more is shown than resources of one kind and their memberships."""
    return trips.are_made(store) and len(kinds) == 1 and not shown.wants_standings(kinds[0], parameters)


def read(
    store: Store,
    tenant: str,
    kind: str,
    scim_id: str,
    parameters: ResponseParameters[Any] | None,
    *,
    limit_s: float | None,
) -> Shown:
    """Return a resource as it is shown.

    Raises:
        NotFoundException: there is none of this kind and id.
        TooManyException: it takes longer than `limit_s`.
    """
    if not is_storable(scim_id):
        raise refusals.unknown(kind, scim_id)
    with_ends = shown.wants_memberships(kind, parameters)
    with refusals.in_time():
        found = glances.read(store, tenant, kind, scim_id, with_ends=with_ends, statement_timeout_s=limit_s)
    if found is None:
        raise refusals.unknown(kind, scim_id)
    return Shown(found.stored, found.ends if with_ends else None)


def find(
    store: Store,
    tenant: str,
    kind: str,
    request: SearchRequest[Any],
    position: Any,
    *,
    limit_s: float | None,
) -> tuple[Page, list[Shown]] | None:
    """Return one page of what matches, and its resources as they are shown; None: it cannot be read so.

    Raises:
        TooManyException: as `read`.
        InvalidFilterException, InvalidCursorException: as `pages.find`.
    """
    with refusals.in_time():
        found = pages.find_at_once(
            store,
            tenant,
            (kind, MODELS[kind]),
            request,
            position=position,
            with_ends=shown.wants_memberships(kind, request),
            statement_timeout_s=limit_s,
        )
    if found is None:
        return None
    page, ends = found
    return page, shown.together(page.resources, ends, request)
