"""Secrets by reference: `env:NAME` and `file:PATH`."""

from collections.abc import Mapping
from pathlib import Path

from scim_bridge.settings.files import Place, why_unreadable

SCHEMES = ("env:", "file:")


LITERAL = "in the file"
"""Stands for a secret that the file itself holds, which is only taken where it opens nothing beyond this machine."""


class Unresolved(Exception):  # noqa: N818 - it says what became of the reference
    """A reference leads to nothing. The message names the reference, which is no secret."""


def is_reference(value: object) -> bool:
    """Tell whether a value is a reference and not the thing itself."""
    return isinstance(value, str) and value.startswith(SCHEMES)


def of_secret(value: object) -> str:
    """Return what may be told of where a secret stands: the reference, or that the file holds it."""
    return str(value) if is_reference(value) else LITERAL


def resolve(reference: str, place: Place, environ: Mapping[str, str]) -> str:
    """Return what a reference stands for; a file's last line break is no part of its secret.

    Raises:
        Unresolved: the variable or file is not there, or is empty.
    """
    scheme, _, name = reference.partition(":")
    if not name:
        raise Unresolved("names no environment variable" if scheme == "env" else "names no file")
    if scheme == "env":
        value = environ.get(name, "")
        if not value:
            raise Unresolved(f"the environment variable {name} is not set")
        return value
    try:
        value = Path(place.absolute(name)).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Unresolved(f"the file {name} {why_unreadable(error)}") from None
    if not value:
        raise Unresolved(f"the file {name} is empty")
    return value
