"""Settings of a target as the shipped file of its kind has them, with a test's changes."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from scim_bridge.settings.models import TargetSettings

FOLDER = Path(__file__).parents[2] / "config" / "targets"


def shipped_settings(kind: str, secrets: Mapping[str, str], **changes: Any) -> TargetSettings:
    """Return the settings of a target of a kind: its file, overridden key by key."""
    keys = {**tomllib.loads((FOLDER / f"{kind}.toml").read_text()), **changes}
    del keys["secrets"], keys["required"], keys["choices"]
    known = {name: keys.pop(name) for name in list(keys) if name in TargetSettings.model_fields}
    return TargetSettings(
        name=kind,
        kind=kind,
        options=keys,
        secrets={name: SecretStr(value) for name, value in secrets.items()},
        **known,
    )
