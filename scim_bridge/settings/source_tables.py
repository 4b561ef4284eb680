"""One source's settings: its kind's defaults, its own table over them, its secret, and what is wrong with any."""

import difflib
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import SecretStr, ValidationError

from scim_bridge import shipped
from scim_bridge.mapping import attributes, dates
from scim_bridge.mapping.expressions import Expression, ExpressionRefused
from scim_bridge.settings import fetch_tables, files, references
from scim_bridge.settings.problems import Findings, dotted, without_faults
from scim_bridge.settings.sources import (
    WITHOUT_ROWS,
    WITHOUT_SECRET,
    FetchSettings,
    SourceKind,
    SourceSettings,
)

_NEEDED = ("externalId", "userName")
"""What every mapping must fill: without them a row is nobody's."""

_DEFAULTED = frozenset(SourceSettings.model_fields) - {"name", "kind", "secret", "owns", "replaces", "paused", "fetch"}
"""Keys that the file of a kind may set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads sources' tables. `gives_secrets` tells whether this process is given what they refer to."""

    place: files.Place
    environ: Mapping[str, str]
    findings: Findings
    gives_secrets: bool
    fetches: bool = False
    """Whether this process looks people up, and is given the credentials for it."""

    def read(self, tenant: files.TenantTable, prefix: str, table: Mapping[str, Any]) -> SourceSettings | None:
        """Return a source's settings; None, with findings, when the table cannot be used.

        What does not hang on a wrong key is checked all the same.
        """
        kind = table.get("kind", "scim")
        own = {**table, "secret": self._secret(tenant, prefix, table)}
        if "fetch" in table:
            own["fetch"] = self._fetch(tenant, dotted(prefix, "fetch"), table["fetch"], kind)
        merged = files.merged(self._defaults(kind), own)
        mapping = merged.get("mapping")
        if isinstance(mapping, Mapping):
            merged["mapping"] = {name: text for name, text in mapping.items() if text != ""}
        source, is_whole = self._checked(tenant, prefix, merged)
        source.note_references(_references(table))
        self._check_words(tenant, prefix, source)
        self._check_owned(tenant, prefix, source)
        self._check_mapping(tenant, prefix, source, needs_all=is_whole and source.kind not in WITHOUT_ROWS)
        return source if is_whole else None

    def _checked(
        self, tenant: files.TenantTable, prefix: str, merged: Mapping[str, Any]
    ) -> tuple[SourceSettings, bool]:
        """Return what can be used of a table, and whether that is all of it."""
        try:
            return SourceSettings(**merged), True
        except ValidationError as error:
            known = {*SourceSettings.model_fields, *FetchSettings.model_fields}
            self.findings.add_invalid(tenant.file, prefix, error, known)
            # Nothing else hangs on [fetch], and without its address there is none.
            sound = {name: value for name, value in without_faults(merged, error).items() if name != "fetch"}
            return SourceSettings(**{"name": "", **sound}), False

    def _defaults(self, kind: Any) -> dict[str, Any]:
        """Return what the shipped file of a kind says, overridden by sources/<kind>.toml beside the configuration."""
        if kind not in get_args(SourceKind) or kind in WITHOUT_ROWS:
            return {}
        shipped_file = shipped.folder() / "sources" / f"{kind}.toml"
        content = files.read_toml(shipped_file, self.findings)
        beside = self.place.file.parent / "sources" / f"{kind}.toml"
        if not beside.is_file() or beside == shipped_file:
            return content
        own = files.read_toml(beside, self.findings)
        for key in sorted(own.keys() - _DEFAULTED):
            self.findings.add_unknown(beside, key, _DEFAULTED)
            del own[key]
        return files.merged(content, own)

    def _check_words(self, tenant: files.TenantTable, prefix: str, source: SourceSettings) -> None:
        for key, problem in (
            ("timezone", None if _is_timezone(source.timezone) else "is no time zone like Europe/Berlin"),
            ("date_format", source.date_format and dates.problem_with_format(source.date_format)),
            (
                "encoding",
                None
                if source.encoding is None or _is_encoding(source.encoding)
                else "is no encoding of text, like cp1252",
            ),
        ):
            if problem:
                self.findings.add(tenant.file, dotted(prefix, key), problem)
        for value in sorted(_folded(source.active_values) & _folded(source.inactive_values)):
            self.findings.add(tenant.file, dotted(prefix, "inactive_values"), f"{value} is in active_values too")

    def _check_owned(self, tenant: files.TenantTable, prefix: str, source: SourceSettings) -> None:
        for name in source.owns:
            if name not in attributes.OWNABLE:
                text = f"{name} is no attribute that can be owned{_nearest(name, attributes.OWNABLE)}"
                self.findings.add(tenant.file, dotted(prefix, "owns"), text)

    def _check_mapping(
        self, tenant: files.TenantTable, prefix: str, source: SourceSettings, *, needs_all: bool
    ) -> None:
        """Note fields that a person does not have, expressions that cannot be read, and those that read too much."""
        for name, text in source.mapping.items():
            problem = _problem_with_rule(name, text)
            if problem is not None:
                self.findings.add(tenant.file, dotted(prefix, "mapping", name), problem)
        for name in _NEEDED if needs_all else ():
            if name not in source.mapping:
                self.findings.add(tenant.file, dotted(prefix, "mapping", name), "is missing; a row needs it")

    def _fetch(self, tenant: files.TenantTable, key: str, table: Any, kind: Any) -> Any:
        """Return [fetch] with its secret in place of the reference; what is wrong with it is a finding."""

        def found(name: str, text: str) -> None:
            self.findings.add(tenant.file, dotted(key, name) if name else key, text)

        return fetch_tables.read(
            table, kind=kind, place=self.place, environ=self.environ, found=found, resolves=self.fetches
        )

    def _secret(self, tenant: files.TenantTable, prefix: str, table: Mapping[str, Any]) -> SecretStr | None:
        value, key = table.get("secret"), dotted(prefix, "secret")
        if value is None:
            if table.get("kind", "scim") not in WITHOUT_SECRET:
                self.findings.add(tenant.file, key, "is missing; without it nobody could tell who sends")
            return None
        if not references.is_reference(value):
            self.findings.add(tenant.file, key, "is a secret: give it as env:NAME or file:PATH")
            return None
        if not self.gives_secrets:
            return None
        try:
            return SecretStr(references.resolve(str(value), self.place, self.environ))
        except references.Unresolved as error:
            self.findings.add(tenant.file, key, str(error))
            return None


def _references(table: Mapping[str, Any]) -> dict[str, str]:
    """Return where the source's secrets stand, by their keys."""
    fetch = table.get("fetch")
    given = {"secret": table.get("secret"), "fetch.secret": fetch.get("secret") if isinstance(fetch, Mapping) else None}
    return {key: references.of_secret(value) for key, value in given.items() if value not in (None, "")}


def _problem_with_rule(name: str, text: str) -> str | None:
    if name not in attributes.FILLED:
        return f"is nothing that a row fills{_nearest(name, attributes.FILLED)}"
    try:
        paths = Expression(text).reads.paths
    except ExpressionRefused as error:
        return str(error)
    # Whatever is read passes the door, and with the whole row also what nobody asked for.
    return "reads the whole row; name the fields that it needs" if () in paths else None


def _nearest(name: str, known: frozenset[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _folded(values: list[str]) -> set[str]:
    return {value.strip().casefold() for value in values}


def _is_timezone(name: str) -> bool:
    try:
        return zoneinfo.ZoneInfo(name) is not None
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return False


def _is_encoding(name: str) -> bool:
    try:
        # Encodings of bytes by bytes, such as hex, have names as well.
        "a".encode(name)
    except (LookupError, ValueError):
        return False
    return True
