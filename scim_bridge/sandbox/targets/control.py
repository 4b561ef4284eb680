"""The control surface of a simulator, at /_sim/ on its own port: for tests and demos in another process."""

import hmac
import threading
from collections.abc import Callable
from typing import Any

from werkzeug.wrappers import Request, Response

from scim_bridge.sandbox.targets import bodies
from scim_bridge.sandbox.targets.calls import CallLog
from scim_bridge.sandbox.targets.faults import Fault, Faults
from scim_bridge.sandbox.targets.limits import Limiter
from scim_bridge.sandbox.targets.seeds import SeedUser
from scim_bridge.sandbox.targets.vendor import Vendor

PREFIX = "/_sim/"
TOKEN_HEADER = "X-Sim-Control"  # noqa: S105 - the name of a header


class Control:
    """Answers calls under /_sim/; they count against no limit and appear in no log.

    `token`, when given, must come in the header X-Sim-Control. `go_down` closes the simulator for so many seconds.
    """

    def __init__(
        self,
        vendor: Vendor,
        *,
        log: CallLog,
        faults: Faults,
        limiter: Limiter,
        token: str | None,
        go_down: Callable[[float], None],
    ) -> None:
        self._vendor = vendor
        self._log = log
        self._faults = faults
        self._limiter = limiter
        self._token = token
        self._go_down = go_down
        self._routes: dict[tuple[str, str], Callable[[Request], Any]] = {
            ("GET", "log"): self._read_log,
            ("DELETE", "log"): lambda _: self._log.clear(),
            ("GET", "state"): lambda _: self._vendor.held().to_json(),
            ("GET", "faults"): self._read_faults,
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): lambda _: self._faults.clear(),
            ("POST", "refuse"): self._refuse,
            ("DELETE", "refuse"): lambda _: self._vendor.refusals.clear(),
            ("POST", "seed"): self._seed,
            ("POST", "options"): self._set_options,
            ("DELETE", "limits"): lambda _: self._limiter.forget(),
            ("GET", "health"): lambda _: {"kind": self._vendor.kind},
        }

    def answer(self, request: Request) -> Response:
        """Return the answer to a control call: 401, 404, 400 with what is wrong, or 200 with JSON."""
        offered = request.headers.get(TOKEN_HEADER, "")
        if self._token is not None and not hmac.compare_digest(offered.encode(), self._token.encode()):
            return bodies.write_json({"error": f"send the control token in {TOKEN_HEADER}"}, 401)
        route = self._routes.get((request.method, request.path.removeprefix(PREFIX)))
        if route is None:
            known = sorted(f"{method} {PREFIX}{name}" for method, name in self._routes)
            return bodies.write_json({"error": "no such control", "controls": known}, 404)
        try:
            return bodies.write_json(route(request) or {"ok": True})
        except (ValueError, TypeError, KeyError, AttributeError) as exc:
            return bodies.write_json({"error": f"{type(exc).__name__}: {exc}"}, 400)

    def _read_log(self, request: Request) -> dict[str, Any]:
        after = int(request.args.get("after", 0))
        return {"calls": [call.to_json() for call in self._log if call.number > after]}

    def _read_faults(self, _: Request) -> dict[str, Any]:
        return {"pending": [fault.label for fault in self._faults.pending], "latency_s": self._faults.latency_s}

    def _add_faults(self, request: Request) -> None:
        """Take {"faults": [..], "latency_s": [least, most], "down_s": n}, or one fault alone."""
        script = _read_object(request)
        extras = {"faults", "latency_s", "down_s"}
        listed = script.get("faults", [] if extras & set(script) else [script])
        faults = [Fault.from_json(each) for each in listed]
        if "latency_s" in script:
            least, most = script["latency_s"]
            self._faults.latency_s = (least, most)
        self._faults.add(*faults)
        if "down_s" in script:
            # The answer leaves first: nobody could learn otherwise that the order was understood.
            threading.Timer(0.05, self._go_down, [float(script["down_s"])]).start()

    def _refuse(self, request: Request) -> None:
        texts = _read_object(request)
        if not all(isinstance(text, str) for text in texts.values()):
            raise ValueError("send an object of email or userName and the text of the refusal")
        self._vendor.refusals.add(texts)

    def _seed(self, request: Request) -> dict[str, Any]:
        seed = _read_object(request)
        unknown = set(seed) - {"users", "groups", "courses"}
        if unknown:
            raise ValueError(f"a seed has no {', '.join(sorted(unknown))}")
        users = [SeedUser.from_json(each) for each in seed.get("users", ())]
        self._vendor.seed(users, seed.get("groups", ()), seed.get("courses", ()))
        return self._vendor.held().counts

    def _set_options(self, request: Request) -> None:
        self._vendor.set_options(_read_object(request))


def _read_object(request: Request) -> dict[str, Any]:
    document = bodies.read_json(request)
    if not isinstance(document, dict):
        raise bodies.NotJsonError("send a JSON object")
    return document
