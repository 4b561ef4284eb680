"""No message is made twice."""

import gc
import weakref
from typing import Any, Union

import pytest
from scim2_models import BulkRequest, PatchOp, ResponseParameters, SearchRequest
from scim2_server.utils import parametrize

from scim_bridge.domain.models import MODELS
from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.intake.scim.service import BridgeService
from scim_bridge.settings.models import WebSettings

BOTH = Union[tuple(MODELS.values())]  # noqa: UP007 - as the library asks for it


@pytest.mark.parametrize(
    ("message", "model"),
    [
        (SearchRequest, MODELS[USER]),
        (SearchRequest, MODELS[GROUP]),
        (SearchRequest, BOTH),
        (PatchOp, MODELS[USER]),
        (ResponseParameters, MODELS[GROUP]),
        (BulkRequest, BOTH),
    ],
)
def test_a_message_outlives_a_garbage_collection(message: Any, model: Any) -> None:
    service = BridgeService(WebSettings(), secret=b"s" * 32)
    made = weakref.ref(parametrize(message, model))
    # What was there before the first test is spared otherwise, and this may have been.
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    assert made() is not None
    assert service.get_models() == [MODELS[USER], MODELS[GROUP]]
