"""Why a request was refused, in words that hold nothing of the request.

A sentence of ours is told without what it quotes. What a library says may quote anything anywhere, so that only its
kind is told.
"""

import json
import re
from http import HTTPStatus
from typing import Any

LONGEST = 300
MOST_BYTES = 4_096
"""An answer that is longer holds more than a reason."""

_MEANINGS = {
    "invalidFilter": "The filter cannot be read, or compares what cannot be compared.",
    "invalidPath": "A path of the PATCH names no attribute.",
    "invalidSyntax": "The body is not the JSON that is asked for here.",
    "invalidValue": "A value is missing, or is not of the kind that its attribute takes.",
    "invalidVers": "The protocol's version is not known.",
    "mutability": "An attribute that cannot be changed was to be changed.",
    "noTarget": "The path's filter of a PATCH finds no value.",
    "sensitive": "The address would hold personal data; search with POST.",
    "tooMany": "The answer would be too long, or take too long.",
    "uniqueness": "Another resource has this value.",
}
"""The kinds of errors of RFC 7644, table 9."""

_QUOTED = re.compile(r"""(?<!\w)'(?:\\.|[^'\\])*'(?!\w) | "(?:\\.|[^"\\])*" | `[^`]*`""", re.VERBOSE)
_STRAY = re.compile(r"""(?<!\w)'|'(?!\w)|["`]""")
"""A quotation mark whose partner is missing: where the quotation ends cannot be told."""

_OURS = re.compile(r"`[a-z][a-z. -]{0,60}`")
"""Names of commands and settings stand so, and nothing that anybody sent."""

_ADDRESS = re.compile(r"[^\s<>(),;:]+@[^\s<>(),;:]+")
_KEPT_APART = "\x00"


def raised_by_us(error: BaseException) -> bool:
    """Tell whether an exception was raised by our own code, and says what we say."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return frame is None or str(frame.tb_frame.f_globals.get("__name__")).startswith("scim_bridge.")


def reason(status: int, answer: bytes, *, is_ours: bool) -> str:
    """Return why a request was refused, from its answer."""
    try:
        told: Any = json.loads(answer) if len(answer) <= MOST_BYTES else None
    except ValueError:
        told = None
    told = told if isinstance(told, dict) else {}
    detail, kind = told.get("detail"), told.get("scimType")
    meaning = _MEANINGS.get(kind, "") if isinstance(kind, str) else ""
    if is_ours and isinstance(detail, str):
        return without_quotations(detail)
    return f"{kind}: {meaning}" if meaning else _phrase(status)


def without_quotations(sentence: str) -> str:
    """Return a sentence of ours on one line, shortened, without what it quotes."""
    line = " ".join(sentence.split()).replace(_KEPT_APART, "")
    kept: list[str] = []

    def take_out(found: re.Match[str]) -> str:
        if _OURS.fullmatch(found[0]):
            kept.append(found[0])
            return _KEPT_APART
        return "…"

    line = _QUOTED.sub(take_out, line)
    if stray := _STRAY.search(line):
        line = f"{line[: stray.start()]}…"
    line = _ADDRESS.sub("…", line)
    for each in kept:
        line = line.replace(_KEPT_APART, each, 1)
    line = "".join(each for each in line.replace(_KEPT_APART, "") if each.isprintable())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _phrase(status: int) -> str:
    try:
        return f"{HTTPStatus(status).phrase}."
    except ValueError:
        return ""
