"""Which people and groups concern a target: its `scope` filter and its `[groups]`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from scim2_models import SCIMException, ScimFilter, SearchRequest
from scim2_server.utils import parametrize

from scim_bridge.domain.models import MODELS
from scim_bridge.domain.resources import USER
from scim_bridge.settings.models import TargetSettings, TenantSettings
from scim_bridge.store import population
from scim_bridge.store.engine import Transaction
from scim_bridge.store.search import pages

EVERY_GROUP = "*"
"""Names all groups in `[groups]`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetScope:
    """What of the directory a target is owed. Without a filter, every user; without groups, no group."""

    target: str
    users: ScimFilter[Any] | None = None
    groups: frozenset[str] = frozenset()
    deactivates_on_unscope: bool = True

    def takes(self, document: Mapping[str, Any]) -> bool:
        """Tell whether a User document is in scope."""
        if self.users is None:
            return True
        return self.users.match(MODELS[USER].model_validate(dict(document)))

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
    try:
        request = parametrize(SearchRequest, MODELS[USER])(filter=f"({scope}) and not (active eq false)", count=0)
        return pages.find(tx, [(USER, MODELS[USER])], request).total or 0
    except SCIMException as error:
        raise ValueError(type(error).__name__) from None


def compile_filter(text: str) -> ScimFilter[Any]:
    """Return a filter over Users, checked against what a User has.

    Raises:
        ValueError: it is no SCIM filter (RFC 7644 section 3.4.2.2), or names what a User does not have.
    """
    try:
        request = parametrize(SearchRequest, MODELS[USER])(filter=text)
    except (ValidationError, SCIMException) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ValueError(f"{text!r} is no SCIM filter over Users: {reason}") from None
    assert request.filter is not None  # noqa: S101 - it was given and has been read
    return request.filter
