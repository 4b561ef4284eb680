"""Finds and reads what a configuration is made of: its file, tenants/*.toml beside it, the environment over both."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scim_bridge import shipped
from scim_bridge.settings.problems import Findings

FILE_VARIABLE = "SCIM_BRIDGE_CONFIG"
PREFIX = "SCIM_BRIDGE__"

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
"""What names are made of: they stand in URLs, keys and file names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a configuration is: its file, and the folder that its relative paths start from."""

    file: Path
    anchor: Path

    def absolute(self, path: str) -> str:
        """Return a path of the configuration as an absolute one."""
        return str((self.anchor / Path(path).expanduser()).resolve())


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantTable:
    """One [[tenants]] table and the file that it stands in. `key` is its path there, for messages."""

    file: Path
    key: str
    table: Mapping[str, Any]


def find(named: str | Path | None, environ: Mapping[str, str]) -> Place:
    """Return the file to read: the named one, that of SCIM_BRIDGE_CONFIG, ./config/bridge.toml, or the shipped one.

    Relative paths start from the file; those of the file inside an installed package, from the current folder.
    """
    chosen = named or environ.get(FILE_VARIABLE)
    if chosen is None:
        local = Path("config/bridge.toml")
        chosen = local if local.is_file() else shipped.folder() / "bridge.toml"
    file = Path(chosen).expanduser().resolve()
    return Place(file=file, anchor=Path.cwd() if shipped.is_packaged(file) else file.parent)


def read_toml(file: Path, findings: Findings) -> dict[str, Any]:
    """Return a file's content; what keeps it from being read is a finding."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        # The library's sentence names line and column and quotes nothing of the file but a single character.
        findings.add(file, "", f"is no TOML: {error}")
    except (OSError, UnicodeDecodeError) as error:
        findings.add(file, "", why_unreadable(error))
    return {}


def why_unreadable(error: OSError | UnicodeDecodeError) -> str:
    """Return what keeps a file from being read, to stand behind its name. Quotes nothing of the file."""
    match error:
        case FileNotFoundError():
            return "does not exist"
        case IsADirectoryError():
            return "is a folder"
        case PermissionError():
            return "may not be read by this user"
        case UnicodeDecodeError():
            return "is not UTF-8 text"
        case _:
            return "cannot be read"


def tenant_tables(place: Place, document: Mapping[str, Any], findings: Findings) -> Iterator[TenantTable]:
    """Yield the tenants of the main file and of tenants/*.toml, in the order of the files' names.

    A file of tenants/ holds [[tenants]] tables like the main one, or a single tenant at its top.
    """
    yield from _tables_of(place.file, document.get("tenants", []), findings)
    for file in sorted((place.file.parent / "tenants").glob("*.toml")):
        content = read_toml(file, findings)
        if "tenants" in content:
            for name in sorted(content.keys() - {"tenants"}):
                findings.add_unknown(file, name, ["tenants"])
            yield from _tables_of(file, content["tenants"], findings)
        elif content:
            yield TenantTable(file=file, key="", table=content)


def _tables_of(file: Path, tables: Any, findings: Findings) -> Iterator[TenantTable]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        findings.add(file, "tenants", "must be [[tenants]] tables")
        return
    for number, table in enumerate(tables):
        yield TenantTable(file=file, key=f"tenants[{number}]", table=table)


def is_plain(name: Any) -> bool:
    """Tell whether a name can be one; that it must be text at all is said elsewhere."""
    return not isinstance(name, str) or (name != "" and set(name) <= _PLAIN)


def overrides(environ: Mapping[str, str], findings: Findings) -> dict[str, Any]:
    """Return what SCIM_BRIDGE__SECTION__KEY variables say, nested like the file."""
    if not any(name.upper().startswith(PREFIX) for name in environ):
        return {}
    from scim_bridge.settings import environment  # noqa: PLC0415 - slow to read, and most environments say nothing

    return environment.overrides(environ, findings)


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return two tables as one: tables are merged key by key, anything else (lists too) is replaced."""
    result = dict(under)
    for key, value in over.items():
        before = result.get(key)
        both_tables = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[key] = merged(before, value) if both_tables else value  # type: ignore[arg-type]
    return result
