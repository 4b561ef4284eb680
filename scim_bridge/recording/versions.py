"""Which mappings a process works by: each new one is recorded in the audit when it is loaded."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from scim_bridge.mapping.rows import RowMapping
from scim_bridge.settings.models import Settings, TenantSettings
from scim_bridge.settings.sources import WITHOUT_ROWS
from scim_bridge.store import audit_chain, audits
from scim_bridge.store.engine import Store


def note(store: Store, settings: Settings, *, who: str) -> int:
    """Record each mapping that is not the one recorded last, and return how many there were.

    `who` is the process that loaded it. The audit holds digests and the names of the fields that differ; expressions
    may hold values of the customer's, and stay in the configuration.
    """
    return sum(_note(store, tenant, who=who) for tenant in settings.tenants)


def _note(store: Store, tenant: TenantSettings, *, who: str) -> int:
    versions = dict(_versions(tenant))
    if not versions:
        return 0
    # Most starts bring nothing new, and must not wait for whoever writes just now.
    with store.begin(tenant.id, write=False) as tx:
        if not _new(versions, audits.newest(tx, versions)):
            return 0
    with store.begin(tenant.id) as tx:
        audit_chain.take_turns(tx)
        before = audits.newest(tx, versions)
        new = _new(versions, before)
        for what in new:
            was, version = before.get(what), versions[what]
            audits.append(
                tx,
                who=who,
                what=what,
                before=None if was is None else {"digest": was["digest"]},
                after={**version, "differs": _difference({} if was is None else was["fields"], version["fields"])},
            )
    return len(new)


def _new(versions: Mapping[str, Mapping[str, Any]], before: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [what for what, version in versions.items() if before.get(what, {}).get("digest") != version["digest"]]


def _versions(tenant: TenantSettings) -> Iterator[tuple[str, dict[str, Any]]]:
    for source in tenant.sources:
        if source.kind not in WITHOUT_ROWS:
            yield (
                f"mapping of source {source.name}",
                {"digest": RowMapping(source).digest, "fields": _marks(source.mapping)},
            )
    for target in tenant.targets:
        digest = _mark(json.dumps(target.mapping, sort_keys=True))
        yield f"mapping of target {target.name}", {"digest": digest, "fields": _marks(target.mapping)}


def _marks(mapping: Mapping[str, str]) -> dict[str, str]:
    return {name: _mark(text) for name, text in mapping.items()}


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _difference(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the names of the fields that are new, gone and changed; no word of what they were or are."""
    found = {
        "new": sorted(after.keys() - before.keys()),
        "gone": sorted(before.keys() - after.keys()),
        "changed": sorted(name for name in before.keys() & after.keys() if before[name] != after[name]),
    }
    return {kind: names for kind, names in found.items() if names}
