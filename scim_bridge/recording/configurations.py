"""Which configuration a process works by: each new one of a tenant is recorded in the audit when it is loaded."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scim_bridge.settings.checked import Checked
from scim_bridge.settings.models import Settings, TargetSettings, TenantSettings
from scim_bridge.settings.sources import SourceSettings
from scim_bridge.store import audit_chain, audits
from scim_bridge.store.engine import Store

WHAT = "configuration loaded"

_OF_ALL = frozenset({"retention_days", "evidence_days"})
"""Settings that are no tenant's, but say how long a tenant's rows are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What may be told of a tenant's configuration, by the paths of its keys; the same in every process."""

    settings: Mapping[str, Any]
    """Values."""
    marks: Mapping[str, str]
    """Digests of what is not told: where secrets stand, and expressions, which may hold values of the customer's."""

    @property
    def digest(self) -> str:
        return _mark(_canonical({"settings": self.settings, "marks": self.marks}))


def note(store: Store, settings: Settings, *, who: str) -> int:
    """Record the configuration of each tenant for which it is not the one recorded last; return how many these were.

    `who` is the process that loaded it. Any number of processes may start at once: each configuration is recorded once.
    """
    return sum(_note(store, tenant.id, _told(settings, tenant), who=who) for tenant in settings.tenants)


def _note(store: Store, tenant: str, told: _Told, *, who: str) -> bool:
    # Most starts bring nothing new, and must not wait for whoever writes just now.
    with store.begin(tenant, write=False) as tx:
        if audits.newest(tx, [WHAT]).get(WHAT, {}).get("digest") == told.digest:
            return False
    with store.begin(tenant) as tx:
        audit_chain.take_turns(tx)
        before = audits.newest(tx, [WHAT]).get(WHAT)
        if before is not None and before.get("digest") == told.digest:
            return False
        audits.append(
            tx,
            who=who,
            what=WHAT,
            before=None if before is None else {"digest": before.get("digest")},
            after={
                "digest": told.digest,
                "differs": {} if before is None else _difference(before, told),
                "settings": told.settings,
                "marks": told.marks,
            },
        )
    return True


def _difference(before: Mapping[str, Any], told: _Told) -> dict[str, Any]:
    """Return the paths that differ: with what stood and stands there, or how, where that is not told."""
    found: dict[str, Any] = {}
    sides = {"before": before.get("settings", {}), "after": told.settings}
    for path in sorted(sides["before"].keys() | sides["after"].keys()):
        values = {side: told_then[path] for side, told_then in sides.items() if path in told_then}
        if len(values) == 1 or values["before"] != values["after"]:
            found[path] = values
    was, now = before.get("marks", {}), told.marks
    for path in sorted(was.keys() | now.keys()):
        if was.get(path) != now.get(path):
            found[path] = "new" if path not in was else "gone" if path not in now else "changed"
    return found


def _told(settings: Settings, tenant: TenantSettings) -> _Told:
    values = {name: getattr(settings, name) for name in _OF_ALL}
    values |= dict(_flat("", _dumped(tenant, without={"sources", "targets"})))
    marks: dict[str, str] = {}
    for source in tenant.sources:
        prefix = f"sources.{source.name}"
        values |= dict(_flat(prefix, _source(source)))
        marks |= _marked(prefix, source, source.references)
    for target in tenant.targets:
        prefix = f"targets.{target.name}"
        values |= dict(_flat(prefix, _target(target)))
        marks |= _marked(prefix, target, {k: v for k, v in target.references.items() if k not in target.options})
    for receiver in settings.notices:
        if not receiver.tenants or tenant.id in receiver.tenants:
            prefix = f"notices.{receiver.name}"
            values |= dict(_flat(prefix, _dumped(receiver, without={"secret", "tenants"})))
            marks |= {f"{prefix}.{key}": _mark(text) for key, text in receiver.references.items()}
    return _Told(settings=json.loads(_canonical(values)), marks=dict(sorted(marks.items())))


def _source(source: SourceSettings) -> dict[str, Any]:
    found = _dumped(source, without={"secret", "mapping", "fetch"})
    return found if source.fetch is None else {**found, "fetch": _dumped(source.fetch, without={"secret"})}


def _target(target: TargetSettings) -> dict[str, Any]:
    """Return what a target is told, its references as such: only some processes know what they lead to."""
    found = _dumped(target, without={"options", "secrets", "mapping"})
    return found | {name: target.references.get(name, value) for name, value in target.options.items()}


def _marked(prefix: str, part: SourceSettings | TargetSettings, secrets: Mapping[str, str]) -> dict[str, str]:
    found = {f"{prefix}.{key}": _mark(text) for key, text in secrets.items()}
    return found | {f"{prefix}.mapping.{name}": _mark(text) for name, text in part.mapping.items()}


def _dumped(part: Checked, *, without: set[str]) -> dict[str, Any]:
    return part.model_dump(mode="json", by_alias=True, exclude=without)


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield each value of nested tables with its path; a list is one value."""
    if not isinstance(value, Mapping):
        yield prefix, value
        return
    for name, each in value.items():
        yield from _flat(f"{prefix}.{name}" if prefix else name, each)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
