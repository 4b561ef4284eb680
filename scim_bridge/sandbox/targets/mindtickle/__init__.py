"""A simulator of MindTickle: SCIM 2.0 and a small REST API, with state, limits and scripted faults."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from scim_bridge.sandbox.targets.clocks import Clocks, system_clocks
from scim_bridge.sandbox.targets.limits import Window
from scim_bridge.sandbox.targets.mindtickle.app import MindTickleVendor
from scim_bridge.sandbox.targets.mindtickle.options import DOCUMENTED_LIMITS, USER_WRITE, MindTickleOptions
from scim_bridge.sandbox.targets.seeds import Refusals
from scim_bridge.sandbox.targets.simulator import Simulator

__all__ = ["DOCUMENTED_LIMITS", "USER_WRITE", "MindTickleOptions", "MindTickleVendor", "simulate_mindtickle"]


def simulate_mindtickle(
    *,
    api_key: str,
    scim_token: str | None = None,
    company_id: str = "acme",
    options: MindTickleOptions | None = None,
    refuse: Mapping[str, str] | None = None,
    limits: Sequence[Window] = DOCUMENTED_LIMITS,
    clocks: Clocks | None = None,
    **server: Any,
) -> Simulator[MindTickleVendor]:
    """Return a simulator of MindTickle that is not yet started; use it as a context manager.

    `scim_token` defaults to the API key. `refuse` names users by email or userName, with the text of the refusal.
    `server` goes to `Simulator`.
    """
    clocks = clocks or system_clocks()
    vendor = MindTickleVendor(
        api_key=api_key,
        scim_token=scim_token if scim_token is not None else api_key,
        company_id=company_id,
        clock=clocks.epoch_ms,
        # Only the order of bulk answers comes from it.
        randomness=random.Random(0),  # noqa: S311
        options=options,
        refusals=Refusals(refuse),
    )
    return Simulator(vendor, limits=limits, clocks=clocks, **server)
