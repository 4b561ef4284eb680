"""JSON in and out of a simulator, strict on the way in."""

import json
from dataclasses import fields, replace
from typing import Any, NoReturn, TypeVar

from werkzeug.wrappers import Request, Response

OptionsT = TypeVar("OptionsT")


class NotJsonError(ValueError):
    """The body is no JSON document."""


def read_json(request: Request) -> Any:
    """Return the JSON document in the body; raises NotJsonError for anything else, NaN and Infinity included."""
    try:
        return json.loads(request.get_data(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise NotJsonError("the body is no JSON document") from exc


def write_json(document: Any, status: int = 200, content_type: str = "application/json") -> Response:
    """Return an answer with this document."""
    return Response(json.dumps(document, ensure_ascii=False), status=status, content_type=content_type)


def change_options(options: OptionsT, changes: dict[str, Any]) -> OptionsT:
    """Return options (a frozen dataclass) with changes; raises ValueError for names that it does not have.

    Lists become tuples, as JSON has no other way to say them.
    """
    known = {each.name for each in fields(options)}  # type: ignore[arg-type]  # every caller passes a dataclass
    unknown = set(changes) - known
    if unknown:
        raise ValueError(f"no such option: {', '.join(sorted(unknown))}")
    changed: OptionsT = replace(options, **changes)  # type: ignore[type-var]  # as above
    return changed


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(constant)
