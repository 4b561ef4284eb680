"""Telling workers that a lane has work: two queues, one job, wake-ups thinned. The only rq on this side.

The queue carries names; the store holds the truth. A wake that gets lost costs a second, never a change.
"""

import contextlib
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import redis
import rq
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq.exceptions import DeserializationError
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from scim_bridge import metrics
from scim_bridge.domain.instants import Millis, of_datetime
from scim_bridge.errors import BridgeError

log = structlog.get_logger(__name__)

LEAVERS = "leavers"
LANES = "lanes"
QUEUES = (LEAVERS, LANES)
"""Served in this order."""

DELIVER = "workers.jobs.deliver"
"""The job that drains a lane; workers know it by this name only."""

ERRAND = "workers.jobs.errand"
"""The job that takes an operator's errand up."""

FUNCTIONS = frozenset({DELIVER, ERRAND})
"""All that our jobs are."""

JOBS_AT_ONCE = 500

THIN_MS = 1_000
"""One wake for a lane in this time is enough, unless a job has begun since."""

THIN_ERRAND_MS = 10_000
"""One wake for an errand in this time is enough."""

WORKER = "worker"
RELAY = "relay"
PROCESSES = (WORKER, RELAY)
"""Processes that let themselves be heard of through the queue."""

REMEMBERED_S = 86_400
"""So long it is remembered when a process was last heard of."""

FAILURE_TTL_S = 7 * 86_400
CONNECT_TIMEOUT_S = 0.5
SOCKET_TIMEOUT_S = 0.5
QUIET_S = 1.0
"""After a failure nothing is told for so long: a request must not wait for a queue that is known to be down."""


class Dispatcher(Protocol):
    """What recording asks for after a commit."""

    def wake(self, tenant: str, target: str, *, urgent: bool) -> None:
        """Tell the workers that a lane has work. Never raises: the relay finds what was not told."""

    def wake_errand(self, tenant: str, number: int) -> None:
        """Tell the workers that an operator's errand waits. Never raises, as `wake`."""

    def heard(self, tenant: str, target: str, *, queue: str) -> None:
        """Let the next wake of a lane through again; a job's first act. Never raises."""

    def has_waiting(self) -> bool:
        """Tell whether a wake waits for a worker. Never raises; what is not known does not wait."""

    def be_heard(self, process: str, name: str, *, now: Millis) -> None:
        """Note that a process is alive, for those who ask. Never raises."""


def wake_key(queue: str, tenant: str, target: str) -> str:
    """Return the key that thins the wakes of a lane; the job deletes it as its first act."""
    return f"wake:{queue}:{tenant}/{target}"


def connect(url: str) -> "redis.Redis":
    """Return a client whose calls end soon when the queue is down, so that the front door is never held up."""
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=SOCKET_TIMEOUT_S,
        retry=Retry(NoBackoff(), 1),
    )


def note_alive(client: "redis.Redis", process: str, name: str, *, now: Millis) -> None:
    """Note that a process of a kind is alive; who was not heard of for a day is forgotten.

    Raises:
        redis.RedisError, OSError: the queue does not answer.
    """
    key = f"alive:{process}"
    with client.pipeline(transaction=False) as pipe:
        pipe.zadd(key, {name: now})
        pipe.zremrangebyscore(key, "-inf", now - REMEMBERED_S * 1000)
        pipe.expire(key, REMEMBERED_S)
        pipe.execute()


def last_heard(url: str) -> dict[str, Millis | None] | None:
    """Return when each kind of process was last heard of (None: was not); None when the queue does not answer."""
    client = connect(url)
    try:
        newest = {process: client.zrevrange(f"alive:{process}", 0, 0, withscores=True) for process in PROCESSES}
    except (redis.RedisError, OSError):
        return None
    finally:
        client.close()
    return {process: round(float(found[0][1])) if found else None for process, found in newest.items()}


class QueueSilent(BridgeError):  # noqa: N818 - a fact about the queue
    """The queue does not answer; nothing was done."""

    def __init__(self) -> None:
        """Say what to look at."""
        super().__init__("the queue does not answer, so nothing was done; see scim-bridge status")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crashed:
    """A job that ended by our own fault."""

    id: str
    queue: str
    function: str
    """As the queue names it: whoever writes to the queue may have put anything there."""
    arguments: tuple[object, ...]
    at: Millis | None
    """When it ended; None where nobody noted that."""

    @property
    def is_ours(self) -> bool:
        """Whether workers would run it."""
        return self.function in FUNCTIONS and self.tenant is not None

    @property
    def tenant(self) -> str | None:
        """The tenant for whom it ran: the first argument of all our jobs."""
        first = self.arguments[0] if self.arguments else None
        return first if isinstance(first, str) else None


def crashed(url: str, *, tenant: str | None = None) -> list[Crashed]:
    """Return the jobs that crashed, the last in front: of one tenant, or all. They are kept for a week.

    Raises:
        QueueSilent: the queue does not answer.
    """
    found: list[Crashed] = []
    with _asking(url) as client:
        for name in QUEUES:
            ids = FailedJobRegistry(name, connection=client, serializer=JSONSerializer).get_job_ids()
            for start in range(0, len(ids), JOBS_AT_ONCE):
                some = Job.fetch_many(ids[start : start + JOBS_AT_ONCE], connection=client, serializer=JSONSerializer)
                found += [_crashed(job, name) for job in some if job is not None]
    chosen = [each for each in found if tenant in (None, each.tenant)]
    return sorted(chosen, key=lambda each: (each.at or 0, each.id), reverse=True)


def tracebacks(url: str, ids: Iterable[str]) -> dict[str, str]:
    """Return what was noted of how jobs crashed, by their ids.

    Raises:
        QueueSilent: the queue does not answer.
    """
    told: dict[str, str] = {}
    with _asking(url) as client:
        for each in ids:
            result = Job(each, connection=client, serializer=JSONSerializer).latest_result()
            told[each] = (result.exc_string or "") if result is not None else ""
    return told


def run_again(url: str, jobs: Iterable[Crashed]) -> list[str]:
    """Have jobs of ours run again, each under a fresh id, and return those that nobody else had put back before.

    Raises:
        QueueSilent: the queue does not answer (any more).
    """
    done: list[str] = []
    with _asking(url) as client:
        for job in (each for each in jobs if each.is_ours):
            registry = FailedJobRegistry(job.queue, connection=client, serializer=JSONSerializer)
            # Whoever takes it from the list is the one to run it; should this break off now, the relay wakes the lane.
            if client.zrem(registry.key, job.id):
                queue = rq.Queue(job.queue, connection=client, serializer=JSONSerializer, default_timeout=-1)
                _enqueue_job(queue, job.function, job.arguments)
                client.delete(Job.key_for(job.id))
                done.append(job.id)
    return done


def _crashed(job: Job, queue: str) -> Crashed:
    try:
        function, arguments = str(job.func_name), tuple(job.args)
    except (DeserializationError, TypeError):
        function, arguments = "?", ()
    ended_at = job.ended_at or job.enqueued_at
    return Crashed(
        id=job.id,
        queue=queue,
        function=function,
        arguments=arguments,
        at=None if ended_at is None else of_datetime(ended_at),
    )


def _enqueue_job(queue: rq.Queue, job: str, args: tuple[object, ...]) -> None:
    # RQ's `unique` is of no use here: an id stays taken after a worker was killed, and the lane goes deaf.
    queue.enqueue_call(
        job,
        args=args,
        job_id=f"{job.rpartition('.')[2]}-{secrets.token_hex(8)}",
        timeout=-1,
        result_ttl=0,
        failure_ttl=FAILURE_TTL_S,
    )


@contextlib.contextmanager
def _asking(url: str) -> Iterator["redis.Redis"]:
    client = connect(url)
    try:
        yield client
    except (redis.RedisError, OSError):
        raise QueueSilent from None
    finally:
        client.close()


class RqDispatcher:
    """Wakes lanes through RQ."""

    def __init__(self, url: str) -> None:
        """Name the queue's server; connections are made when needed."""
        self._redis = connect(url)
        self._queues = {
            name: rq.Queue(name, connection=self._redis, serializer=JSONSerializer, default_timeout=-1)
            for name in QUEUES
        }
        self._quiet_until = 0.0

    def wake(self, tenant: str, target: str, *, urgent: bool) -> None:
        """Enqueue the lane's job under a fresh id, unless a wake of the last second still waits."""
        queue = LEAVERS if urgent else LANES
        key = wake_key(queue, tenant, target)
        failure = self._enqueue(DELIVER, (tenant, target, queue), queue=queue, key=key, thin_ms=THIN_MS)
        if failure is not None:
            log.warning("wake_not_told", tenant=tenant, target=target, kind=failure)

    def wake_errand(self, tenant: str, number: int) -> None:
        """Enqueue an errand's job, unless that was done a moment ago; leavers go before it."""
        key = f"errand:{number}"
        failure = self._enqueue(ERRAND, (tenant, number), queue=LANES, key=key, thin_ms=THIN_ERRAND_MS)
        if failure is not None:
            log.warning("errand_not_told", tenant=tenant, errand=number, kind=failure)

    def _enqueue(self, job: str, args: tuple[object, ...], *, queue: str, key: str, thin_ms: int) -> str | None:
        """Enqueue a job unless its key is still there; returns what kept it from being told, if it was just tried."""
        if time.monotonic() < self._quiet_until:
            metrics.WAKES_NOT_TOLD.inc()
            return None
        try:
            if self._redis.set(key, "1", nx=True, px=thin_ms):
                _enqueue_job(self._queues[queue], job, args)
        except (redis.RedisError, OSError) as error:
            self._quiet_until = time.monotonic() + QUIET_S
            metrics.WAKES_NOT_TOLD.inc()
            return type(error).__name__
        return None

    def heard(self, tenant: str, target: str, *, queue: str) -> None:
        """Delete the key that thins the lane's wakes; should that fail, it ends by itself within a second."""
        try:
            self._redis.delete(wake_key(queue, tenant, target))
        except (redis.RedisError, OSError) as error:
            log.warning("wake_key_kept", tenant=tenant, target=target, kind=type(error).__name__)

    def has_waiting(self) -> bool:
        """Tell whether a wake waits for a worker; of a queue that does not answer, none does."""
        if time.monotonic() < self._quiet_until:
            return False
        try:
            return any(queue.count for queue in self._queues.values())
        except (redis.RedisError, OSError):
            return False

    def be_heard(self, process: str, name: str, *, now: Millis) -> None:
        """Note that a process is alive; while the queue is known to be down, nothing is said."""
        if time.monotonic() < self._quiet_until:
            return
        try:
            note_alive(self._redis, process, name, now=now)
        except (redis.RedisError, OSError) as error:
            log.warning("not_heard", process=process, kind=type(error).__name__)

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()
