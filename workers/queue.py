"""The worker's side of the queue: an RQ worker without fork that survives the queue's death."""

import signal
import time
from types import FrameType
from typing import Any

import redis
import structlog
from rq import SimpleWorker
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer

from scim_bridge import dispatch
from workers import runtime

log = structlog.get_logger(__name__)

RECONNECT_S = 0.5

JOBS = frozenset({dispatch.DELIVER})
"""Everything that the queue may name; the worker refuses any other function, before it is imported."""

_clients: dict[str, redis.Redis] = {}


class DeliveryWorker(SimpleWorker):
    """Runs our jobs in this very process: no fork, so no orphan that goes on sending."""

    # A queue that comes back must not find its workers asleep for a minute.
    max_connection_wait_time = 1.0

    def perform_job(self, job: Job, queue: Queue) -> bool:
        """Run a job whose function is one of ours; record any other as failed."""
        if job.func_name not in JOBS:
            log.error("job_refused", job=job.id)
            self.handle_job_failure(job, queue, exc_string="the queue names a function that is none of the bridge's")
            return False
        return bool(super().perform_job(job, queue))

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """End in order: the shift that runs sees the flag and settles what is out."""
        runtime.current().stopping.set()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]


def forget_wake(queue: str, tenant: str, target: str) -> None:
    """Let the next wake of a lane through again; called as a job's first act."""
    client = _clients.get("wakes")
    if client is None:
        return
    try:
        client.delete(dispatch.wake_key(queue, tenant, target))
    except (redis.RedisError, OSError):
        log.warning("wake_key_kept", tenant=tenant, target=target)


def serve(url: str) -> None:
    """Work off both queues, leavers first, until a signal says stop. Outlives any outage of the queue."""
    stopping = runtime.current().stopping
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    while not stopping.is_set():
        client = redis.Redis.from_url(url, socket_connect_timeout=dispatch.CONNECT_TIMEOUT_S)
        _clients["wakes"] = dispatch.connect(url)
        try:
            _worker(client).work(logging_level="ERROR", with_scheduler=False)
        except (redis.RedisError, OSError, ValueError) as error:
            log.warning("queue_lost", kind=type(error).__name__)
        finally:
            client.close()
            _clients.pop("wakes").close()
        stopping.wait(RECONNECT_S)


def _worker(client: "redis.Redis") -> DeliveryWorker:
    queues: list[Any] = [
        Queue(name, connection=client, serializer=JSONSerializer, default_timeout=-1) for name in dispatch.QUEUES
    ]
    # A name of its own for each start: after a flush or a kill the old one may still be taken.
    name = f"{runtime.current().owner}:{time.monotonic_ns()}"
    return DeliveryWorker(queues, connection=client, serializer=JSONSerializer, name=name, worker_ttl=30)
