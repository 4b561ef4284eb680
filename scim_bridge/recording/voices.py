"""Who speaks of a tenant's people, where several sources do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scim_bridge.recording.merging import Owns
from scim_bridge.settings.models import TenantSettings
from scim_bridge.store.contributions import Contribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Voices:
    """The sources of one tenant: what each of them owns (all are named), and which of them speak SCIM."""

    owns: Owns
    scim: frozenset[str]

    def own_of(self, source: str, said: Mapping[str, Contribution]) -> Contribution | None:
        """Return what a SCIM source said of a person, of all that was said; None: nothing yet.

        A source that was renamed in the settings, or replaced, speaks on where the old one stopped: until it has said
        something itself, the last word of those that the settings no longer name is its own.
        """
        if source in said:
            return said[source]
        return max(self.former(said.values()), key=lambda each: each.said_at, default=None)

    def former(self, said: Iterable[Contribution]) -> list[Contribution]:
        """Return what was said by sources that the settings no longer name."""
        return [each for each in said if each.source not in self.owns]


def voices_of(settings: TenantSettings | None) -> Voices | None:
    """Return the voices of a tenant; None where a single source speaks, and what it says is all there is to know."""
    if settings is None or len(settings.sources) < 2:
        return None
    return Voices(
        owns={source.name: tuple(source.owns) for source in settings.sources},
        scim=frozenset(source.name for source in settings.sources if source.kind == "scim"),
    )
