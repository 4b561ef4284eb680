"""What a target supports, and how that differs from what was taken for granted or recorded last."""

import json
from dataclasses import dataclass
from typing import Any

from scim_bridge.planning import assumed, estimate
from scim_bridge.planning.estimate import PeopleACall
from scim_bridge.store import reports
from workers import visits
from workers.delivery import probing, submitting
from workers.delivery.post import Post
from workers.runtime import Runtime
from workers.visits import CannotReconcile


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a probe found."""

    reached: bool
    """The target answered, and takes the credential."""
    failure: str
    """Why not; "" when it was reached."""
    http_status: int | None
    tells: bool
    """It says of itself what it can do; else that is known by its documents, and it was asked whether it is well."""
    supports: dict[str, Any]
    found: PeopleACall
    assumed: PeopleACall
    recorded: PeopleACall | None
    """As the last probe before had it; None: there was none."""
    limits: tuple[dict[str, Any], ...]
    """As configured: no target says of itself what it allows."""

    @property
    def differences(self) -> list[dict[str, Any]]:
        """Return what the target's word makes of our record: of the last probe, else of what was taken for granted."""
        before = (self.recorded or self.assumed).to_json()
        now = self.found.to_json()
        if not self.reached:
            return []
        return [{"what": name, "was": before[name], "is": now[name]} for name in now if now[name] != before[name]]

    def to_json(self) -> dict[str, Any]:
        """Return the findings as `target probe --json` prints them."""
        return {
            "reached": self.reached,
            "failure": self.failure,
            "http_status": self.http_status,
            "tells": self.tells,
            "supports": self.supports,
            "people_a_call": self.found.to_json(),
            "assumed": self.assumed.to_json(),
            "recorded": None if self.recorded is None else self.recorded.to_json(),
            "differences": self.differences,
            "limits": list(self.limits),
        }

    def told(self) -> str:
        """Return the findings as `target probe` prints them."""
        lines = ["reached, and the credential is taken" if self.reached else f"not reached: {self.failure}"]
        if self.reached:
            source = "by its own word" if self.tells else "by its documents"
            lines.append(f"people a call, {source}: {_in_words(self.found.to_json())}")
            lines += [f"  {name}: {_in_words(value)}" for name, value in self.supports.items()]
            lines += [f"differs: {each['what']} was {each['was']}, is {each['is']}" for each in self.differences]
        lines += [
            f"limit as configured: {each['requests']} in {each['per_s']:g} s"
            + (f" ({each['class']})" if each["class"] else "")
            for each in self.limits
        ]
        return "\n".join(lines) + "\n"


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_in_words(each)}" for name, each in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)


def probe(runtime: Runtime, tenant: str, target: str, *, patience_s: float = visits.PATIENCE_S) -> Findings:
    """Ask a target what it can do and whether it takes the credential, a call each, counted as all calls are.

    Raises:
        CannotReconcile: another worker has the lane, or the quota is used up.
    """
    with visits.at(runtime, tenant, target, patience_s=patience_s) as post:
        recorded = _last_recorded(post)
        post.target.doubt()
        tells = post.target.needs_probe()
        try:
            asked = ask(post)
            if tells and asked.failure is None:
                # Some say without a credential what they can do; the next call needs one.
                asked = ask(post)
        except submitting.LeaseGone:
            raise CannotReconcile("Another worker has taken the lane meanwhile; ask again.") from None
        return _findings(post, asked, recorded=recorded, tells=tells)


def ask(post: Post) -> probing.Asked:
    """Ask a target once, as soon as there is room, and record the call.

    Raises:
        CannotReconcile: the quota is used up.
        LeaseGone: the lane belongs to a successor.
    """
    waited_s = 0.0
    while not isinstance(asked := probing.ask(post), probing.Asked):
        if asked is None:
            raise submitting.LeaseGone
        waited_s = visits.wait_for_room(post, until=asked, waited_s=waited_s)
    return asked


def _last_recorded(post: Post) -> PeopleACall | None:
    with post.store.begin(post.tenant, write=False) as tx:
        answer = reports.last_probes(tx, [post.lane_id]).get(post.lane_id)
    noted = None if answer is None else json.loads(answer)
    return estimate.read_people_a_call(noted.get("people_a_call")) if isinstance(noted, dict) else None


def _findings(post: Post, asked: probing.Asked, *, recorded: PeopleACall | None, tells: bool) -> Findings:
    abilities = post.target.abilities()
    failure = asked.failure
    return Findings(
        reached=failure is None,
        failure="" if failure is None else f"{type(failure).__name__}: {failure}"[:300],
        http_status=None if failure is None else failure.status,
        tells=tells,
        supports={
            "steps": {str(step): size for step, size in sorted(abilities.sizes.items())},
            "mixed": abilities.mixed,
            "payload_bytes": abilities.payload_limit,
            "groups": abilities.keeps_groups,
            "lists_everybody": abilities.listing is not None,
        },
        found=estimate.people_a_call(abilities),
        assumed=assumed.people_a_call(post.settings),
        recorded=recorded,
        limits=tuple(
            {"requests": limit.requests, "per_s": limit.per_s, "class": limit.class_} for limit in post.settings.limits
        ),
    )
