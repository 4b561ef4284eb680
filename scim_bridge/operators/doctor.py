"""Examines one installation from where it is called: what is good, what will be trouble, what is wrong, what to do.

It changes nothing, and tells no secret: of addresses only where they lead, of files only their paths.
"""

import http.client
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from scim_bridge.domain.instants import Clock
from scim_bridge.operators import alive, places
from scim_bridge.operators import status as lanes_status
from scim_bridge.operators.findings import Finding, Grade, good, warning, wrong
from scim_bridge.settings import files
from scim_bridge.settings.addresses import EMBEDDED
from scim_bridge.settings.loading import Role, load
from scim_bridge.settings.models import Settings
from scim_bridge.settings.problems import SettingsRefused
from scim_bridge.store import readiness, soundness, tokens
from scim_bridge.store.engine import Store, StoreUnavailable

OFF_BY_MS, FAR_OFF_MS = 1_000, 30_000
"""So far this machine's clock may be from the database's; leases and quotas go by the database's, signatures do not."""

DOOR_S = 3.0
"""So long the front door may take to say that it is ready."""

TOLD_AT_ONCE = 5
"""Of many tokens or lanes so many are named."""


def examine(
    named: str | None,
    *,
    role: Role | None,
    environ: Mapping[str, str],
    clock: Clock,
    queue_url_of: Callable[[Settings], str],
) -> dict[str, Any]:
    """Return all findings and the worst grade, in the form of `doctor --json`.

    With `role` only the secrets of such a process are looked for, and a missing one is wrong; without it a warning, for
    this shell need not have what the processes are given.
    """
    found = list(_all(named, role=role, environ=environ, clock=clock, queue_url_of=queue_url_of))
    worst = max((each.grade for each in found), key=list(Grade).index)
    return {"grade": worst.value, "checks": [asdict(each) for each in found]}


def _all(
    named: str | None,
    *,
    role: Role | None,
    environ: Mapping[str, str],
    clock: Clock,
    queue_url_of: Callable[[Settings], str],
) -> Iterator[Finding]:
    try:
        settings = load(named, environ=environ)
    except SettingsRefused as refused:
        for problem in refused.problems:
            yield wrong("configuration", str(problem), "Correct it; config/README.md tells every setting.")
        return
    yield good("configuration", f"{files.find(named, environ).file}: {len(settings.tenants)} tenants")
    yield from _secrets(named, role=role, environ=environ)
    yield from places.examine(settings)
    yield from _store(settings, clock=clock)
    yield from _processes(settings, queue_url_of(settings), clock=clock)
    yield _front_door(settings.web.bind)


def _secrets(named: str | None, *, role: Role | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    for each in (role,) if role is not None else (Role.WEB, Role.WORKER, Role.RELAY):
        check = f"secrets of {each.value}"
        try:
            load(named, role=each, environ=environ)
        except SettingsRefused as refused:
            for problem in refused.problems:
                if role is not None:
                    yield wrong(check, str(problem), f"Such a process does not start. Give it the secret of {check}.")
                else:
                    yield warning(check, str(problem), "Not here in this shell; see that the process itself has it.")
        else:
            yield good(check, "all are here")


def _store(settings: Settings, *, clock: Clock) -> Iterator[Finding]:
    url = settings.store.url
    missing = readiness.missing_file(url)
    if missing is not None:
        yield wrong("store", f"there is no database file {missing}", "Run scim-bridge migrate, or scim-bridge up.")
        return
    store = Store.open(url, clock=clock, pool_size=1)
    try:
        yield from _database(store, url)
        yield from _clock(store)
        yield from _lanes(store, settings)
        yield from _tokens(store, settings)
    except StoreUnavailable as error:
        yield wrong("store", f"{soundness.place_of(url)}: {error}", "See that it runs, and that store.url leads to it.")
    finally:
        store.close()


def _database(store: Store, url: str) -> Iterator[Finding]:
    schema = soundness.schema_of(store)
    if schema.is_newer:
        yield wrong("store", "the database belongs to a later version", "Install that version here, too.")
    elif not schema.is_current:
        yield wrong("store", "the database is not migrated to this version", "Run scim-bridge migrate.")
    else:
        yield good("store", f"{soundness.place_of(url)}, migrated to this version")
    with store.across_tenants("examine the database") as tx:
        if tx.dialect == "sqlite":
            mode = soundness.journal_mode(tx)
            if mode == soundness.WAL:
                yield good("journal", "SQLite writes ahead (WAL)")
            else:
                yield wrong("journal", f"SQLite's journal mode is {mode}", "Run scim-bridge migrate: it must be wal.")
            return
        openings = soundness.openings(tx)
    for opening in openings:
        yield wrong(
            "tenants apart", opening, "Let store.url's role be as the README says, then run scim-bridge migrate."
        )
    if not openings:
        yield good("tenants apart", "row-level security is in force on every table with a tenant")


def _clock(store: Store) -> Iterator[Finding]:
    with store.across_tenants("compare the clocks") as tx:
        before, there, after = store.clock(), tx.lease_clock(), store.clock()
    # Somewhere between the two looks at our clock it was as late as there.
    off_ms = max(before - there, there - after, 0)
    told = f"this machine's clock is {off_ms / 1000:.1f} s off the database's"
    advice = "Set both by NTP. Leases and limits go by the database's, signatures and dates by this machine's."
    if off_ms >= FAR_OFF_MS:
        yield wrong("clock", told, advice)
    elif off_ms >= OFF_BY_MS:
        yield warning("clock", told, advice)
    else:
        yield good("clock", "agrees with the database's")


def _lanes(store: Store, settings: Settings) -> Iterator[Finding]:
    lanes = lanes_status.report(store, settings)["lanes"]
    for lane in lanes:
        name = f"lane {lane['tenant']}/{lane['target']}"
        where = f"--tenant {lane['tenant']} --target {lane['target']}"
        why = f": {lane['why']}" if lane["why"] else ""
        if lane["state"] == "quarantined":
            advice = "Mend the credential (scim-bridge runbook credential_refused); it is tried again by itself."
            yield wrong(name, f"quarantined{why}", advice)
        elif lane["state"] == "paused":
            yield warning(name, f"paused{why}", f"Nothing is lost. scim-bridge lane resume {where} lets it go on.")
        elif lane["state"] in {"breaker", "unreachable"}:
            yield warning(name, f"its calls fail{why}", "It goes on by itself; see scim-bridge runbook notice-breaker.")
    there = {(lane["tenant"], lane["target"]) for lane in lanes}
    for tenant in settings.tenants:
        for target in tenant.targets:
            if (tenant.id, target.name) not in there:
                yield wrong(f"lane {tenant.id}/{target.name}", "not made yet", "Run scim-bridge migrate.")
    if all(lane["state"] in {"idle", "working", "quota"} for lane in lanes):
        yield good("lanes", f"{len(lanes)}, none of which stands still")


def _tokens(store: Store, settings: Settings) -> Iterator[Finding]:
    with store.across_tenants("see which tokens expire") as tx:
        rows, ending, now = tokens.listed(tx), tokens.ending(tx), tx.now
    soon = [each for each in ending if each.ends_at - now < tokens.SOON_MS]
    for each in soon[:TOLD_AT_ONCE]:
        days = max(1, -((now - each.ends_at) // 86_400_000))
        yield warning(
            "tokens",
            f"{each.token_id} of {each.tenant} expires within {days} days",
            f"scim-bridge token rotate --tenant {each.tenant} {each.token_id}, and give the new one to whoever sends.",
        )
    if len(soon) > TOLD_AT_ONCE:
        yield warning("tokens", f"{len(soon) - TOLD_AT_ONCE} more expire soon", "See scim-bridge token list.")
    knocking = {row.tenant for row in rows if row.state_at(now) not in {"revoked", "expired"}}
    silent = sorted(tenant.id for tenant in settings.tenants if tenant.id not in knocking)
    for tenant in silent[:TOLD_AT_ONCE]:
        advice = f"scim-bridge token create --tenant {tenant} --scope scim, if somebody is to send by SCIM."
        yield warning("tokens", f"{tenant} has no good token: nobody can send for it", advice)
    if not soon and not silent:
        yield good("tokens", f"{len(ending)} expire, none within 30 days")


def _processes(settings: Settings, queue_url: str, *, clock: Clock) -> Iterator[Finding]:
    told = alive.report(queue_url, now=clock())
    kind = "the embedded Valkey" if settings.queue.url == EMBEDDED else "the queue of queue.url"
    if told["queue"] != "answers":
        advice = "It runs while scim-bridge up does." if settings.queue.url == EMBEDDED else "See that it runs."
        yield wrong("queue", f"{kind} does not answer", f"{advice} Nothing is lost; without it changes wait longer.")
        return
    yield good("queue", f"{kind} answers")
    silent = alive.warnings(told)
    for sentence in silent:
        yield wrong("processes", sentence, "Start it, or scim-bridge up, and look at its log.")
    if not silent:
        yield good("processes", "worker and relay have been heard of")


def _front_door(bind: str) -> Finding:
    host, _, port = bind.rpartition(":")
    here = {"0.0.0.0": "127.0.0.1", "[::]": "::1", "": "127.0.0.1"}.get(host, host.strip("[]"))  # noqa: S104 - none is bound
    connection = http.client.HTTPConnection(here, int(port), timeout=DOOR_S)
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        advice = "It runs while scim-bridge up or scim-bridge web does; up --port is not known here."
        return warning("front door", f"nothing answers at {bind} (web.bind)", advice)
    finally:
        connection.close()
    if status != 200:
        return wrong("front door", f"{bind} answers /readyz with {status}", "It accepts nothing: see what store says.")
    return good("front door", f"{bind} is ready")
