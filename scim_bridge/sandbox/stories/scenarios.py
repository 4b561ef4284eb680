"""The scenarios of `scim-bridge demo --scenario NAME`, in one table: what each shows, with what, by which script."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from scim_bridge.sandbox.stories import story
from scim_bridge.sandbox.stories.play import Play
from scim_bridge.sandbox.stories.setting import Setting

DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One thing that goes wrong in the world of provisioning, played against the whole product.

    Whatever the script does, in the end nothing is open, every simulated target equals the directory save the people
    whom the script named, and the ledger verifies; what the script claims besides must hold too.
    """

    name: str
    shows: str
    """One line, as a list of scenarios has it."""
    script: Callable[[Play], None]
    setting: Setting = field(default_factory=Setting)
    deadline_s: float = 60.0
    """It is judged after this time at the latest, done or not; the start of all processes comes before it."""


_SCENARIOS = (
    Scenario(
        name=DEFAULT,
        shows="the first load and the daily life of 520 people from two identity providers",
        script=story.play,
        setting=story.SETTING,
        deadline_s=85.0,
    ),
)

SCENARIOS: Mapping[str, Scenario] = {each.name: each for each in _SCENARIOS}
"""By name, in the order in which they are listed."""


def listed() -> Iterator[str]:
    """Give the lines of a list of all scenarios."""
    width = max(map(len, SCENARIOS))
    for each in SCENARIOS.values():
        yield f"{each.name:<{width}}  {each.shows}"
