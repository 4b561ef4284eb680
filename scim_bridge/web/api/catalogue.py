"""All operations of the API, in the order in which its description shows them."""

from scim_bridge.web.api import drift, failed, holds, hr, lanes, people, queue, records, replays, runbooks, tokens
from scim_bridge.web.api.operations import Operation

OPERATIONS: tuple[Operation, ...] = (
    *lanes.OPERATIONS,
    *people.OPERATIONS,
    *failed.OPERATIONS,
    *replays.OPERATIONS,
    *holds.OPERATIONS,
    *drift.OPERATIONS,
    *hr.OPERATIONS,
    *tokens.OPERATIONS,
    *queue.OPERATIONS,
    *records.OPERATIONS,
    *runbooks.OPERATIONS,
)
