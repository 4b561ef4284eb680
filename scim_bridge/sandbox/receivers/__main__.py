"""Run a receiver of notices: `python -m scim_bridge.sandbox.receivers --secret SECRET`.

Prints one line of JSON with its URL once it listens, then each new notice on a line, and ends on SIGTERM or SIGINT.
"""

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence

from scim_bridge.domain import signing
from scim_bridge.sandbox.receivers.receiver import Receiver


def main(arguments: Sequence[str] | None = None) -> int:
    """Receive until a signal comes; return 0, or end with 2 and a sentence for arguments that make no sense."""
    parser = argparse.ArgumentParser(prog="python -m scim_bridge.sandbox.receivers", description=__doc__)
    parser.add_argument("--secret", required=True, help="what notices are signed with, as in the configuration")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    given = parser.parse_args(arguments)
    stopped = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stopped.set())
    try:
        signing.key_of(given.secret)
        receiver = Receiver(given.secret, host=given.host, port=given.port, on_notice=_print)
    except ValueError as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"cannot listen on port {given.port}: {error.strerror}")
    with receiver:
        _print({"url": receiver.url})
        stopped.wait()
    return 0


def _print(document: object) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
