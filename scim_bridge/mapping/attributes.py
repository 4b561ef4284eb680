"""What the mapping of a source may fill: the attributes of a SCIM User, by their paths."""

from collections.abc import Mapping
from enum import StrEnum

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
"""RFC 7643 section 4.3. Its attributes may be named with it, or by themselves: no core attribute is so called."""


class Role(StrEnum):
    """What becomes of a value that is no plain attribute."""

    ID = "externalId"
    ACTIVE = "active"
    STARTS = "startDate"
    ENDS = "endDate"
    MANAGER = "manager"
    SAID_AT = "meta.lastModified"


_CORE = ("userName", "displayName", "nickName", "profileUrl", "title", "userType", "preferredLanguage", "locale")
_NAME = ("formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix")
_ENTERPRISE = ("employeeNumber", "costCenter", "organization", "division", "department")

MULTI_VALUED: Mapping[str, bool] = {"emails": True, "phoneNumbers": False}
"""Attributes of several values; a text becomes the one for work. With whether that one is the primary."""

PLACES: Mapping[str, tuple[str, ...]] = (
    {name: (name,) for name in (*_CORE, "timezone", *MULTI_VALUED)}
    | {f"name.{name}": ("name", name) for name in _NAME}
    | {name: (ENTERPRISE, name) for name in _ENTERPRISE}
    | {f"{ENTERPRISE}:{name}": (ENTERPRISE, name) for name in _ENTERPRISE}
)
"""Where in a SCIM User the value of each path stands."""

FILLED: frozenset[str] = frozenset(PLACES) | {role.value for role in Role}
"""Every path that a mapping may have."""

OWNABLE: frozenset[str] = frozenset(PLACES) | {Role.ACTIVE.value, Role.MANAGER.value, "name"}
"""Attributes on which a source can have the last word."""
