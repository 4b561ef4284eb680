"""Reading what Trakstar shows: users of a listing as accounts, groups as names with ids."""

from collections.abc import Collection, Mapping
from typing import Any

from scim_bridge.domain.people import Account, Record
from workers.policy.conflicts import fold

_ARCHIVED = frozenset({"archived", "109000700"})
_OWNER = "owner"


def account_of(user: Any, *, protect: Collection[str], permissions: Mapping[str, int]) -> Account | None:
    """Return a listed user as an account, None for what is no user. Only attributes that it shows are known.

    Both spellings are read: `username` with "Archived" (document), `userName` with 109000700 (vendor's pages).
    `protect` names user types, and "owner" for the account's owner, in any letter case.
    """
    if not isinstance(user, dict) or _id_of(user.get("id")) is None:
        return None
    shown = {
        "firstName": user.get("firstName"),
        "lastName": user.get("lastName"),
        "email": user.get("email"),
        "username": user.get("username", user.get("userName")),
        "permissions": {name.casefold(): code for name, code in permissions.items()}.get(_folded(user.get("type"))),
        **{name.lower(): value for name, value in user.items() if name.lower().startswith("customfield")},
    }
    attributes = {name: value for name, value in shown.items() if value not in (None, "")}
    identifying = (("email", attributes.get("email")), ("userName", attributes.get("username")))
    guarded = {name.casefold() for name in protect}
    return Account(
        account_id=str(user["id"]),
        known=Record(
            active=_folded(user.get("status")) not in _ARCHIVED,
            attributes=attributes,
            groups=frozenset(name for name, _ in groups_of(user.get("groups"))),
        ),
        matching={attribute: fold(attribute, str(value)) for attribute, value in identifying if value},
        protected=(_OWNER in guarded and user.get("isOwner") in (1, True, "1")) or _folded(user.get("type")) in guarded,
    )


def groups_of(listed: Any) -> list[tuple[str, str]]:
    """Return names and ids of listed groups, objects or the vendor's arrays `[account, null, name, null, id]`."""
    found = []
    for group in listed if isinstance(listed, list) else []:
        pair = group_of(group)
        if pair is not None:
            found.append(pair)
    return found


def group_of(group: Any) -> tuple[str, str] | None:
    """Return name and id of one group, None when they cannot be read."""
    if isinstance(group, dict):
        name, number = group.get("name"), _id_of(group.get("id"))
    elif isinstance(group, list) and len(group) >= 5:
        name, number = group[2], _id_of(group[4])
    else:
        return None
    return (name, str(number)) if isinstance(name, str) and number is not None else None


def _id_of(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isdecimal() else None


def _folded(value: Any) -> str:
    return str(value).strip().casefold() if value is not None else ""
