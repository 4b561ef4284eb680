"""All operations of the API, in the order in which its description shows them."""

from scim_bridge.web.api import lanes
from scim_bridge.web.api.operations import Operation

OPERATIONS: tuple[Operation, ...] = (*lanes.OPERATIONS,)
