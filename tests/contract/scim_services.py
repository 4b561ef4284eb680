"""A simulated SCIM service with a target that speaks to it, for tests of what the target sends."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fakes.people import call, item, person
from fakes.shipped import shipped_settings

from scim_bridge.domain.people import Person, Step
from scim_bridge.domain.replies import Answer, Verdict
from scim_bridge.planning.calls import Call
from scim_bridge.sandbox.targets.scim import ScimOptions, simulate_scim
from scim_bridge.sandbox.targets.simulator import Simulator
from scim_bridge.settings.models import GroupSettings, LimitSettings
from workers.targets.scim.client import scim_target
from workers.targets.scim.service import ScimService

GROUPS = {"*": GroupSettings(group="{displayName}")}
BARE = ScimOptions(bulk=False, patch=False, filters="none", search=False)
NARROW = [LimitSettings(requests=1, per_s=10.0)]


@contextmanager
def service(
    options: ScimOptions | None = None, *, token: str = "key", **changes: Any
) -> Iterator[tuple[Simulator[Any], ScimService]]:
    with simulate_scim(api_key="key", limits=(), options=options or ScimOptions()) as sim:
        secrets = {"token": token, "username": "bridge", "password": token}
        target = scim_target(
            shipped_settings("scim", secrets, **{**sim.urls, "groups": GROUPS, "limits": [], **changes}),
            clock=lambda: 1_770_076_800_000,
        )
        try:
            yield sim, target
        finally:
            target.close()


def submit(target: ScimService, made: Call, **group_ids: str) -> Answer:
    return target.submit(made, group_ids=group_ids, batch_number=1, deadline_s=5)


def do(target: ScimService, step: Step, who: Person, **parts: Any) -> Verdict:
    return submit(target, call(target, item(target, step, who, **parts))).replies[who.operation_id].verdict


def create(target: ScimService, *who: Person) -> Answer:
    return submit(target, call(target, *(item(target, Step.CREATE, each) for each in who)))


def new_id(target: ScimService, who: Person) -> str:
    account_id = create(target, who).replies[who.operation_id].account_id
    assert account_id is not None
    return account_id


def look_up(target: ScimService, *who: Person, **parts: Any) -> Answer:
    items = tuple(item(target, Step.LOOK_UP, each, **parts) for each in who)
    return submit(target, Call(step=Step.LOOK_UP, items=items))


def group(target: ScimService, name: str = "Sales") -> str:
    return submit(target, Call(step=Step.CREATE_GROUP, items=(), groups=(name,))).group_ids[name]


def people(count: int) -> list[Person]:
    return [person(n) for n in range(1, count + 1)]


def paths(sim: Simulator[Any]) -> list[str]:
    return [f"{each.method} {each.path.removeprefix('/scim/v2')}" for each in sim.log]


def write_beside(sim: Simulator[Any], account_id: str, **attributes: Any) -> None:
    """Let somebody else write attributes of an account that the bridge does not map."""
    held = sim.vendor.state.get("User", account_id)
    sim.vendor.state.replace(held, {**held.document, **attributes})


def document(sim: Simulator[Any], account_id: str) -> dict[str, Any]:
    return dict(sim.vendor.state.get("User", account_id).document)


def counted(sim: Simulator[Any], target: ScimService, made: Call) -> list[int]:
    """Make a call; returns how many requests had arrived each time that one more was counted."""
    sim.log.clear()
    arrived: list[int] = []
    target.submit(made, group_ids={}, batch_number=1, deadline_s=5, count=lambda: arrived.append(len(sim.log.calls())))
    return arrived
