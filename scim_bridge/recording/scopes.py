"""Which people and groups concern a target: its `scope` filter and its `[groups]`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from scim_bridge.settings.models import TargetSettings, TenantSettings
from scim_bridge.store import population
from scim_bridge.store.engine import Transaction

EVERY_GROUP = "*"
"""Names all groups in `[groups]`."""


class UserFilter(Protocol):
    """A SCIM filter over Users."""

    def takes(self, document: Mapping[str, Any]) -> bool:
        """Tell whether it matches a User document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetScope:
    """What of the directory a target is owed. Without a filter, every user; without groups, no group."""

    target: str
    users: UserFilter | None = None
    groups: frozenset[str] = frozenset()
    deactivates_on_unscope: bool = True

    def takes(self, document: Mapping[str, Any]) -> bool:
        """Tell whether a User document is in scope."""
        if self.users is None:
            return True
        return self.users.takes(document)

    def maps(self, group_name: str) -> bool:
        """Tell whether being in this group means something in the target."""
        return EVERY_GROUP in self.groups or group_name in self.groups


def scope_of(settings: TargetSettings) -> TargetScope:
    """Return the scope that a target's settings describe.

    Raises:
        ValueError: `scope` is no SCIM filter over Users.
    """
    return TargetScope(
        target=settings.name,
        users=None if settings.scope is None else compile_filter(settings.scope),
        groups=frozenset(settings.groups),
        deactivates_on_unscope=settings.on_unscope == "deactivate",
    )


def scopes_of(settings: TenantSettings | None) -> dict[str, TargetScope]:
    """Return the scopes of a tenant's targets by name; a tenant without settings has none."""
    if settings is None:
        return {}
    return {target.name: scope_of(target) for target in settings.targets}


def count_active(tx: Transaction, scope: str | None) -> int:
    """Return how many active users of the transaction's tenant are in a scope (None: all are).

    Raises:
        ValueError: the scope cannot be counted by the database, though it can be matched.
    """
    if scope is None:
        return population.active_users(tx)
    from scim_bridge.recording import scope_filters  # noqa: PLC0415 - slow to read, and most targets have no filter

    return scope_filters.count_active(tx, scope)


def compile_filter(text: str) -> UserFilter:
    """Return a filter over Users, checked against what a User has.

    Raises:
        ValueError: it is no SCIM filter (RFC 7644 section 3.4.2.2), or names what a User does not have.
    """
    from scim_bridge.recording import scope_filters  # noqa: PLC0415 - as above

    return scope_filters.compiled(text)
