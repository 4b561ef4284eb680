"""How fast the processor is just now: what the library's models take for a page, next to what the server took for it.

A machine that is shared has hours in which everything takes twice as long. The two are measured within seconds.
"""

import time

from scim2_models import Context, ListResponse
from scim2_server.utils import parametrize

from scim_bridge.domain.models import SHOWN_MODELS
from scim_bridge.domain.resources import USER
from scim_bridge.sandbox.benches.connection import Answer

TIMES = 5

_PAGE = parametrize(ListResponse, SHOWN_MODELS[USER])


def library_ms(answer: Answer) -> float:
    """Return the processor time that it takes to make models of a page of users, and JSON of them: the least of some.

    So the library answers by itself, the database and everything around it left aside.
    """
    payload = answer.document()
    took: list[float] = []
    for _ in range(TIMES):
        began = time.thread_time()
        page = _PAGE.model_validate(payload, scim_ctx=Context.SEARCH_RESPONSE)
        page.model_dump(scim_ctx=Context.SEARCH_RESPONSE)
        took.append((time.thread_time() - began) * 1000)
    return min(took)
