"""A simulator of any SCIM 2.0 service, with or without Bulk, PATCH, filters and groups."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from scim_bridge.sandbox.targets.clocks import Clocks, system_clocks
from scim_bridge.sandbox.targets.limits import Window
from scim_bridge.sandbox.targets.scim.app import ScimVendor
from scim_bridge.sandbox.targets.scim.options import CAREFUL_LIMITS, ScimOptions
from scim_bridge.sandbox.targets.seeds import Refusals
from scim_bridge.sandbox.targets.simulator import Simulator

__all__ = ["CAREFUL_LIMITS", "ScimOptions", "ScimVendor", "simulate_scim"]


def simulate_scim(
    *,
    api_key: str,
    options: ScimOptions | None = None,
    refuse: Mapping[str, str] | None = None,
    limits: Sequence[Window] = CAREFUL_LIMITS,
    clocks: Clocks | None = None,
    **server: Any,
) -> Simulator[ScimVendor]:
    """Return a simulator of a SCIM service that is not yet started; use it as a context manager.

    `api_key` is the bearer token, or NAME:PASSWORD for HTTP Basic. `refuse` names users by email or userName, with the
    text of the refusal. `server` goes to `Simulator`.
    """
    clocks = clocks or system_clocks()
    vendor = ScimVendor(
        api_key=api_key,
        clock=clocks.epoch_ms,
        # Only the order of bulk answers comes from it.
        randomness=random.Random(0),  # noqa: S311
        options=options,
        refusals=Refusals(refuse),
    )
    return Simulator(vendor, limits=limits, clocks=clocks, **server)
