"""Reads what the console's forms and addresses say; what cannot be read is told in one sentence."""

from urllib.parse import urlencode

from flask import request

from scim_bridge.domain.instants import Clock, Millis
from scim_bridge.errors import UsageError
from scim_bridge.operators.moments import parse_moment
from scim_bridge.web.api.operations import LONGEST_REASON

NUMBER = "<int(max=9007199254740991):number>"
"""One of our numbers in a path; what is larger is none, and 404."""

LONGEST = 1_000
MOST_DIGITS = 15


def word(name: str) -> str | None:
    """Return what a field says: of a form in what was sent, of a filter in the address; None when it is empty.

    Raises:
        UsageError: it is too long, or holds what cannot be printed.
    """
    given = request.form if request.method == "POST" else request.args
    text = given.get(name, "").strip()
    if len(text) > LONGEST or not text.isprintable():
        raise UsageError(f"The field {name} takes one line of text, {LONGEST} characters at the most.")
    return text or None


def number(name: str) -> int | None:
    """Return the whole number of a field, None when it is empty.

    Raises:
        UsageError: it is none.
    """
    text = word(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > MOST_DIGITS:
        raise UsageError(f"The field {name} takes a whole number.")
    return int(text)


def after() -> int | None:
    """Return behind which row a page of a list begins, None for the first; a form that was sent shows the first."""
    return number("after") if request.method == "GET" else None


def needed_number(name: str) -> int:
    """Return the whole number of a field.

    Raises:
        UsageError: it is none, or the field is empty.
    """
    found = number(name)
    if found is None:
        raise UsageError(f"The field {name} takes a whole number.")
    return found


def needed_word(name: str) -> str:
    """Return what a field says.

    Raises:
        UsageError: it is empty, or as `word`.
    """
    text = word(name)
    if text is None:
        raise UsageError(f"The field {name} is empty.")
    return text


def moment(name: str, clock: Clock) -> Millis | None:
    """Return the instant of a field, as the command line reads instants; None when it is empty.

    Raises:
        UsageError: it is none.
    """
    text = word(name)
    return None if text is None else parse_moment(text, clock())


def is_ticked(name: str) -> bool:
    """Tell whether a box is ticked."""
    return word(name) is not None


def reason(*, is_needed: bool = False) -> str:
    """Return why something is done.

    Raises:
        UsageError: it is needed and empty, or too long.
    """
    text = word("reason") or ""
    if len(text) > LONGEST_REASON or (is_needed and not text):
        raise UsageError(f"Say why, in one line of {LONGEST_REASON} characters at the most.")
    return text


def here(**changes: object) -> str:
    """Return the address of this page with some of its fields changed; None takes one out."""
    fields = {**request.args.to_dict(), "told": None, **changes}
    query = urlencode({name: value for name, value in fields.items() if value is not None and value != ""})
    return f"{request.path}?{query}" if query else request.path
