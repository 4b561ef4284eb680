"""A simulator of Trakstar Learn v3: a real HTTP server with state, limits and scripted faults."""

from collections.abc import Mapping, Sequence
from typing import Any

from scim_bridge.sandbox.targets.clocks import Clocks, system_clocks
from scim_bridge.sandbox.targets.limits import Window
from scim_bridge.sandbox.targets.seeds import Refusals
from scim_bridge.sandbox.targets.simulator import Simulator
from scim_bridge.sandbox.targets.trakstar.app import TrakstarVendor
from scim_bridge.sandbox.targets.trakstar.options import DOCUMENTED_LIMITS, TrakstarOptions

__all__ = ["DOCUMENTED_LIMITS", "TrakstarOptions", "TrakstarVendor", "simulate_trakstar"]


def simulate_trakstar(
    *,
    api_key: str,
    options: TrakstarOptions | None = None,
    refuse: Mapping[str, str] | None = None,
    limits: Sequence[Window] = DOCUMENTED_LIMITS,
    clocks: Clocks | None = None,
    **server: Any,
) -> Simulator[TrakstarVendor]:
    """Return a simulator of Trakstar Learn that is not yet started; use it as a context manager.

    `refuse` names users by email or username, with the text of the refusal. `server` goes to `Simulator`.
    """
    clocks = clocks or system_clocks()
    vendor = TrakstarVendor(api_key=api_key, clock=clocks.epoch_ms, options=options, refusals=Refusals(refuse))
    return Simulator(vendor, limits=limits, clocks=clocks, **server)
