"""The threads that serve requests.

Those of the standard library tell each caller what became of its call, and start only when they are needed. Nobody asks
here, and all are needed soon; without that, to hand a request on costs little more than half.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue

import structlog

from scim_bridge import logs

_log = structlog.get_logger(__name__)

Call = Callable[[], None]


class Threads:
    """So many threads, which take calls in the order in which they come. They keep no process from ending."""

    def __init__(self, number: int) -> None:
        """Start them."""
        self._number = number
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        for place in range(number):
            threading.Thread(target=self._work, name=f"request-{place}", daemon=True).start()

    def submit(self, call: Call) -> None:
        """Have a call made by whichever thread is free next. What it raises is logged, and costs no thread."""
        self._calls.put(call)

    def shutdown(self, *, wait: bool = True) -> None:  # noqa: ARG002 - gunicorn's; the process waits for them anyway
        """Let the threads end once all that has been submitted is done."""
        for _ in range(self._number):
            self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call()
            except BaseException as error:  # noqa: BLE001 - it costs one call, and no thread; nobody else would hear it
                _log.error("request_lost", error=logs.describe_exception(error))
            del call
