"""Who speaks of a tenant's people, where several sources do, or where one that did is not configured any more."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from scim_bridge.recording.merging import Owns
from scim_bridge.settings.models import TenantSettings
from scim_bridge.store import contributions
from scim_bridge.store.contributions import Contribution
from scim_bridge.store.engine import Store

_UNKNOWN = ""
"""Stands for the source of what the directory was told so long ago that the books do not say by whom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voices:
    """The sources of one tenant: what each of them owns (all are named), and which of them speak SCIM."""

    owns: Owns
    scim: frozenset[str]
    replaces: Mapping[str, Collection[str]] = field(default_factory=dict)
    """For which sources, not configured any more, one speaks on; a source that is not named, for none."""

    def own_of(self, source: str, said: Mapping[str, Contribution]) -> Contribution | None:
        """Return what a SCIM source said of a person, of all that was said; None: nothing yet.

        Until it has said something itself, the last word of those that it replaces is its own.
        """
        if source in said:
            return said[source]
        return max(self.replaced_by(source, said.values()), key=lambda each: each.said_at, default=None)

    def replaced_by(self, source: str, said: Iterable[Contribution]) -> list[Contribution]:
        """Return what was said by sources for which one speaks on."""
        replaced = {_UNKNOWN, *self.replaces.get(source, ())} - self.owns.keys()
        return [each for each in said if each.source in replaced]


def voices_among(tenants: Iterable[TenantSettings], store: Store) -> dict[str, Voices]:
    """Return the voices of tenants by name; of those in which one source alone has a say, nothing.

    What a source that was taken out of the configuration holds back, no other lifts by the way: it is asked for then.
    """
    return {each.id: _voices_of(each) for each in tenants if len(each.sources) > 1 or _is_held_back(store, each)}


def _is_held_back(store: Store, tenant: TenantSettings) -> bool:
    with store.begin(tenant.id, write=False) as tx:
        return contributions.hold_anybody(tx, but_for=[source.name for source in tenant.sources])


def _voices_of(tenant: TenantSettings) -> Voices:
    return Voices(
        owns={source.name: tuple(source.owns) for source in tenant.sources},
        scim=frozenset(source.name for source in tenant.sources if source.kind == "scim"),
        replaces={source.name: tuple(source.replaces) for source in tenant.sources},
    )
