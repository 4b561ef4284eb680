"""The worker's side of the queue: an RQ worker without fork that survives the queue's death."""

import signal
import sys
import time
from types import FrameType
from typing import Any

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import SimpleWorker
from rq.exceptions import StopRequested
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer

from scim_bridge import dispatch, logs
from workers import jobs
from workers.runtime import Runtime

log = structlog.get_logger(__name__)

FIRST_RECONNECT_S = 0.2
MOST_RECONNECT_S = 2.0

WORKER_TTL_S = 30
"""How long the queue remembers a worker that died; also bounds how long one waits for a job at a time."""


class FunctionRefused(Exception):  # noqa: N818 - it says what happened to the function
    """The queue names a function that is none of the bridge's."""


class ListedJob(Job):
    """A job that can only be one of ours.

    Whoever can write to the queue could otherwise name any function of any module, as the job or as its callback,
    or any address as its webhook.
    """

    @property
    def func(self) -> Any:
        """Return the function, without importing anything that the queue says.

        Raises:
            FunctionRefused: it is not in JOBS.
        """
        try:
            return jobs.JOBS[str(self.func_name)]
        except KeyError:
            # Not chained, and the name not told: it is whatever somebody put there.
            raise FunctionRefused from None

    @property
    def success_callback(self) -> None:
        """Return nothing: our jobs have none."""
        return

    @property
    def failure_callback(self) -> None:
        """Return nothing: our jobs have none."""
        return

    @property
    def stopped_callback(self) -> None:
        """Return nothing: our jobs have none."""
        return

    def send_webhooks(self, status: Any, *, exc_string: str | None = None) -> None:
        """Send nothing: only configured hosts are ever called."""


class DeliveryWorker(SimpleWorker):
    """Runs our jobs in this very process: no fork, so no orphan that goes on sending."""

    # A queue that comes back must not find its workers asleep for a minute.
    max_connection_wait_time = 1.0

    def __init__(self, runtime: Runtime, connection: "redis.Redis") -> None:
        """Serve both queues, leavers first."""
        queues: list[Any] = [
            Queue(name, connection=connection, serializer=JSONSerializer, job_class=ListedJob)
            for name in dispatch.QUEUES
        ]
        super().__init__(
            queues,
            connection=connection,
            # Of its own at each start: after a flush or a kill the old name may still be taken.
            name=f"{runtime.owner}:{time.monotonic_ns()}",
            serializer=JSONSerializer,
            job_class=ListedJob,
            worker_ttl=WORKER_TTL_S,
            log_job_description=False,
        )
        self._runtime = runtime
        self._is_listening = False

    def subscribe(self) -> None:
        """Take no orders by way of the queue; signals and the store are enough."""

    def unsubscribe(self) -> None:
        """Nothing was subscribed to."""

    def dequeue_job_and_maintain_ttl(self, timeout: int | None, max_idle_time: int | None = None) -> Any:
        """Wait for a job; a stop that is asked for meanwhile ends the waiting."""
        self._is_listening = True
        try:
            if self._runtime.stopping.is_set():
                raise StopRequested
            return super().dequeue_job_and_maintain_ttl(timeout, max_idle_time)
        finally:
            self._is_listening = False

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Tell RQ that the worker is alive, and those who ask for the bridge's processes."""
        super().heartbeat(timeout, pipeline)
        runtime = self._runtime
        dispatch.note_alive(self.connection, dispatch.WORKER, runtime.owner, now=runtime.clock())

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Log that a job failed and where; RQ's own line would hold the exception's message."""
        log.error("job_failed", job=job.id, exc_info=exc_info)

    def handle_job_failure(
        self, job: Job, queue: Queue, started_job_registry: Any = None, exc_string: str = ""
    ) -> None:
        """Keep of the exception what may be logged: `exc_string` holds its message, and that may hold a person."""
        error = sys.exc_info()[1]
        exc_string = logs.describe_exception(error) if error is not None else ""
        super().handle_job_failure(job, queue, started_job_registry, exc_string)

    def request_stop(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler's form
        """End in order: the shift that runs sees the flag and settles what is out.

        Nothing is asked of the queue here: a signal may arrive in the middle of a call to it.
        """
        self._runtime.stopping.set()
        self._stop_requested = True
        if self._is_listening:
            raise StopRequested


def serve(runtime: Runtime, url: str) -> None:
    """Work off both queues, leavers first, until a signal says stop. Outlives any outage of the queue."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: runtime.stopping.set())
    reconnect_s = FIRST_RECONNECT_S
    while not runtime.stopping.is_set():
        began = time.monotonic()
        client = redis.Redis.from_url(
            url, socket_connect_timeout=dispatch.CONNECT_TIMEOUT_S, retry=Retry(NoBackoff(), 0)
        )
        try:
            DeliveryWorker(runtime, client).work(logging_level="ERROR", with_scheduler=False)
        except StopRequested:
            break
        except (redis.RedisError, OSError, ValueError) as error:
            log.warning("queue_lost", kind=type(error).__name__)
        finally:
            client.close()
        reconnect_s = FIRST_RECONNECT_S if time.monotonic() - began > 1 else min(reconnect_s * 2, MOST_RECONNECT_S)
        runtime.stopping.wait(reconnect_s)
