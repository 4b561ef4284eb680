"""Run one simulated target in a process of its own: `python -m scim_bridge.sandbox.targets --kind trakstar`.

Prints one line of JSON with its URLs once it listens, and ends on SIGTERM or SIGINT.
"""

import argparse
import json
import random
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

from scim_bridge.sandbox.targets import limits
from scim_bridge.sandbox.targets.mindtickle import MindTickleOptions, simulate_mindtickle
from scim_bridge.sandbox.targets.scim import ScimOptions, simulate_scim
from scim_bridge.sandbox.targets.simulator import Simulator
from scim_bridge.sandbox.targets.trakstar import TrakstarOptions, simulate_trakstar


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal comes; return 0, or end with 2 and a sentence for arguments that make no sense."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        options = json.loads(given.options)
        if not isinstance(options, dict):
            parser.error("--options takes a JSON object")
        simulator = _build(given, options)
    except (ValueError, TypeError) as exc:
        parser.error(str(exc))
    stopped = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stopped.set())
    try:
        simulator.start()
    except OSError as exc:
        parser.error(f"cannot listen on port {given.port}: {exc.strerror}")
    with simulator:
        sys.stdout.write(json.dumps({"kind": given.kind, "origin": simulator.origin, **simulator.urls}) + "\n")
        sys.stdout.flush()
        stopped.wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scim_bridge.sandbox.targets", description=__doc__)
    parser.add_argument("--kind", choices=("trakstar", "mindtickle", "scim"), required=True)
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--api-key", required=True, help="scim: the bearer token, or NAME:PASSWORD with auth basic")
    parser.add_argument("--scim-token", help="mindtickle: the token of its SCIM side; without it the API key")
    parser.add_argument("--company-id", default="acme", help="mindtickle: what the company's header must say")
    parser.add_argument("--limits", help="off, or REQUESTS/SECONDS[:CLASS],...; without it the documented ones")
    parser.add_argument("--options", default="{}", help="JSON object of the kind's options")
    parser.add_argument("--seed", type=int, default=0, help="how random latency is spread")
    parser.add_argument("--control-token", help="what /_sim/ wants in the header X-Sim-Control")
    return parser


def _build(given: argparse.Namespace, options: dict[str, Any]) -> Simulator[Any]:
    server: dict[str, Any] = {
        "host": given.host,
        "port": given.port,
        "control_token": given.control_token,
        "randomness": random.Random(given.seed),  # noqa: S311 - only latencies come from it
    }
    if given.limits is not None:
        server["limits"] = limits.parse_windows(given.limits)
    if given.kind == "trakstar":
        return simulate_trakstar(api_key=given.api_key, options=TrakstarOptions(**options), **server)
    if given.kind == "scim":
        return simulate_scim(api_key=given.api_key, options=ScimOptions(**options), **server)
    return simulate_mindtickle(
        api_key=given.api_key,
        scim_token=given.scim_token,
        company_id=given.company_id,
        options=MindTickleOptions(**options),
        **server,
    )


if __name__ == "__main__":
    sys.exit(main())
