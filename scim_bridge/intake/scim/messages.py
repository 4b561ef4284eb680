"""Holds on to the messages that the library makes for our resource types.

pydantic itself only holds them weakly: without anybody else the first request of each kind after a garbage collection
would make its message anew, which takes 20 ms, a hundred times as long as to read it.
"""

from collections.abc import Sequence
from typing import Any, Union

from scim2_models import BulkRequest, BulkResponse, PatchOp, Resource, ResponseParameters, SearchRequest
from scim2_server.utils import parametrize


def made_for(models: Sequence[type[Resource[Any]]]) -> list[type[Any]]:
    """Return the messages of requests for one of the models, and for all of them at once, in their order."""
    # As the library writes it: the same types joined by | are another key to pydantic.
    together: Any = Union[tuple(models)]  # noqa: UP007
    of_each = [
        parametrize(message, model) for message in (ResponseParameters, SearchRequest, PatchOp) for model in models
    ]
    return [*of_each, *(parametrize(message, together) for message in (SearchRequest, BulkRequest, BulkResponse))]
