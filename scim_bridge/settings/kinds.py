"""The kinds of targets: each kind's file says which options there are, their defaults, and which are secrets."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scim_bridge import shipped
from scim_bridge.settings import files
from scim_bridge.settings.models import TargetSettings
from scim_bridge.settings.problems import Findings

ABOUT_THE_FILE = frozenset({"secrets", "required", "choices"})
"""Top-level keys of a kind's file that say something about options instead of being one."""

_LEAST_S = 0.1
"""Seconds; no shorter time limit leaves an answer the time to come."""

OURS = frozenset(TargetSettings.model_fields) - {"options", "secrets"}
"""Keys that every target has, whatever its kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of target, as its file describes it."""

    name: str
    defaults: Mapping[str, Any]
    secrets: frozenset[str]
    required: tuple[str, ...]
    choices: Mapping[str, list[Any]]

    @property
    def options(self) -> frozenset[str]:
        """Return the names of the kind's own options."""
        return (frozenset(self.defaults) - OURS) | self.secrets | (frozenset(self.required) - OURS)

    def problem_with(self, option: str, value: Any) -> str | None:
        """Return why a value cannot be the option's, None when it can. The text never holds the value."""
        if option in self.choices and value not in self.choices[option]:
            return f"must be one of {', '.join(str(choice) for choice in self.choices[option])}"
        default = self.defaults.get(option)
        if option in self.secrets or default is None:
            return None
        if isinstance(default, (int, float)):
            return _problem_with_number(value, least=_LEAST_S if option.endswith("_s") else 1)
        return None if isinstance(value, type(default)) else f"must be {_type_name(default)}"


def names() -> list[str]:
    """Return the kinds that the product knows."""
    return sorted(file.stem for file in (shipped.folder() / "targets").glob("*.toml"))


def read(name: str, place: files.Place, findings: Findings) -> Kind:
    """Return a kind: the shipped file, overridden by targets/<kind>.toml beside the configuration."""
    content = files.read_toml(shipped.folder() / "targets" / f"{name}.toml", findings)
    kind = Kind(
        name=name,
        defaults={key: value for key, value in content.items() if key not in ABOUT_THE_FILE},
        secrets=frozenset(content.get("secrets", ())),
        required=tuple(content.get("required", ())),
        choices=content.get("choices", {}),
    )
    beside = place.file.parent / "targets" / f"{name}.toml"
    if not beside.is_file() or beside == shipped.folder() / "targets" / f"{name}.toml":
        return kind
    return _overridden(kind, beside, findings)


def _overridden(kind: Kind, file: Path, findings: Findings) -> Kind:
    content = files.read_toml(file, findings)
    # A copy of the shipped file may be edited: what it says about options is the product's, and is not heard here.
    own = {key: value for key, value in content.items() if key not in ABOUT_THE_FILE}
    for key in sorted(own.keys() - kind.options - OURS):
        findings.add_unknown(file, key, kind.options | OURS)
        del own[key]
    return Kind(
        name=kind.name,
        defaults=files.merged(kind.defaults, own),
        secrets=kind.secrets,
        required=kind.required,
        choices=kind.choices,
    )


def _problem_with_number(value: Any, *, least: float) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "must be a number"
    return None if least <= value < math.inf else f"must be a number from {least:g} on"


def _type_name(value: Any) -> str:
    names_of_types: dict[type, str] = {str: "text", list: "a list", dict: "a table"}
    return names_of_types[type(value)]
