"""A month of a company through webhooks, SCIM and daily files, against the generator's model of its end."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from scim_bridge import wiring
from scim_bridge.domain.instants import to_iso
from scim_bridge.sandbox import compare
from scim_bridge.sandbox.senders.hr import HrSender
from scim_bridge.sandbox.senders.okta import OktaSender
from scim_bridge.sandbox.senders.people import Person
from scim_bridge.sandbox.sources import month
from scim_bridge.sandbox.sources.month import Delivery, Events, Fault, Month, Push, Snapshot
from scim_bridge.sandbox.stories.play import SENDER_TIMEOUT_S, Play
from scim_bridge.sandbox.stories.setting import MINDTICKLE, TRAKSTAR, Setting
from scim_bridge.sandbox.stories.stage import TENANT
from scim_bridge.sandbox.targets.holdings import HeldState
from scim_bridge.store import comparing, lanes

SEED = 7
SOURCE = "hr"

_FAST = "2000/1"
"""What the simulated targets allow: the month is about HR, and its thirty days shall not take thirty."""

_OPEN_GUARD = "guard = {max = 1000000, share = 1.0}\n"
"""A month of leavers within minutes is what the guard is there to stop; it has scenarios of its own."""

_SOURCE = f"""\
[[tenants.sources]]
name = "{SOURCE}"
kind = "generic"
secret = "file:{SOURCE}.secret"
timezone = "UTC"
owns = {list(month.OWNED)}
"""

_REHIRES = replace(
    # Who comes back must come back there as well, which Trakstar offers only where its vendor says so.
    TRAKSTAR,
    options={"unarchive": True},
    limits=_FAST,
    keys=_OPEN_GUARD + 'unarchive = "on"\n',
)

SETTING = Setting(
    targets=(_REHIRES, replace(MINDTICKLE, limits=_FAST, keys=_OPEN_GUARD)),
    sources=("okta",),
    secrets=(SOURCE,),
    more=_SOURCE,
)


@dataclass(slots=True)
class _Seen:
    """What the bridge said of all that was sent."""

    fates: Counter[str] = field(default_factory=Counter)
    refused: set[str] = field(default_factory=set)
    """Events, by their ids."""
    outcomes: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    unaccounted: list[str] = field(default_factory=list)
    spared: int = 0


def whole_month(played: Play) -> None:
    """5,000 people, 30 days."""
    _replay(played, month.generate(5_000, ended_at=wiring.now_ms(), days=30, seed=SEED))


def week(played: Play) -> None:
    """60 people, 7 days."""
    _replay(played, month.generate(60, ended_at=wiring.now_ms(), days=7, seed=SEED))


def _replay(played: Play, told: Month) -> None:
    sender = HrSender(
        origin=played.stage.origin,
        tenant=TENANT,
        source=SOURCE,
        secret=played.stage.secrets[SOURCE],
        token=played.stage.command("token", "create", "--tenant", TENANT, "--scope", "hr", "--source", SOURCE).strip(),
    )
    # Not the play's own: what this one believes of people is not what must be in the end.
    idp = OktaSender(played.stage.scim_url, played.stage.tokens["okta"], timeout_s=SENDER_TIMEOUT_S)
    seen = _Seen()
    for number, day in enumerate(told.days, 1):
        played.act = f"day {number} of {len(told.days)}: events, the identity provider's pushes, the evening's file"
        for delivery in day:
            played.go()
            _send(played, sender, idp, delivery, seen)
    played.wishes = told.desired()
    played.act = "all sent; delivering"
    played.await_done(within_s=600.0)
    _claim(played, told, seen)


def _send(played: Play, sender: HrSender, idp: OktaSender, delivery: Delivery, seen: _Seen) -> None:
    match delivery:
        case Events():
            became = sender.tell(delivery.events)
            seen.fates.update(each["outcome"] for each in became)
            refused = [each["position"] for each in became if each["outcome"] == "refused"]
            seen.refused.update(delivery.events[position - 1]["event_id"] for position in refused)
        case Push():
            played.each(lambda person: _push(idp, person), delivery.people)
        case Snapshot():
            _keep(seen, delivery, *sender.send_snapshot(delivery.content(), said_at=to_iso(delivery.taken_at)))


def _push(idp: OktaSender, person: Person) -> None:
    if idp.record.of(person.external_id) is None:
        idp.push_user(person)
    else:
        idp.update_user(person)


def _keep(seen: _Seen, snapshot: Snapshot, summary: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Note what became of a file's rows, and what of it is not as it must be."""
    seen.rows += len(rows)
    seen.outcomes.update(each["outcome"] for each in rows)
    if snapshot.fault is Fault.NONE:
        refused = {each["row"]: each["code"] for each in rows if each["outcome"] == "refused"}
        named = sum(each["code"] != "not_in_snapshot" for each in rows)
        if named != len(snapshot.rows) or refused != snapshot.bad:
            seen.unaccounted.append(f"{len(snapshot.rows)} rows were sent, {named} reported")
    elif summary["nobody_missing_because"] and "deactivated" not in summary["outcomes"]:
        seen.spared += 1


def _claim(played: Play, told: Month, seen: _Seen) -> None:
    events, again = sum(seen.fates.values()), seen.fates["duplicate"]
    played.claim(
        f"{events} events came in ({again} of them again); {len(told.unknown)} came before anybody had heard of the "
        "person; those were refused, and no others",
        holds=bool(again) and seen.refused == told.unknown,
        **seen.fates,
    )
    outcomes = ", ".join(f"{count} {name}" for name, count in sorted(seen.outcomes.items()))
    played.claim(
        f"each of the {seen.rows} rows of {told.count(Snapshot)} files is accounted for: {outcomes}",
        holds=not seen.unaccounted and seen.outcomes["waiting"] == 0,
        rows=seen.rows,
    )
    wrong = compare.differences(told.desired(), _directory(played))
    named = f"; {wrong[0].who} is not, for one" if wrong else ""
    played.claim(f"the directory itself is as the model says{named}", holds=not wrong, differences=len(wrong))
    played.claim("three broken files deactivated nobody, and said why", holds=seen.spared == 3, spared=seen.spared)


def _directory(played: Play) -> HeldState:
    with played.stage.store.begin(TENANT, write=False) as tx:
        lane = lanes.by_target(tx, TRAKSTAR.name)
    assert lane is not None  # noqa: S101 - the stage was set with it
    people = (person for person, _ in comparing.users(played.stage.store, TENANT, lane.id))
    return compare.directory_state(person.document for person in people if not person.deleted)
