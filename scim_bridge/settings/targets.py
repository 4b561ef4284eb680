"""One target's settings: its kind's defaults, its own table over them, its secrets, and what is wrong with any."""

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr, ValidationError

from scim_bridge.mapping.records import check_mapping
from scim_bridge.settings import addresses, files, kinds, references
from scim_bridge.settings.models import (
    FieldSettings,
    GroupSettings,
    GuardSettings,
    LimitSettings,
    TargetSettings,
)
from scim_bridge.settings.problems import Findings, dotted, without_faults

_KEYS_WITHIN = frozenset(
    {"class", *GuardSettings.model_fields, *LimitSettings.model_fields, *FieldSettings.model_fields}
    | {*GroupSettings.model_fields}
)
"""Keys of a target's own tables, for finding the one that was meant."""

_UNKNOWN = kinds.Kind(name="", defaults={}, secrets=frozenset(), required=(), choices={})
"""Stands for a kind that there is not: what every target has is checked all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads targets' tables. `resolves` tells whether this process is given what an option refers to."""

    place: files.Place
    environ: Mapping[str, str]
    findings: Findings
    resolves: Callable[[str], bool]

    def read(self, tenant: files.TenantTable, prefix: str, table: Mapping[str, Any]) -> TargetSettings | None:
        """Return a target's settings; None, with findings, when the table cannot be used.

        What does not hang on a wrong key is checked all the same.
        """
        kind = self._kind(tenant, prefix, table)
        merged = files.merged(kind.defaults, {key: table[key] for key in table.keys() & (kind.options | kinds.OURS)})
        options, secrets = self._options(tenant, prefix, kind, merged, literals_allowed=_is_simulated(table))
        common = {key: value for key, value in merged.items() if key in kinds.OURS}
        mapping = common.get("mapping", {})
        common["mapping"] = self._mapping(tenant, prefix, mapping)
        try:
            target, is_whole = TargetSettings(**common, options=options, secrets=secrets), kind is not _UNKNOWN
        except ValidationError as error:
            self.findings.add_invalid(tenant.file, prefix, error, _KEYS_WITHIN)
            sound = {"name": "", "kind": kind.name, **without_faults(common, error)}
            target, is_whole = TargetSettings(**sound), False
        target.note_references(_references(kind, merged))
        self._check_scope(tenant, prefix, target)
        known = mapping.keys() if isinstance(mapping, Mapping) and kind is not _UNKNOWN else target.fields.keys()
        self._check_fields(tenant, prefix, target, known)
        return target if is_whole else None

    def _kind(self, tenant: files.TenantTable, prefix: str, table: Mapping[str, Any]) -> kinds.Kind:
        """Return a target's kind; keys that it does not know are findings, and so is a kind that nobody knows."""
        name = table.get("kind")
        if not isinstance(name, str) or name not in kinds.names():
            self.findings.add(tenant.file, dotted(prefix, "kind"), f"must be one of {', '.join(kinds.names())}")
            return _UNKNOWN
        kind = kinds.read(name, self.place, self.findings)
        for key in sorted(table.keys() - kind.options - kinds.OURS):
            self.findings.add_unknown(tenant.file, dotted(prefix, key), kind.options | kinds.OURS)
        return kind

    def _check_scope(self, tenant: files.TenantTable, prefix: str, target: TargetSettings) -> None:
        if target.scope is not None:
            from scim_bridge.recording import scopes  # noqa: PLC0415 - reads the store; most targets have no filter

            try:
                scopes.compile_filter(target.scope)
            except ValueError as error:
                self.findings.add(tenant.file, dotted(prefix, "scope"), str(error))

    def _check_fields(
        self, tenant: files.TenantTable, prefix: str, target: TargetSettings, known: Collection[str]
    ) -> None:
        """Note rules for fields that nothing maps, also not the kind, and patterns that cannot be read."""
        for name, field in target.fields.items():
            if name not in known:
                near = difflib.get_close_matches(name, sorted(known), n=1)
                text = "is no field of [mapping]" + (f"; did you mean {near[0]}?" if near else "")
                self.findings.add(tenant.file, dotted(prefix, "fields", name), text)
            if field.pattern is not None and not _compiles(field.pattern):
                self.findings.add(tenant.file, dotted(prefix, "fields", name, "pattern"), "is no regular expression")

    def _options(
        self,
        tenant: files.TenantTable,
        prefix: str,
        kind: kinds.Kind,
        merged: Mapping[str, Any],
        *,
        literals_allowed: bool,
    ) -> tuple[dict[str, Any], dict[str, SecretStr]]:
        own = {key: value for key, value in merged.items() if key in kind.options}
        for name in kind.required:
            if merged.get(name) in (None, "", [], {}):
                self.findings.add(tenant.file, dotted(prefix, name), f"is missing; a {kind.name} target needs it")
        options, secrets = {}, {}
        for name, value in own.items():
            key = dotted(prefix, name)
            if name in kind.secrets:
                found = self._secret(tenant, key, value, name=name, literal_allowed=literals_allowed)
                if found is not None:
                    secrets[name] = found
                continue
            options[name] = resolved = self._option(tenant, key, value, name=name)
            # What this process has no use for is checked by those that do.
            problem = None if references.is_reference(resolved) else _problem_with_option(kind, name, resolved)
            if problem is not None:
                self.findings.add(tenant.file, key, problem)
        return options, secrets

    def _option(self, tenant: files.TenantTable, key: str, value: Any, *, name: str) -> Any:
        """Return an option's value; a reference stays one where this process has no use for it."""
        if not self.resolves(name) or not references.is_reference(value):
            return value
        return self._resolved(tenant, key, value) or value

    def _secret(
        self, tenant: files.TenantTable, key: str, value: Any, *, name: str, literal_allowed: bool
    ) -> SecretStr | None:
        if value in (None, ""):
            return None
        if not references.is_reference(value):
            if not literal_allowed or not isinstance(value, str):
                self.findings.add(tenant.file, key, "is a secret: give it as env:NAME or file:PATH")
                return None
            return SecretStr(value) if self.resolves(name) else None
        found = self._resolved(tenant, key, value) if self.resolves(name) else None
        return None if found is None else SecretStr(found)

    def _resolved(self, tenant: files.TenantTable, key: str, reference: str) -> str | None:
        try:
            return references.resolve(reference, self.place, self.environ)
        except references.Unresolved as error:
            self.findings.add(tenant.file, key, str(error))
            return None

    def _mapping(self, tenant: files.TenantTable, prefix: str, mapping: Any) -> Any:
        """Return [mapping] without the fields that "" takes out; faults of expressions are findings."""
        if not isinstance(mapping, Mapping):
            return mapping
        kept = {name: text for name, text in mapping.items() if text != ""}
        for name, text in kept.items():
            for fault in check_mapping({name: text}) if isinstance(text, str) else ():
                self.findings.add(tenant.file, dotted(prefix, "mapping", name), fault.removeprefix(f"{name}: "))
        return kept


def _problem_with_option(kind: kinds.Kind, name: str, value: Any) -> str | None:
    problem = kind.problem_with(name, value)
    if problem is None and name.endswith("url") and isinstance(value, str) and value:
        return addresses.problem_with_target(value)
    return problem


def _references(kind: kinds.Kind, merged: Mapping[str, Any]) -> dict[str, str]:
    """Return which of the kind's options are given by reference, and where its secrets stand."""
    given = {key: value for key, value in merged.items() if key in kind.options and value not in (None, "")}
    return {
        key: references.of_secret(value)
        for key, value in given.items()
        if key in kind.secrets or references.is_reference(value)
    }


def _is_simulated(table: Mapping[str, Any]) -> bool:
    """Tell whether every address that a target is given is on this machine: its secrets open nothing elsewhere."""
    given = [value for key, value in table.items() if key.endswith("url") and value]
    return bool(given) and all(addresses.is_loopback_url(str(url)) for url in given)


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
