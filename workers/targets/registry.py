"""Which code speaks to which kind of target. A new kind: a folder here, a file in config/targets, a line below."""

from collections.abc import Callable

from scim_bridge.domain.instants import Clock
from scim_bridge.settings.models import TargetSettings
from workers.targets.mindtickle.client import MindTickleTarget
from workers.targets.port import Target
from workers.targets.scim.client import scim_target
from workers.targets.trakstar.client import TrakstarTarget

KINDS: dict[str, Callable[..., Target]] = {
    "mindtickle": MindTickleTarget,
    "scim": scim_target,
    "trakstar": TrakstarTarget,
}
"""Every kind of target, by the word that stands for it in configuration."""


def build(settings: TargetSettings, *, clock: Clock) -> Target:
    """Return the target that settings describe. Calls nobody.

    Raises:
        ValueError: the kind is unknown, or its options are wrong; all of them are named.
        ExpressionRefused: when an expression of [mapping] cannot be read.
    """
    make = KINDS.get(settings.kind)
    if make is None:
        raise ValueError(f"target {settings.name}: there is no kind {settings.kind!r}; known are {', '.join(KINDS)}")
    return make(settings, clock=clock)
