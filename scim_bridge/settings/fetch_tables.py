"""Reads [tenants.sources.fetch]: where people are looked up, with which credential, and what is wrong with it."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import SecretStr

from scim_bridge.settings import addresses, files, references
from scim_bridge.settings.sources import FETCHED

NAMED: frozenset[str] = frozenset({"hibob"})
"""Kinds that ask for a user's name beside the secret."""


def read(
    table: Any,
    *,
    kind: Any,
    place: files.Place,
    environ: Mapping[str, str],
    found: Callable[[str, str], None],
    resolves: bool,
) -> Any:
    """Return the table with its secret in place of the reference (None where this process has no use for it).

    What is wrong is told to `found`, with the key it is about; what the model finds by itself is not.
    """
    if kind not in FETCHED:
        found("", f"a source of kind {kind} cannot be asked; take [fetch] out, or send files")
    if not isinstance(table, Mapping):
        return table
    url = table.get("base_url")
    if isinstance(url, str) and (problem := addresses.problem_with_target(url)):
        found("base_url", problem)
    if kind in NAMED and not table.get("user"):
        found("user", "is missing; it is the id of the service user")
    user = table.get("user")
    if isinstance(user, str) and (":" in user or not user.isascii() or (user and not user.isprintable())):
        found("user", "must be printable ASCII without a colon")
    return {**table, "secret": _secret(table, place=place, environ=environ, found=found, resolves=resolves)}


def _secret(
    table: Mapping[str, Any],
    *,
    place: files.Place,
    environ: Mapping[str, str],
    found: Callable[[str, str], None],
    resolves: bool,
) -> SecretStr | None:
    value = table.get("secret")
    if value in (None, ""):
        found("secret", "is missing; without it the HR system tells nothing")
        return None
    if not references.is_reference(value):
        if not isinstance(value, str) or not addresses.is_loopback_url(str(table.get("base_url", ""))):
            found("secret", "is a secret: give it as env:NAME or file:PATH")
            return None
        return _checked(value, found) if resolves else None
    if not resolves:
        return None
    try:
        return _checked(references.resolve(str(value), place, environ), found)
    except references.Unresolved as error:
        found("secret", str(error))
        return None


def _checked(secret: str, found: Callable[[str, str], None]) -> SecretStr | None:
    """Return a secret that a header can bear."""
    if not secret.isascii() or not secret.isprintable():
        found("secret", "must be printable ASCII; is there a line break in it?")
        return None
    return SecretStr(secret)
