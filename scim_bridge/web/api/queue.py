"""The queue: jobs of ours that crashed, putting them back, and waking all lanes when it was lost."""

from typing import Any

from scim_bridge.operators import crashed
from scim_bridge.web.api import shapes
from scim_bridge.web.api.operations import Asked, Desk, Operation, Parameter, Role

_JOB = Parameter(name="job", tells="The job's id.")


def _crashed(desk: Desk, asked: Asked) -> dict[str, Any]:
    return crashed.crashed(desk.queue_url, tenant=asked.tenant)


def _retry(desk: Desk, asked: Asked) -> dict[str, Any]:
    return crashed.put_back(desk.store, desk.queue_url, who=asked.who, tenant=asked.tenant, job=asked.path.get("job"))


def _rebuild(desk: Desk, asked: Asked) -> dict[str, Any]:
    return crashed.rebuild(desk.store, desk.dispatcher, desk.queue_url, who=asked.who, tenant=asked.tenant)


_PUT_BACK = shapes.record(jobs=shapes.COUNT, left_alone=shapes.COUNT)

OPERATIONS = (
    Operation(
        method="GET",
        path="/queue/crashed",
        name="queue_crashed",
        role=Role.ADMIN,
        tells="Jobs that crashed by the bridge's own fault: when, what it was about, and where it broke off.",
        handler=_crashed,
        command="queue crashed",
        answer=shapes.record(
            crashed=shapes.list_of(
                shapes.record(
                    job=shapes.TEXT,
                    at=shapes.INSTANT_OR_NONE,
                    queue=shapes.TEXT,
                    function=shapes.TEXT,
                    tenant=shapes.TEXT_OR_NONE,
                    arguments={"type": "array"},
                    is_ours=shapes.TRUTH,
                    traceback=shapes.TEXTS,
                )
            )
        ),
    ),
    Operation(
        method="POST",
        path="/queue/crashed/retry",
        name="queue_retry_all",
        role=Role.ADMIN,
        tells="Have all crashed jobs run again.",
        handler=_retry,
        command="queue retry",
        answer=_PUT_BACK,
    ),
    Operation(
        method="POST",
        path="/queue/crashed/{job}/retry",
        name="queue_retry",
        role=Role.ADMIN,
        tells="Have a crashed job run again.",
        handler=_retry,
        command="queue retry",
        parameters=(_JOB,),
        answer=_PUT_BACK,
    ),
    Operation(
        method="POST",
        path="/queue/rebuild",
        name="queue_rebuild",
        role=Role.ADMIN,
        tells="Wake every lane that has work now, after the queue was lost or emptied.",
        handler=_rebuild,
        command="queue rebuild",
        answer=shapes.record(
            lanes=shapes.list_of(shapes.record(tenant=shapes.TEXT, target=shapes.TEXT, urgent=shapes.TRUTH))
        ),
    ),
)
