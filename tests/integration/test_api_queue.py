"""The API's operations of the queue, with a real Valkey: crashed jobs, each tenant's own, put back, lanes woken."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import redis
import rq
from flask.testing import FlaskClient
from integration.valkey_server import ValkeyServer
from rq.serializers import JSONSerializer
from running.offices import TARGET, Offices

from scim_bridge import dispatch
from scim_bridge.web.api.queue import OPERATIONS

BY_NAME = {each.name: each for each in OPERATIONS}


class Desk:
    """The API beside a queue in which jobs of both tenants have crashed."""

    def __init__(self, offices: Offices, url: str) -> None:
        self.offices = offices
        self.client: FlaskClient = offices.app(queue_url=url).test_client()
        self.jobs = {}
        with redis.Redis.from_url(url) as client:
            for tenant in offices.by_tenant:
                self.jobs[tenant] = crash(client, tenant)

    def ask(self, name: str, *, by: str = "acme", **path: str) -> Any:
        operation = BY_NAME[name]
        token = self.offices.by_tenant[by].tokens["ops:admin"]
        answer = self.client.open(
            f"/api/v1{operation.path.format(**path)}",
            method=operation.method,
            headers={"Authorization": f"Bearer {token}"},
        )
        if answer.status_code == 200:
            jsonschema.validate(answer.json, operation.answer)
        return answer


def crash(client: "redis.Redis", tenant: str) -> str:
    queue = rq.Queue(dispatch.LANES, connection=client, serializer=JSONSerializer)
    job = queue.enqueue_call(dispatch.DELIVER, args=(tenant, TARGET, dispatch.LANES), failure_ttl=3_600)
    queue.remove(job)
    with client.pipeline() as pipe:
        job._handle_failure("ValueError\n  /srv/workers/x.py:7:find", pipe)
        pipe.execute()
    return str(job.id)


@pytest.fixture
def desk(sqlite_url: str, tmp_path: Path) -> Iterator[Desk]:
    server = ValkeyServer(tmp_path)
    server.start()
    offices = Offices(sqlite_url, lambda: 1_700_000_000_000)
    yield Desk(offices, server.url)
    offices.close()
    server.close()


def test_crashed_jobs_are_shown_and_put_back_by_their_own_tenant_alone(desk: Desk) -> None:
    [job] = desk.ask("queue_crashed").json["crashed"]
    assert (job["job"], job["traceback"]) == (desk.jobs["acme"], ["ValueError", "/srv/workers/x.py:7:find"])
    assert desk.ask("queue_retry", by="other", job=job["job"]).status_code == 404
    assert desk.ask("queue_retry", job=job["job"]).json == {"jobs": 1, "left_alone": 0}
    assert desk.ask("queue_retry", job=job["job"]).status_code == 404
    assert desk.ask("queue_retry_all").json == {"jobs": 0, "left_alone": 0}
    assert desk.ask("queue_retry_all", by="other").json == {"jobs": 1, "left_alone": 0}
    lanes = desk.ask("queue_rebuild").json["lanes"]
    assert {lane["tenant"] for lane in lanes} <= {"acme"}
