"""Run one simulated HR system in a process of its own: `python -m scim_bridge.sandbox.sources --kind bamboohr`.

Prints one line of JSON with its URL once it listens, and ends on SIGTERM or SIGINT.
"""

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence

from scim_bridge.sandbox.sources.vendors import LIMITS, simulate_hr
from scim_bridge.sandbox.targets import limits


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal comes; return 0, or end with 2 and a sentence for arguments that make no sense."""
    parser = argparse.ArgumentParser(prog="python -m scim_bridge.sandbox.sources", description=__doc__)
    parser.add_argument("--kind", choices=sorted(LIMITS), required=True)
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--secret", required=True, help="BambooHR's API key, or the token of HiBob's service user")
    parser.add_argument("--user", default="SERVICE-1", help="hibob: the id of the service user")
    parser.add_argument("--people", default="{}", help="JSON object of people by id, as POST /_sim/options takes them")
    parser.add_argument("--limits", help="off, or REQUESTS/SECONDS,...; without it the vendor's")
    given = parser.parse_args(arguments)
    stopped = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stopped.set())
    try:
        windows = None if given.limits is None else limits.parse_windows(given.limits)
        simulator = simulate_hr(
            given.kind, secret=given.secret, user=given.user, limits=windows, host=given.host, port=given.port
        )
        people = json.loads(given.people)
        if not isinstance(people, dict) or not all(isinstance(each, dict) for each in people.values()):
            parser.error("--people takes a JSON object of objects")
        simulator.vendor.set_options({"people": people})
        simulator.start()
    except ValueError as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"cannot listen on port {given.port}: {error.strerror}")
    with simulator:
        sys.stdout.write(json.dumps({"kind": given.kind, "origin": simulator.origin, **simulator.urls}) + "\n")
        sys.stdout.flush()
        stopped.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
