"""A tenant whose HR systems come and go, with the relay that applies dates of employment."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fakes.hr import DAY_MS, Company

from scim_bridge.domain.rows import Person
from scim_bridge.settings.models import TenantSettings
from scim_bridge.settings.sources import SourceSettings
from workers.relay import dates


@dataclass
class Employer:
    """A tenant whose HR systems come and go."""

    bench: Any

    def __post_init__(self) -> None:
        self.company = Company(store=self.bench.store)
        self.configure("hr", "other")

    def configure(self, *sources: str, replaces: Sequence[str] = (), **owns: Sequence[str]) -> None:
        """Have these sources and no others, from now on; each replaces those that are named so."""
        settings = [
            SourceSettings(name=each, kind="csv", owns=list(owns.get(each, ())), replaces=list(replaces))
            for each in sources
        ]
        tenant = TenantSettings(id="acme", sources=settings, targets=self.bench.settings.tenants[0].targets)
        self.bench.runtime.settings = self.bench.settings.model_copy(update={"tenants": [tenant]})
        self.company.owns = {each.name: tuple(each.owns) for each in settings}

    def tell(self, who: Person, source: str = "hr", *, is_whole: bool = True) -> str:
        """Record a row and return what became of it."""
        self.company.source = source
        return self.company.outcomes(who, is_whole=is_whole)[0]

    def wait(self, days: float) -> int:
        """Let time go by, let the relay apply what has come, and return in how many milliseconds it comes again."""
        self.bench.clock.advance(ms=round(days * DAY_MS))
        now = self.bench.clock()
        while (next_at := dates.run_once(self.bench.runtime, now)) == now:
            pass
        return next_at - now

    def in_days(self, days: float) -> int:
        return int(self.bench.clock() + days * DAY_MS)

    def is_active(self, name: str = "ann") -> bool:
        return self.company.active()[name]
