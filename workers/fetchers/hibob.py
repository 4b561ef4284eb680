"""HiBob: many employees a call, by a search for their ids.

https://apidocs.hibob.com/docs/people-read-api-contract: one filter, by `root.id` or `root.email`, with `equals`; former
employees only with `showInactive`; fields that the service user may not see, and unknown ones, are left out without a
word. A value stands under a key like `/work/title`, and mostly in a table of its category too. Of a list's values
the machine form is an id; the readable one comes in `humanReadable`, with dates as the service user likes them.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from scim_bridge.domain.instants import Clock
from scim_bridge.mapping.attributes import Role
from scim_bridge.mapping.expressions import Expression
from scim_bridge.mapping.reading import ANY, Path
from scim_bridge.settings.sources import FetchSettings, SourceSettings
from workers.fetchers import answers
from workers.fetchers.port import Fields
from workers.http import HttpClient
from workers.targets.port import AnswerLost

MOST_FIELDS = 400

AT_ONCE = 50

_AS_KEPT = frozenset({Role.ID, Role.MANAGER, Role.STARTS, Role.ENDS, Role.SAID_AT, Role.ACTIVE})
"""What is read from the machine form: ids, dates and the status. All else is for people."""


class HiBob:
    """One company's employees."""

    at_once = AT_ONCE

    def __init__(self, source: SourceSettings, settings: FetchSettings, *, clock: Clock) -> None:
        secret = "" if settings.secret is None else settings.secret.get_secret_value()
        headers = {
            **answers.basic(settings.user, secret),
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
        self._http = HttpClient((settings.base_url,), headers=headers, max_body_bytes=answers.MOST_BYTES)
        self._url = f"{settings.base_url.rstrip('/')}/people/search"
        paths = {name: Expression(text).reads.paths for name, text in source.mapping.items()}
        self._paths: frozenset[Path] = frozenset(_named(path) for each in paths.values() for path in each if path)
        self._as_kept = frozenset(_named(path) for name in paths.keys() & _AS_KEPT for path in paths[name])
        self._fields = _names(self._paths)
        self._clock = clock

    def fetch(self, ids: Sequence[str], *, deadline_s: float) -> Mapping[str, Fields]:
        """Return those of the employees who are shown to us; raises as the port says."""
        question = {
            "fields": self._fields,
            "filters": [{"fieldPath": "root.id", "operator": "equals", "values": list(ids)}],
            "showInactive": True,
            "humanReadable": "APPEND",
        }
        answer = self._http.send("POST", self._url, deadline_s=deadline_s, body=json.dumps(question).encode())
        employees = answers.document_of(answer, now=self._clock()).get("employees")
        if not isinstance(employees, list):
            raise AnswerLost("the answer lists no employees", status=200)
        found: dict[str, Fields] = {}
        for each in employees:
            known_by = _at(each, ("id",)) if isinstance(each, dict) else None
            # Whoever was not asked for is nobody's row, and who is there twice cannot be told apart.
            if not isinstance(known_by, str) or known_by not in ids:
                continue
            if known_by in found:
                raise AnswerLost("the answer has somebody twice", status=200)
            found[known_by] = self._row(each)
        return found

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def _row(self, employee: Mapping[str, Any]) -> Fields:
        """Return an employee as webhooks of version 1 and the mapping have them: what was left out is not named."""
        readable = employee.get("humanReadable")
        row: dict[str, Any] = {}
        for path in sorted(self._paths):
            value = _at(employee, path)
            if value is _ABSENT:
                continue
            if path not in self._as_kept and isinstance(readable, Mapping):
                shown = _within(readable, path)
                value = shown if isinstance(shown, str) else value
            _put(row, path, value)
        return row


_ABSENT: Any = object()


def _named(path: Path) -> Path:
    """Return as much of a path as has names: of `work.custom.*` that is `work.custom`."""
    return path[: path.index(ANY)] if ANY in path else path


def _names(paths: frozenset[Path]) -> list[str]:
    """Return the ids of fields to ask for: `email` is `root.email`, and any part of `work.reportsTo.id` may be one."""
    names = {"root.id"}
    for path in paths:
        if len(path) == 1:
            names.add(f"root.{path[0]}")
        names |= {".".join(path[:end]) for end in range(2, len(path) + 1)}
    return sorted(names)[:MOST_FIELDS]


def _at(employee: Mapping[str, Any], path: Path) -> Any:
    """Return what an employee has at a path, from a key such as `/work/title` or from tables; _ABSENT: nothing told."""
    for end in range(len(path), 0, -1):
        named = path[:end] if end > 1 else ("root", *path[:1])
        kept = employee.get("/" + "/".join(named))
        if isinstance(kept, Mapping) and "value" in kept:
            return _within(kept["value"], path[end:])
    return _within(employee, path)


def _within(value: Any, path: Path) -> Any:
    for name in path:
        if value is None:
            return None
        if not isinstance(value, Mapping) or name not in value:
            return _ABSENT
        value = value[name]
    return value


def _put(row: dict[str, Any], path: Path, value: Any) -> None:
    *above, name = path
    place = row
    for part in above:
        inner = place.setdefault(part, {})
        if not isinstance(inner, dict):
            # A shorter path has put a plain value here already; it stays.
            return
        place = inner
    place.setdefault(name, value)
