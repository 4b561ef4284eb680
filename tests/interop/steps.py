"""Published test suites as tables: one row a request, with what the suite expects of the answer.

Okta's suite is a Runscope test, Microsoft's a Postman collection; both are lists of named requests with variables in
double braces, kept from one answer for a later request. The comparisons bear Runscope's names.
"""

import http.client
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

Variables = dict[str, str]
Check = Callable[["Answer", Variables], str | None]
"""Says what is wrong with an answer, None for nothing."""

_ABSENT = object()


@dataclass(frozen=True)
class Answer:
    """What came back: status, text, and the text read as JSON."""

    status: int
    text: str
    document: Any

    def at(self, path: str) -> Any:
        """Return the value at a path such as `Resources[0].name.familyName`."""
        found = self.document
        for part in re.findall(r"[^.\[\]]+", path):
            try:
                found = found[int(part)] if part.isdigit() else found[part]
            except (KeyError, IndexError, TypeError):
                return _ABSENT
        return found


@dataclass(frozen=True)
class Step:
    """A request of a published suite. `published` is the status that it asks for where ours differs, `because` why."""

    name: str
    method: str
    url: str
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    checks: Sequence[Check] = ()
    keeps: Mapping[str, str] = field(default_factory=dict)
    published: int | None = None
    because: str = ""


def run(steps: Sequence[Step], *, base_url: str, variables: Variables) -> list[str]:
    """Make the requests in order, on one connection; return what was wrong, each with the name of its step."""
    address = urlsplit(base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    problems: list[str] = []
    try:
        for step in steps:
            answer = _send(connection, address.path, step, variables)
            problems += [f"{step.name}: {problem}" for problem in _problems(step, answer, variables)]
            for name, path in step.keeps.items():
                variables[name] = str(answer.at(path))
    finally:
        connection.close()
    return problems


def _send(connection: http.client.HTTPConnection, prefix: str, step: Step, variables: Variables) -> Answer:
    text = step.body if step.body is None or isinstance(step.body, str) else json.dumps(step.body)
    headers = {"Authorization": variables["auth"], **step.headers}
    connection.request(
        step.method,
        prefix + quote(filled(step.url, variables), safe="/:?&=%+,"),
        body=None if text is None else filled(text, variables).encode(),
        headers={name: filled(value, variables) for name, value in headers.items()},
    )
    response = connection.getresponse()
    received = response.read().decode()
    return Answer(response.status, received, json.loads(received) if received else None)


def filled(text: str, variables: Variables) -> str:
    """Return a text with the variables put in for the names in double braces."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: variables[found[1]], text)


def _problems(step: Step, answer: Answer, variables: Variables) -> list[str]:
    found = [problem for check in step.checks if (problem := check(answer, variables)) is not None]
    if step.status is not None and answer.status != step.status:
        found.insert(0, f"answered {answer.status}, not {step.status}: {answer.text[:300]}")
    return found


def not_empty(path: str) -> Check:
    """Expect a value; `false` is one."""

    def check(answer: Answer, _: Variables) -> str | None:
        value = answer.at(path)
        return f"{path} is empty" if value is _ABSENT or value in (None, "", [], {}) else None

    return check


def has_value(path: str, value: str) -> Check:
    """Expect a list to hold a value."""

    def check(answer: Answer, _: Variables) -> str | None:
        found = answer.at(path)
        return None if isinstance(found, list) and value in found else f"{path} lacks {value}"

    return check


def is_a_number(path: str) -> Check:
    """Expect an integer, no text that looks like one."""

    def check(answer: Answer, _: Variables) -> str | None:
        return None if type(answer.at(path)) is int else f"{path} is no number"

    return check


def equal(path: str, value: Any) -> Check:
    """Expect a value; a text may name variables."""

    def check(answer: Answer, variables: Variables) -> str | None:
        wanted = filled(value, variables) if isinstance(value, str) else value
        found = answer.at(path)
        is_same = found == wanted and type(found) is type(wanted)
        return None if is_same else f"{path} is {found!r}, not {wanted!r}"

    return check


def is_true(path: str) -> Check:
    """Expect the JSON value true, no text that says so."""
    return lambda answer, _: None if answer.at(path) is True else f"{path} is not true"


def is_false(path: str) -> Check:
    """Expect the JSON value false, no text that says so."""
    return lambda answer, _: None if answer.at(path) is False else f"{path} is not false"


def includes(text: str) -> Check:
    """Expect a text anywhere in the answer."""

    def check(answer: Answer, variables: Variables) -> str | None:
        wanted = filled(text, variables)
        return None if wanted in answer.text else f"the answer lacks {wanted!r}: {answer.text[:300]}"

    return check


def lacks(text: str) -> Check:
    """Expect a text nowhere in the answer."""

    def check(answer: Answer, variables: Variables) -> str | None:
        unwanted = filled(text, variables)
        return f"the answer holds {unwanted!r}" if unwanted in answer.text else None

    return check
