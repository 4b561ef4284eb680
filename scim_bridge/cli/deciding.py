"""Commands by which an operator decides: about the people whom the guard holds, and whether a lane works."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click

from scim_bridge import wiring
from scim_bridge.cli import rows, spans
from scim_bridge.cli.options import config_option, json_option, opened, print_json, tenant_option
from scim_bridge.dispatch import Dispatcher
from scim_bridge.errors import BridgeError, UsageError
from scim_bridge.operators import existing, holds, pausing, replay
from scim_bridge.settings.models import Settings
from scim_bridge.store.engine import Store

F = TypeVar("F", bound=Callable[..., Any])

LONGEST_REASON = 500

_RELEASED = {
    holds.Kind.DEACTIVATION: "released",
    holds.Kind.TAKEOVER: "released: the account becomes theirs, and the directory's values overwrite what it holds",
}
_REJECTED = {
    holds.Kind.DEACTIVATION: "rejected",
    holds.Kind.TAKEOVER: "rejected: the account stays as it is, whatever the directory says",
}

_HELD = {name: name for name in ("hold", "kind", "tenant", "target", "user", "status", "since")}
_LANE = {name: name for name in ("tenant", "target", "state", "pending", "since", "by", "next_try_at")}


def _reason(text: str) -> str:
    told = text.strip()
    if not told or len(told) > LONGEST_REASON or not told.isprintable():
        raise UsageError(f"say why with --reason: one line of text, {LONGEST_REASON} characters at the most")
    return told


def chosen_by_options(command: F) -> F:
    """Add the options that choose among the held: a target's, one person, or everybody."""
    for option in reversed(
        (
            tenant_option,
            click.option("--target", metavar="X", help="Only this target's."),
            click.option("--user", metavar="WHO", help="Only this person's; WHO as in user show."),
            click.option("--all", "everybody", is_flag=True, help="Everybody whom the guard holds there."),
        )
    ):
        command = option(command)
    return command


def _kind_option(default: holds.Kind | None) -> Callable[[F], F]:
    """Return --kind: which of the two that hold people is meant."""
    return click.option(
        "--kind",
        type=click.Choice([kind.value for kind in holds.Kind]),
        default=None if default is None else default.value,
        show_default=True,
        help="Held from leaving, or from having an account that was there before us.",
    )


def reason_option(command: F) -> F:
    """Add --reason, which must be given."""
    return click.option("--reason", metavar="TEXT", required=True, help="Why; kept in the audit.")(command)


def _target_option(command: F) -> F:
    return click.option("--target", metavar="X", required=True, help="The target's name in the configuration.")(command)


@contextlib.contextmanager
def _desk(config: str | None, *, tenant: str, target: str | None) -> Iterator[tuple[Store, Dispatcher]]:
    with opened(config) as (settings, store):
        existing.check(store, settings, tenant=tenant, target=target)
        with _dispatcher(settings) as dispatcher:
            yield store, dispatcher


@contextlib.contextmanager
def _dispatcher(settings: Settings) -> Iterator[Dispatcher]:
    dispatcher = wiring.open_dispatcher(settings)
    try:
        yield dispatcher
    finally:
        dispatcher.close()


def _check_choice(user: str | None, *, everybody: bool) -> None:
    if (user is None) != everybody:
        raise UsageError("say whom you mean: --user WHO for one person, or else --all")


@click.group()
def hold() -> None:
    """Decide about people who are held: from leaving, or from having an account that was there."""


@hold.command("list")
@config_option
@click.option("--tenant", metavar="T", help="Only this customer's.")
@click.option("--target", metavar="X", help="Only this target's.")
@click.option("--user", metavar="WHO", help="Only this person's; WHO as in user show.")
@_kind_option(None)
@click.option("--rejected", is_flag=True, help="Those whose account was left as it is by hold reject instead.")
@json_option
def list_holds(
    config: str | None,
    tenant: str | None,
    target: str | None,
    user: str | None,
    kind: str | None,
    *,
    rejected: bool,
    as_json: bool,
) -> None:
    """Show who waits for a decision."""
    with opened(config) as (settings, store):
        existing.check(store, settings, tenant=tenant, target=target)
        chosen = None if kind is None else holds.Kind(kind)
        found = holds.list_held(store, tenant=tenant, target=target, user=user, kind=chosen, rejected=rejected)
    if as_json:
        print_json({"holds": found})
        return
    if found:
        rows.print_rows(_HELD, found, below={"why": "reason"})
    advice = "; decide with hold release or hold reject" if found and not rejected else ""
    if any(row["kind"] == holds.Kind.TAKEOVER.value for row in found):
        advice += " (of a takeover, with --kind takeover)"
    click.echo(f"{len(found)} {'rejected' if rejected else 'held'}{advice}")


@hold.command()
@config_option
@chosen_by_options
@_kind_option(holds.Kind.DEACTIVATION)
@click.option("--rejected", is_flag=True, help="Those about whom hold reject has said no, after all.")
@reason_option
@json_option
def release(
    config: str | None,
    tenant: str,
    target: str | None,
    user: str | None,
    kind: str,
    reason: str,
    *,
    everybody: bool,
    rejected: bool,
    as_json: bool,
) -> None:
    """Let held deactivations be sent; or, with --kind takeover, let people have the accounts that were there.

    Such an account becomes the person's: the directory's values overwrite what it holds, also an owner's or
    administrator's, and it is deactivated when the person leaves.
    """
    _check_choice(user, everybody=everybody)
    why = _reason(reason)
    with _desk(config, tenant=tenant, target=target) as (store, dispatcher):
        told = holds.release(
            store,
            dispatcher,
            tenant=tenant,
            target=target,
            user=user,
            kind=holds.Kind(kind),
            rejected=rejected,
            who=replay.operator_name(),
            reason=why,
        )
        others = _held_otherwise(store, tenant=tenant, target=target, user=user, kind=kind)
    _tell(told, _RELEASED[holds.Kind(kind)], user=user, others=others, as_json=as_json)


@hold.command()
@config_option
@chosen_by_options
@_kind_option(holds.Kind.DEACTIVATION)
@reason_option
@json_option
def reject(
    config: str | None,
    tenant: str,
    target: str | None,
    user: str | None,
    kind: str,
    reason: str,
    *,
    everybody: bool,
    as_json: bool,
) -> None:
    """Keep accounts active until the directory says so again; with --kind takeover, leave them as they are for good."""
    _check_choice(user, everybody=everybody)
    why = _reason(reason)
    with _desk(config, tenant=tenant, target=target) as (store, dispatcher):
        told = holds.reject(
            store,
            dispatcher,
            tenant=tenant,
            target=target,
            user=user,
            kind=holds.Kind(kind),
            who=replay.operator_name(),
            reason=why,
        )
        others = _held_otherwise(store, tenant=tenant, target=target, user=user, kind=kind)
    _tell(told, _REJECTED[holds.Kind(kind)], user=user, others=others, as_json=as_json)


@hold.command()
@config_option
@tenant_option
@_target_option
@click.option(
    "--count", metavar="N", required=True, type=click.IntRange(1, 1_000_000), help="So many people more, once."
)
@click.option("--for", "span", metavar="TIME", required=True, help="For so long from now: 12h, 1d.")
@click.option("--now", "at_once", is_flag=True, help="Release who is held already, as far as the number goes.")
@reason_option
@json_option
def allow(
    config: str | None,
    tenant: str,
    target: str,
    count: int,
    span: str,
    reason: str,
    *,
    at_once: bool,
    as_json: bool,
) -> None:
    """Raise the threshold once, for a day on which many people leave as planned."""
    for_ms, why = spans.parse_span(span), _reason(reason)
    with _desk(config, tenant=tenant, target=target) as (store, dispatcher):
        asked: dict[str, Any] = {"tenant": tenant, "target": target, "count": count, "for_ms": for_ms, "reason": why}
        asked["who"] = replay.operator_name()
        told = holds.allow_now(store, dispatcher, **asked) if at_once else holds.allow(store, **asked)
    if as_json:
        print_json(told)
        return
    if told["released"]:
        click.echo(f"{_people(told['released'])} released, which counts")
    more = count - told["released"]
    click.echo(f"{more} more may be deactivated in {tenant}/{target} until {told['until']}")
    if told["still_held"]:
        stay = "is held already, and stays" if told["still_held"] == 1 else "are held already, and stay"
        command = f"scim-bridge hold release --tenant {tenant} --target {target} --all --reason TEXT"
        click.echo(f"{_people(told['still_held'])} {stay} so: {command} lets them go")


@click.group()
def lane() -> None:
    """Stop a lane, or let it go on."""


@lane.command()
@config_option
@tenant_option
@_target_option
@reason_option
@json_option
def pause(config: str | None, tenant: str, target: str, reason: str, *, as_json: bool) -> None:
    """Stop a lane before its next call. Nothing is lost: everything owed waits."""
    why = _reason(reason)
    with opened(config) as (settings, store):
        existing.check(store, settings, tenant=tenant, target=target)
        told = pausing.pause(store, tenant=tenant, target=target, who=replay.operator_name(), reason=why)
    if as_json:
        print_json(told)
    else:
        click.echo(f"{tenant}/{target} is paused; calls that are out are settled, nothing more is sent")


@lane.command()
@config_option
@tenant_option
@_target_option
@click.option("--reason", metavar="TEXT", help="Why; kept in the audit.")
@json_option
def resume(config: str | None, tenant: str, target: str, reason: str | None, *, as_json: bool) -> None:
    """Let a lane go on; the credential of a quarantined one is tried again at once."""
    why = "" if reason is None else _reason(reason)
    with _desk(config, tenant=tenant, target=target) as (store, dispatcher):
        told = pausing.resume(store, dispatcher, tenant=tenant, target=target, who=replay.operator_name(), reason=why)
    if as_json:
        print_json(told)
    else:
        click.echo(f"{tenant}/{target}: {_resumed(told)}")


def _resumed(told: dict[str, Any]) -> str:
    """Return what happens next; that the target answers is not known before it is asked."""
    if told["is_quarantined"]:
        return "its credential is tried now; what waits follows once the target takes it (see lane status)"
    if told["is_failing"]:
        return "no longer paused; its calls failed, so one is tried before what waits is sent (see lane status)"
    return "no longer paused; what waits is sent from now on"


@lane.command("status")
@config_option
@click.option("--tenant", metavar="T", help="Only this customer's lanes.")
@click.option("--target", metavar="X", help="Only this target's lanes.")
@json_option
def lane_status(config: str | None, tenant: str | None, target: str | None, *, as_json: bool) -> None:
    """Show what stops each lane: since when, by whom, and why."""
    with opened(config) as (settings, store):
        existing.check(store, settings, tenant=tenant, target=target)
        found = pausing.report(store, settings, tenant=tenant, target=target)
    if as_json:
        print_json({"lanes": found})
    elif found:
        rows.print_rows(_LANE, found, below={"why": "why"})
    else:
        click.echo("no lane yet: name a target in the configuration, then scim-bridge migrate")


def _people(count: int) -> str:
    return f"{count} {'person' if count == 1 else 'people'}"


def _held_otherwise(store: Store, *, tenant: str, target: str | None, user: str | None, kind: str) -> bool:
    """Tell whether the person who was named is held, but from something else."""
    if user is None:
        return False
    other = next(each for each in holds.Kind if each.value != kind)
    return bool(holds.list_held(store, tenant=tenant, target=target, user=user, kind=other))


def _tell(told: dict[str, Any], how: str, *, user: str | None, others: bool, as_json: bool) -> None:
    is_nobody = user is not None and not told["people"]
    if as_json:
        print_json(told)
    elif not is_nobody:
        click.echo(f"{_people(told['people'])} {how}")
    if is_nobody and others:
        raise BridgeError(
            "they are held, but from something else: scim-bridge hold list shows the kind; give it as --kind"
        )
    if is_nobody:
        # Whoever mistypes a name must not believe that a leaver is out.
        raise BridgeError("nobody is held by this name; scim-bridge hold list shows who is")


COMMANDS = (hold, lane)
