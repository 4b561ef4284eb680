"""Makes the settings of a process from files and the environment, or refuses them with every problem at once."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from scim_bridge.settings import addresses, files, notice_tables, references, source_tables, targets
from scim_bridge.settings.models import Settings, TargetSettings, TenantSettings
from scim_bridge.settings.problems import Findings, dotted, without_faults
from scim_bridge.settings.sources import SourceSettings


class Role(StrEnum):
    """What a process does, which is what decides the secrets that it is given."""

    WEB = "web"
    WORKER = "worker"
    RELAY = "relay"
    OPERATOR = "operator"
    ALL = "all"
    """`up`, which starts all the others and wants to know beforehand that they can."""


_SOURCES_SECRETS = frozenset({Role.WEB, Role.ALL})
_FETCHES = frozenset({Role.RELAY, Role.ALL})
_NOTICES_SECRETS = frozenset({Role.RELAY, Role.ALL})

_OF_WEBHOOKS = "webhook_"
"""What options of a target begin with that say how it calls us: the front door needs them, delivery does not."""


def load(
    named: str | Path | None = None,
    *,
    role: Role | str = Role.OPERATOR,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings for a process of a role; `environ` is os.environ unless given.

    Raises:
        SettingsRefused: with every problem, each with its file and key. Never with a value.
    """
    environ = os.environ if environ is None else environ
    findings = Findings()
    place = files.find(named, environ)
    document = files.read_toml(place.file, findings)
    overrides = files.overrides(environ, findings)
    reader = _TenantReader(place, environ, findings, Role(role))
    tables = list(files.tenant_tables(place, document, findings))
    tenants = [reader.read(table) for table in tables]
    for name in _twice(table.table.get("id") for table in tables):
        findings.add(place.file, "tenants", f"the tenant {name} is there twice")
    receivers = notice_tables.Reader(
        place=place,
        environ=environ,
        findings=findings,
        gives_secrets=Role(role) in _NOTICES_SECRETS,
        tenants=[str(table.table.get("id")) for table in tables],
    )
    notices = receivers.read_all(document.get(notice_tables.PART, []))
    plain = {key: value for key, value in document.items() if key not in {"tenants", notice_tables.PART}}
    common = files.merged(plain, overrides)
    settings = _common(place, common, overrides, environ, findings)
    findings.refuse()
    found = [tenant for tenant in tenants if tenant is not None]
    return settings.model_copy(update={"tenants": found, "notices": notices})


def _common(
    place: files.Place,
    table: Mapping[str, Any],
    overrides: Mapping[str, Any],
    environ: Mapping[str, str],
    findings: Findings,
) -> Settings:
    """Return the settings that are no tenant's, with paths made absolute."""
    usable: dict[str, Any] = {}
    for key, value in table.items():
        where = "environment" if key in overrides else place.file
        if key not in Settings.model_fields:
            findings.add_unknown(where, key, Settings.model_fields)
        else:
            usable |= _sound(key, value, where, findings)
    settings = Settings(**usable)
    store_url = _referred(settings.store.url, "store.url", place, environ, findings)
    queue_url = _referred(settings.queue.url, "queue.url", place, environ, findings)
    for key, problem in (
        ("store.url", addresses.problem_with_store(store_url)),
        ("queue.url", addresses.problem_with_queue(queue_url)),
        ("web.bind", addresses.problem_with_bind(settings.web.bind)),
        ("web.admin_bind", addresses.problem_with_bind(settings.web.admin_bind)),
        ("web.public_url", settings.web.public_url and addresses.problem_with_public_url(settings.web.public_url)),
    ):
        if problem:
            findings.add("environment" if key.partition(".")[0] in overrides else place.file, key, problem)
    return settings.model_copy(
        update={
            "data_dir": place.absolute(settings.data_dir),
            "store": settings.store.model_copy(update={"url": _anchored(store_url, place)}),
            "queue": settings.queue.model_copy(update={"url": queue_url}),
        }
    )


def _sound(key: str, value: Any, where: Path | str, findings: Findings) -> dict[str, Any]:
    """Return what can be used of one top-level key, under that key; what is wrong with it is noted."""
    try:
        Settings(**{key: value})
    except ValidationError as error:
        model = Settings.model_fields[key].annotation
        known = model.model_fields if isinstance(model, type) and issubclass(model, BaseModel) else ()
        findings.add_invalid(where, "", error, known)
        return without_faults({key: value}, error)
    return {key: value}


def _referred(value: str, key: str, place: files.Place, environ: Mapping[str, str], findings: Findings) -> str:
    if not references.is_reference(value):
        return value
    try:
        return references.resolve(value, place, environ)
    except references.Unresolved as error:
        findings.add(place.file, key, str(error))
        return addresses.EMBEDDED if key == "queue.url" else Settings().store.url


def _anchored(url: str, place: files.Place) -> str:
    prefix = "sqlite:///"
    return f"{prefix}{place.absolute(url.removeprefix(prefix))}" if url.startswith(prefix) else url


def _twice(names: Iterable[Any]) -> list[str]:
    """Return the names that are there more than once; what is no text is no name."""
    return [name for name, count in Counter(name for name in names if isinstance(name, str)).items() if count > 1]


def _is_given(role: Role, option: str) -> bool:
    """Tell whether a process of a role is given what a target's option refers to."""
    if role is Role.ALL:
        return True
    return role is (Role.WEB if option.startswith(_OF_WEBHOOKS) else Role.WORKER)


class _TenantReader:
    """Reads one tenant's table after the other."""

    def __init__(self, place: files.Place, environ: Mapping[str, str], findings: Findings, role: Role) -> None:
        self._findings = findings
        self._sources = source_tables.Reader(
            place=place,
            environ=environ,
            findings=findings,
            gives_secrets=role in _SOURCES_SECRETS,
            fetches=role in _FETCHES,
        )
        self._targets = targets.Reader(
            place=place, environ=environ, findings=findings, resolves=lambda option: _is_given(role, option)
        )

    def read(self, tenant: files.TenantTable) -> TenantSettings | None:
        """Return a tenant's settings; None, with findings, when its table cannot be used."""
        plain = {key: value for key, value in tenant.table.items() if key not in {"sources", "targets"}}
        if "sources" in tenant.table:
            plain["sources"] = self._all_sources(tenant)
        plain["targets"] = self._all_targets(tenant)
        if not files.is_plain(tenant.table.get("id")):
            self._findings.add(tenant.file, dotted(tenant.key, "id"), "must be letters, digits, - or _")
        for part in ("sources", "targets"):
            for name in _twice(table.get("name") for _, table in self._tables(tenant, part)):
                self._findings.add(tenant.file, dotted(tenant.key, part), f"{name} is there twice")
        try:
            return TenantSettings(**plain)
        except ValidationError as error:
            self._findings.add_invalid(tenant.file, tenant.key, error, TenantSettings.model_fields)
            return None

    def _all_targets(self, tenant: files.TenantTable) -> list[TargetSettings]:
        found = []
        for number, table in self._tables(tenant, "targets"):
            prefix = dotted(tenant.key, "targets", number)
            target = self._targets.read(tenant, prefix, table)
            if target is not None:
                found.append(target)
            if not files.is_plain(table.get("name")):
                self._findings.add(tenant.file, dotted(prefix, "name"), "must be letters, digits, - or _")
        return found

    def _all_sources(self, tenant: files.TenantTable) -> list[SourceSettings]:
        found: dict[int, SourceSettings] = {}
        for number, table in self._tables(tenant, "sources"):
            source = self._sources.read(tenant, dotted(tenant.key, "sources", number), table)
            if source is not None:
                found[number] = source
        names = {source.name for source in found.values()}
        for number, source in found.items():
            for name in sorted(names & set(source.replaces)):
                key = dotted(tenant.key, "sources", number, "replaces")
                self._findings.add(tenant.file, key, f"{name} is still there; take its table out first")
        return list(found.values())

    def _tables(self, tenant: files.TenantTable, part: str) -> list[tuple[int, Mapping[str, Any]]]:
        tables = tenant.table.get(part, [])
        if isinstance(tables, list) and all(isinstance(table, dict) for table in tables):
            return list(enumerate(tables))
        self._findings.add(tenant.file, dotted(tenant.key, part), f"must be [[tenants.{part}]] tables")
        return []
