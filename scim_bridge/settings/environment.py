"""What SCIM_BRIDGE__SECTION__KEY variables say, as pydantic-settings reads them. Read only where there are any."""

from collections.abc import Mapping
from typing import Any

from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsError
from pydantic_settings.sources.utils import parse_env_vars

from scim_bridge.settings.files import PREFIX
from scim_bridge.settings.models import Settings
from scim_bridge.settings.problems import Findings


class _Overridable(BaseSettings, Settings):  # type: ignore[misc]  # two kinds of model_config that agree
    """The settings as pydantic-settings wants to see them, for its reading of the environment."""


def overrides(environ: Mapping[str, str], findings: Findings) -> dict[str, Any]:
    """Return what the variables say, nested like the file; what they may not say is a finding."""
    source = EnvSettingsSource(_Overridable, env_prefix=PREFIX, env_nested_delimiter="__", case_sensitive=False)
    source.env_vars = parse_env_vars(environ, case_sensitive=False)
    known = set(Settings.model_fields) - {"tenants", "notices"}
    for name in environ:
        if name.upper().startswith(PREFIX) and name[len(PREFIX) :].split("__")[0].lower() not in known:
            findings.add_unknown("environment", name, [f"{PREFIX}{key.upper()}" for key in known])
    try:
        return {key: value for key, value in source().items() if key in known}
    except SettingsError:
        findings.add("environment", "", f"a table in one variable, like {PREFIX}WEB, must be JSON")
        return {}
