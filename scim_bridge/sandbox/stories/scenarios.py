"""The scenarios of `scim-bridge demo --scenario NAME`, in one table: what each shows, with what, by which script."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from scim_bridge.sandbox.stories import story
from scim_bridge.sandbox.stories.play import Play
from scim_bridge.sandbox.stories.scripts import answers, hr, leaving, outages, people, vendors
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
    Scenario(
        name="poison",
        shows="one person spoils the call of 200; the others are delivered in the same run",
        script=people.poison,
        setting=people.POISON,
    ),
    Scenario(
        name="lost-answers",
        shows="calls are applied and the answers lost; the targets are read back, and nobody is made twice",
        script=answers.lost,
        setting=answers.SETTING,
    ),
    Scenario(
        name="partial",
        shows="a 200 that does not account for all, and a 502 after half was applied; only the rest is sent again",
        script=answers.partial,
        setting=answers.SETTING,
    ),
    Scenario(
        name="read-lag",
        shows="answers are lost and listings show nobody for a while; there is no second create",
        script=answers.lagging,
        setting=answers.LAGGING,
    ),
    Scenario(
        name="rate-limit",
        shows="429 with a wait in seconds, as a date, in milliseconds, without one, zero and garbage",
        script=outages.rate_limit,
    ),
    Scenario(
        name="outage",
        shows="503 for a while: the breaker opens, one probe closes it, all is delivered",
        script=outages.outage,
    ),
    Scenario(
        name="dead-key",
        shows="401 and 403: the lanes are quarantined and go on by themselves when the credentials work again",
        script=outages.dead_key,
    ),
    Scenario(
        name="hung",
        shows="one target takes calls and never answers; the other flows",
        script=outages.hung,
        setting=outages.HUNG,
    ),
    Scenario(
        name="conflicts",
        shows="accounts that exist already: update, skip or hold; and one that exists and is not shown",
        script=people.conflicts,
        setting=people.CONFLICTS,
    ),
    Scenario(
        name="protected",
        shows="owners and administrators of the targets are never taken over or deactivated silently",
        script=people.protected,
    ),
    Scenario(
        name="seats",
        shows="thirty people for twenty seats; who finds none is told, and replayed when seats are bought",
        script=people.seats,
        setting=people.SEATS,
    ),
    Scenario(
        name="mass-leave",
        shows="two people of five leave at once: the guard holds most of them until an operator decides",
        script=leaving.mass,
        setting=leaving.MASS,
    ),
    Scenario(
        name="leavers-first",
        shows="a leaver overtakes a long line of edits",
        script=leaving.first,
        setting=leaving.FIRST,
    ),
    Scenario(
        name="vendor-contradictions",
        shows="the targets behave as one document says, and as the other says",
        script=vendors.contradictions,
        setting=vendors.SETTING,
    ),
    Scenario(
        name="hr-week",
        shows="a week of 60 people from an HR system and an identity provider, with three broken files",
        script=hr.week,
        setting=hr.SETTING,
        deadline_s=120.0,
    ),
    Scenario(
        name="hr-month",
        shows="a month of 5,000 people from an HR system and an identity provider, with three broken files",
        script=hr.whole_month,
        setting=hr.SETTING,
        deadline_s=1800.0,
    ),
)

SCENARIOS: Mapping[str, Scenario] = {each.name: each for each in _SCENARIOS}
"""By name, in the order in which they are listed."""


def listed() -> Iterator[str]:
    """Give the lines of a list of all scenarios."""
    width = max(map(len, SCENARIOS))
    for each in SCENARIOS.values():
        yield f"{each.name:<{width}}  {each.shows}"
