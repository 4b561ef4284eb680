"""What is taken for granted of a target until it has said itself what it can do. Pure."""

from scim_bridge.planning.estimate import PeopleACall
from scim_bridge.settings.models import TargetSettings

ASKED = frozenset({"scim", "mindtickle"})
"""Kinds of targets whose abilities are learned from themselves."""


def people_a_call(target: TargetSettings | None) -> PeopleACall:
    """Return how many people a call to a target carries, by its kind and its switches.

    Trakstar: 200 new users a call, one look-up lists everybody (docs of API v3). MindTickle and other SCIM services:
    until the first probe has noted what they offer, MindTickle's Bulk is taken at 100, and nothing of others.
    """
    if target is None:
        return PeopleACall()
    if target.kind == "trakstar":
        archives = target.options.get("bulk_archive") in ("on", True)
        return PeopleACall(create=200, look_up=1_000_000, other=200 if archives else 1)
    mode = target.options.get("bulk_mode", "none")
    if mode == "scim":
        return PeopleACall(create=100, look_up=20, other=100, mixed=True)
    if mode == "rest":
        return PeopleACall(create=int(target.options.get("rest_bulk_users", 50)), look_up=20)
    return PeopleACall(look_up=20)
