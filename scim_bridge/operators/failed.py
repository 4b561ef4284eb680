"""The dead: operations that are no longer tried, each with its code, its advice and who can mend it."""

from collections.abc import Mapping
from typing import Any

from scim_bridge.domain.catalogue import CATALOGUE
from scim_bridge.domain.instants import Millis, to_iso
from scim_bridge.errors import UsageError
from scim_bridge.store import dead_letters, histories
from scim_bridge.store.engine import Store, Transaction
from scim_bridge.store.reports import Chosen


def list_failed(
    store: Store,
    *,
    tenant: str | None = None,
    target: str | None = None,
    code: str | None = None,
    klass: str | None = None,
    since: Millis | None = None,
    until: Millis | None = None,
    user: str | None = None,
) -> list[dict[str, Any]]:
    """Return the dead operations that all given filters choose, the one that ended first in front.

    `klass` is a trouble of the catalogue (data, config, ...); `user` is anything that `user show` takes.

    Raises:
        UsageError: no such code or class.
    """
    codes = codes_of(code, klass)
    with store.across_tenants("list what failed") as tx:
        chosen = Chosen(
            tenant=tenant, target=target, codes=codes, since=since, until=until, resource_ids=people_named(tx, user)
        )
        return [shown(row) for row in dead_letters.all_of(tx, chosen)]


def codes_of(code: str | None, klass: str | None) -> frozenset[str] | None:
    """Return the codes that a code and a class choose together, None when neither is given.

    Raises:
        UsageError: the catalogue has no such code or class.
    """
    if code is not None and code not in CATALOGUE:
        raise UsageError(f"there is no code {code}; the codes are {', '.join(sorted(CATALOGUE))}")
    classes = {str(each.trouble) for each in CATALOGUE.values() if each.trouble is not None}
    if klass is not None and klass not in classes:
        raise UsageError(f"there is no class {klass}; the classes are {', '.join(sorted(classes))}")
    if code is None and klass is None:
        return None
    of_class = frozenset(name for name, each in CATALOGUE.items() if klass is None or each.trouble == klass)
    return of_class if code is None else of_class & {code}


def people_named(tx: Transaction, user: str | None) -> frozenset[int] | None:
    """Return the numbers of the people that an operator named, None when nobody was named."""
    return None if user is None else frozenset(histories.find_people(tx, user))


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dead operation as operators see it."""
    code = CATALOGUE.get(row["code"])
    document = histories.document_of(row["document"])
    return {
        "operation": row["id"],
        "tenant": row["tenant"],
        "target": row["target"],
        "kind": row["kind"],
        "id": row["scim_id"],
        "user": histories.label_of(document),
        "code": row["code"],
        "class": None if code is None or code.trouble is None else str(code.trouble),
        "detail": row["detail"],
        "advice": "" if code is None else code.advice,
        "owner": "operator" if code is None else code.owner,
        "attempts": row["attempts"],
        "at": to_iso(row["at"]),
        "batch": row["batch_id"],
        "change": row["change_number"],
        "source": row["source"],
        "correlation_id": row["correlation_id"],
    }
