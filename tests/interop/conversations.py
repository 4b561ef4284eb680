"""Conversations of senders as data: what each sends, byte for byte, and what it must be answered.

A file holds a list of exchanges and the directory that they leave behind. `{{name}}` stands for the token, for the
same as HTTP Basic has it (`basic`), for the door's URL (`door`) and for what an answer was asked to `keep`. An expected
body is a part of the answer: a key with null must be absent, a list has as many elements as the answer's. A header that
is null is not sent; `headers_of_bodies` go with requests that have a body.
"""

import http.client
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DATA = Path(__file__).parents[1] / "data"
FOLDERS = (
    "okta_oin",
    "okta_aiw",
    "okta_group_push",
    "entra_default",
    "entra_flagged",
    "onelogin",
    "jumpcloud",
    "ping",
    "keycloak",
    "authentik",
    "sailpoint",
    "scim_client",
)
TIMEOUT_S = 20


@dataclass(frozen=True)
class Reply:
    """What the front door answered."""

    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def body(self) -> Any:
        """Return the answer's JSON, None for an empty one."""
        return json.loads(self.text) if self.text else None


def all_files() -> list[Path]:
    """Return every conversation, in a stable order."""
    return sorted(path for folder in FOLDERS for path in (DATA / folder).glob("*.json"))


def name_of(path: Path) -> str:
    """Return what a conversation is called in a test's name."""
    return f"{path.parent.name}-{path.stem}"


class Wire:
    """One kept-alive connection to a front door. URLs and headers go out as they are given, and no others."""

    def __init__(self, door_url: str) -> None:
        """Connect when the first request is made."""
        address = urlsplit(door_url)
        self._prefix = address.path
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=TIMEOUT_S)

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Reply:
        """Make one request and return what was answered."""
        self._connection.putrequest(method, self._prefix + path, skip_accept_encoding=True)
        for name, value in headers.items():
            self._connection.putheader(name, value)
        if body is not None:
            self._connection.putheader("Content-Length", str(len(body)))
        self._connection.endheaders(body)
        response = self._connection.getresponse()
        return Reply(response.status, response.headers, response.read().decode())

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def replay(conversation: dict[str, Any], wire: Wire, variables: dict[str, str]) -> list[str]:
    """Hold a conversation, keeping what it says in the variables; return what was wrong, by the exchange's name."""
    problems: list[str] = []
    for exchange in conversation["exchanges"]:
        reply = _exchange(conversation, exchange, wire, variables)
        expected = filled(exchange["expect"], variables)
        problems += [f"{exchange['name']}: {problem}" for problem in _problems(reply, expected)]
        for name, path in exchange.get("keep", {}).items():
            variables[name] = str(_at(reply.body, path))
    return problems


def filled(template: Any, variables: dict[str, str]) -> Any:
    """Return a template with its variables filled in."""
    if isinstance(template, dict):
        return {filled(key, variables): filled(value, variables) for key, value in template.items()}
    if isinstance(template, list):
        return [filled(item, variables) for item in template]
    if isinstance(template, str):
        return re.sub(r"\{\{(\w+)\}\}", lambda found: variables[found[1]], template)
    return template


def differences(expected: Any, found: Any, where: str = "body") -> list[str]:
    """Return where what was found lacks something that was expected."""
    if isinstance(expected, dict):
        if not isinstance(found, dict):
            return [f"{where} is no object: {found!r}"]
        return [
            problem
            for key, value in expected.items()
            for problem in differences(value, found.get(key), f"{where}.{key}")
        ]
    if isinstance(expected, list):
        if not isinstance(found, list) or len(found) != len(expected):
            return [f"{where} has not {len(expected)} elements: {found!r}"]
        return [
            problem
            for number, (each, other) in enumerate(zip(expected, found, strict=True))
            for problem in differences(each, other, f"{where}[{number}]")
        ]
    # An integer is not a text, and a boolean no integer.
    return [] if type(expected) is type(found) and expected == found else [f"{where} is {found!r}, not {expected!r}"]


def _exchange(conversation: dict[str, Any], exchange: dict[str, Any], wire: Wire, variables: dict[str, str]) -> Reply:
    headers = {**conversation["headers"], **exchange.get("headers", {})}
    body = exchange.get("body")
    if body is not None:
        headers = {**headers, **conversation.get("headers_of_bodies", {}), **exchange.get("headers", {})}
    text = body if body is None or isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return wire.send(
        exchange["method"],
        filled(exchange["path"], variables),
        {name: filled(value, variables) for name, value in headers.items() if value is not None},
        None if text is None else filled(text, variables).encode(),
    )


def _problems(reply: Reply, expected: dict[str, Any]) -> list[str]:
    if reply.status != expected["status"]:
        return [f"answered {reply.status}, not {expected['status']}: {reply.text[:300]}"]
    problems = [
        f"{name} is {reply.headers.get(name)!r}, not {value!r}"
        for name, value in expected.get("headers", {}).items()
        if reply.headers.get(name) != value
    ]
    if "body" not in expected:
        return problems
    if expected["body"] is None:
        return problems + ([f"has a body: {reply.text[:300]}"] if reply.text else [])
    return problems + differences(expected["body"], reply.body)


def _at(body: Any, path: str) -> Any:
    for part in path.split("."):
        body = body[int(part)] if part.isdigit() else body[part]
    return body
