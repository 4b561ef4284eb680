"""BambooHR and HiBob as their APIs answer who looks people up: simulators with limits, scripted faults and a call log.

https://documentation.bamboohr.com/reference/get-employee and https://apidocs.hibob.com/docs/people-read-api-contract.
They are built like the simulated targets, and controlled the same way; `POST /_sim/options` takes people.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

from werkzeug.wrappers import Request, Response

from scim_bridge.sandbox.targets import bodies
from scim_bridge.sandbox.targets.clocks import Clocks, system_clocks
from scim_bridge.sandbox.targets.holdings import HeldAccount, HeldState
from scim_bridge.sandbox.targets.limits import Window
from scim_bridge.sandbox.targets.seeds import Refusals, SeedUser
from scim_bridge.sandbox.targets.simulator import Simulator

Person = Mapping[str, Any]

LIMITS: Mapping[str, Sequence[Window]] = {
    # BambooHR names no number; HiBob's is of its search (https://apidocs.hibob.com/docs/rate-limit).
    "bamboohr": (Window(requests=60, per_s=60),),
    "hibob": (Window(requests=50, per_s=60),),
}


class HrVendor(ABC):
    """What the two have in common: people by id, fields that nobody may see, and a credential by HTTP Basic."""

    kind = ""
    path = ""

    def __init__(self, *, user: str, password: str | None, clocks: Clocks) -> None:
        self.refusals = Refusals()
        self.people: dict[str, Person] = {}
        self.unseen: frozenset[str] = frozenset()
        """Fields that the credential may not see: they are left out without a word."""
        self.lists: dict[str, str] = {}
        """Names of the values of lists, by their ids."""
        self.is_locked_out = False
        self._user = user
        self._password = password
        self._clocks = clocks
        self._lock = threading.Lock()

    @property
    def paths(self) -> Mapping[str, str]:
        """The path of the base URL."""
        return {"base_url": self.path}

    def credential(self, request: Request) -> str | None:
        """Return the credential when it is the right one and was not taken back."""
        offered = request.authorization
        if offered is None or offered.type != "basic" or self.is_locked_out or offered.username != self._user:
            return None
        return self._user if self._password in (None, offered.password) else None

    def offered_credential(self, request: Request) -> str | None:
        """Return the credential, right or not."""
        offered = request.authorization
        return None if offered is None else f"{offered.username}:{offered.password}"

    def quota_of(self, credential: str) -> str:
        """Return whose limit counts: the credential's."""
        return credential

    def classes(self, request: Request) -> Collection[str]:
        """Return nothing: there is one limit."""
        del request
        return ()

    def count_items(self, request: Request) -> int:
        """Return how many people are asked for."""
        return len(self.asked_for(request))

    @abstractmethod
    def asked_for(self, request: Request) -> Sequence[str]:
        """Return the ids that a call asks for."""

    @abstractmethod
    def answer(self, request: Request, at_most: int | None) -> Response:
        """Return those who are there, with the fields that were asked for."""

    @abstractmethod
    def failure(self, status: int, request: Request) -> Response:
        """Return an error of this status in the form that the vendor gives it."""

    @abstractmethod
    def over_limit(self, wait_s: float, request: Request) -> Response:
        """Return what the vendor says to a call that is refused for `wait_s` more seconds."""

    def put(self, *people: Person) -> None:
        """Hold these people, each by the `id` among its fields."""
        with self._lock:
            self.people.update({str(each["id"]): each for each in people})

    def remove(self, number: str) -> None:
        """Hold somebody no more."""
        with self._lock:
            self.people.pop(number, None)

    def seed(self, users: Sequence[SeedUser], groups: Sequence[str], courses: Sequence[str]) -> None:
        """Refuse: who works here is not made as accounts are."""
        del users, groups, courses
        raise ValueError('send people by POST /_sim/options: {"people": {"1": {"firstName": "Ann"}}}')

    def set_options(self, changes: Mapping[str, Any]) -> None:
        """Take people by id (null: no more), the credential back or not, and fields that it may not see."""
        unknown = set(changes) - {"people", "is_locked_out", "unseen", "lists"}
        if unknown:
            raise ValueError(f"no such option: {', '.join(sorted(unknown))}")
        for number, fields in changes.get("people", {}).items():
            if fields is None:
                self.remove(number)
            else:
                self.put({**fields, "id": number})
        self.is_locked_out = bool(changes.get("is_locked_out", self.is_locked_out))
        self.unseen = frozenset(changes.get("unseen", self.unseen))
        self.lists.update(changes.get("lists", {}))

    def held(self) -> HeldState:
        """Return the people, as accounts."""
        with self._lock:
            people = dict(self.people)
        accounts = tuple(
            HeldAccount(
                account_id=number,
                user_name=None,
                email=None,
                first_name=str(each.get("firstName", "")),
                last_name=str(each.get("lastName", each.get("surname", ""))),
                active=True,
                attributes=each,
            )
            for number, each in people.items()
        )
        return HeldState(accounts=accounts, groups=())


class BambooHrVendor(HrVendor):
    """One employee a call; errors say why in a header only."""

    kind = "bamboohr"
    path = "/api/v1"

    def asked_for(self, request: Request) -> Sequence[str]:
        """Return the id in the path."""
        return [request.path.rpartition("/")[2]]

    def answer(self, request: Request, at_most: int | None) -> Response:
        """Return an employee with the fields that were asked for; those that are empty are null."""
        del at_most
        if request.method != "GET" or not request.path.startswith(f"{self.path}/employees/"):
            return self.failure(404, request)
        person = self.people.get(self.asked_for(request)[0])
        if person is None:
            return self.failure(404, request)
        names = [name for name in request.args.get("fields", "").split(",") if name and name not in self.unseen]
        return bodies.write_json({"id": str(person["id"]), **{name: person.get(name) for name in names}})

    def failure(self, status: int, request: Request) -> Response:
        """Return an empty answer with the reason in a header."""
        del request
        return Response(b"", status=status, headers={"X-BambooHR-Error-Message": f"Error {status}"})

    def over_limit(self, wait_s: float, request: Request) -> Response:
        """Return 503: BambooHR does not say 429."""
        response = self.failure(503, request)
        response.headers["Retry-After"] = str(max(1, round(wait_s)))
        return response


class HiBobVendor(HrVendor):
    """Many employees a call, each value by its path and within its table; lists by their ids, and readable."""

    kind = "hibob"
    path = "/v1"

    def asked_for(self, request: Request) -> Sequence[str]:
        """Return the ids of the filter."""
        try:
            [wanted] = bodies.read_json(request)["filters"]
            return [str(value) for value in wanted["values"]] if wanted["fieldPath"] == "root.id" else []
        except (ValueError, TypeError, LookupError, AttributeError):
            return []

    def answer(self, request: Request, at_most: int | None) -> Response:
        """Return those of the employees who are there; nobody is missed."""
        del at_most
        if request.method != "POST" or request.path != f"{self.path}/people/search":
            return self.failure(404, request)
        try:
            question = bodies.read_json(request)
        except bodies.NotJsonError:
            question = None
        if not isinstance(question, dict) or not question.get("showInactive"):
            return self.failure(400, request)
        found = [self.people[number] for number in dict.fromkeys(self.asked_for(request)) if number in self.people]
        names = [name for name in question.get("fields", ()) if name not in self.unseen]
        return bodies.write_json({"employees": [self._shown(each, names) for each in found]})

    def failure(self, status: int, request: Request) -> Response:
        """Return an error as HiBob's API writes it."""
        del request
        return bodies.write_json({"key": f"bob.error.{status}", "error": f"Error {status}"}, status)

    def over_limit(self, wait_s: float, request: Request) -> Response:
        """Return 429 with the instant at which the window is over, in Unix seconds."""
        response = self.failure(429, request)
        response.headers["X-RateLimit-Remaining"] = "0"
        response.headers["X-RateLimit-Reset"] = str(round(self._clocks.epoch_ms() / 1000 + wait_s) + 1)
        return response

    def _shown(self, person: Person, names: Sequence[str]) -> dict[str, Any]:
        shown: dict[str, Any] = {"id": person["id"], "humanReadable": {}}
        for path, value in _leaves(person):
            name = ".".join(path if len(path) > 1 else ("root", *path))
            if not any(name == each or name.startswith(f"{each}.") for each in names):
                continue
            shown["/" + name.replace(".", "/")] = {"value": value}
            _put(shown, path, value)
            if value is not None:
                _put(shown["humanReadable"], path, self.lists.get(str(value), str(value)))
        return shown


def _leaves(table: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _put(table: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        table = table.setdefault(name, {})
    table[path[-1]] = value


def simulate_hr(
    kind: Literal["bamboohr", "hibob"],
    *,
    secret: str,
    user: str = "SERVICE-1",
    limits: Sequence[Window] | None = None,
    clocks: Clocks | None = None,
    **server: Any,
) -> Simulator[HrVendor]:
    """Return a simulated HR system that is not yet started; use it as a context manager.

    `secret` is BambooHR's API key, or the token of HiBob's service user `user`. `server` goes to `Simulator`.
    """
    clocks = clocks or system_clocks()
    vendor: HrVendor
    if kind == "bamboohr":
        vendor = BambooHrVendor(user=secret, password=None, clocks=clocks)
    else:
        vendor = HiBobVendor(user=user, password=secret, clocks=clocks)
    return Simulator(vendor, limits=LIMITS[kind] if limits is None else limits, clocks=clocks, **server)
