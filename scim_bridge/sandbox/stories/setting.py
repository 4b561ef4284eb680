"""What stands on the stage before anybody plays: sources, simulated targets with their switches, and configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from scim_bridge.sandbox.targets.limits import Window, parse_windows
from scim_bridge.sandbox.targets.mindtickle import DOCUMENTED_LIMITS as MINDTICKLE_LIMITS
from scim_bridge.sandbox.targets.scim import CAREFUL_LIMITS
from scim_bridge.sandbox.targets.trakstar import DOCUMENTED_LIMITS as TRAKSTAR_LIMITS

_LIMITS: Mapping[str, tuple[Window, ...]] = {
    "trakstar": TRAKSTAR_LIMITS,
    "mindtickle": MINDTICKLE_LIMITS,
    "scim": CAREFUL_LIMITS,
}

SHORTENED_NAMES = """\
[tenants.targets.fields.firstName]
on_too_long = "shorten"
[tenants.targets.fields.lastName]
on_too_long = "shorten"
"""
"""Trakstar takes 35 characters of a name, and some of the invented people have more."""

TRAKSTAR_NAME_LIMIT = 35


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """One simulated target, and how the bridge is told of it."""

    name: str
    kind: Literal["trakstar", "mindtickle", "scim"]
    options: Mapping[str, Any] = field(default_factory=dict)
    """Switches of the simulator, by the names of its options."""
    limits: str | None = None
    """What target and bridge both know, as `10/10` or `60/60,30/60:user_write`; None: the documented limits."""
    keys: str = ""
    """Further lines of the target's table in bridge.toml."""
    tables: str = ""
    """Further tables below it."""

    @property
    def windows(self) -> tuple[Window, ...]:
        """The limits that hold."""
        return _LIMITS[self.kind] if self.limits is None else parse_windows(self.limits)

    @property
    def name_limit(self) -> int | None:
        """How many characters of a name arrive there; None: all."""
        return TRAKSTAR_NAME_LIMIT if self.kind == "trakstar" else None


TRAKSTAR = Simulated(name="trakstar", kind="trakstar", tables=SHORTENED_NAMES)
MINDTICKLE = Simulated(name="mindtickle", kind="mindtickle")
"""Both as their documents have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Everything that is there beforehand."""

    targets: tuple[Simulated, ...] = (TRAKSTAR, MINDTICKLE)
    sources: tuple[str, ...] = ("okta",)
    """Who sends SCIM; each gets a token."""
    groups: tuple[str, ...] = ()
    """SCIM groups that mean a group of the same name in every target."""
    secrets: tuple[str, ...] = ()
    """Names of secrets that are made up; each is in a file beside bridge.toml: `file:NAME.secret`."""
    more: str = ""
    """Further text at the end of bridge.toml: [[tenants.sources]] that are no senders of SCIM, for one."""

    def target(self, name: str) -> Simulated:
        """Return the target of this name; raises KeyError when there is none."""
        return {each.name: each for each in self.targets}[name]
