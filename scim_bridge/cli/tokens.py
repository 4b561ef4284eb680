"""Commands about tokens: create, list, rotate, revoke. A token is printed once, alone on its line."""

import re
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import click

from scim_bridge.cli import rows
from scim_bridge.cli.options import check_tenant, config_option, json_option, opened, print_json, tenant_option
from scim_bridge.domain import networks
from scim_bridge.domain.instants import Millis, to_iso
from scim_bridge.errors import BridgeError, UsageError
from scim_bridge.settings.models import Settings
from scim_bridge.store import tokens

_FACTS = {
    **{name: name for name in ("id", "tenant", "scopes", "source", "name", "state")},
    "created": "created_at",
    "ends": "ends_at",
    "last used": "last_used_at",
    "networks": "networks",
}
_UNIT_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


class NoSuchToken(BridgeError):  # noqa: N818 - read as a sentence
    """There is no such living token of this tenant."""


@click.group()
def token() -> None:
    """Make, show, replace and end the tokens by which senders and operators are known."""


@token.command()
@config_option
@tenant_option
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(sorted(tokens.SCOPES)),
    help="What it is for; may be given several times.",
)
@click.option("--source", metavar="NAME", help="The source that sends with it; the tenant's first unless given.")
@click.option("--name", metavar="WHO", default="", help="Who holds it, for the audit.")
@click.option("--expires", metavar="90d", help="How long it is good: minutes, hours or days, as 30m, 12h, 90d.")
@click.option(
    "--network",
    "allowed_networks",
    multiple=True,
    metavar="10.0.0.0/8",
    help="Where it may be used from; may be given several times. From anywhere unless given.",
)
@json_option
def create(
    config: str | None,
    tenant: str,
    scopes: tuple[str, ...],
    source: str | None,
    name: str,
    expires: str | None,
    allowed_networks: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    """Make a token and print it. It is kept nowhere and cannot be shown again."""
    with opened(config) as (settings, store):
        check_tenant(settings, tenant)
        source = _source(settings, tenant, source)
        good_for_ms = _good_for(expires)
        allowed = _parsed(allowed_networks)
        with store.begin(tenant) as tx:
            ends = None if good_for_ms is None else tx.now + good_for_ms
            issued = tokens.issue(tx, scopes=scopes, source=source, name=name, expires_at=ends, networks=allowed)
    _print_issued(issued, as_json=as_json)


@token.command("list")
@config_option
@click.option("--tenant", metavar="T", help="Only this customer's.")
@json_option
def list_tokens(config: str | None, tenant: str | None, *, as_json: bool) -> None:
    """Show the tokens, without the tokens themselves."""
    with opened(config) as (settings, store):
        if tenant is not None:
            check_tenant(settings, tenant)
        door = store.across_tenants("list tokens") if tenant is None else store.begin(tenant, write=False)
        with door as tx:
            found = [_shown(row, tx.now) for row in tokens.listed(tx)]
    if as_json:
        print_json({"tokens": found})
        return
    rows.print_rows(
        _FACTS,
        [
            {
                **row,
                "scopes": " ".join(row["scopes"]),
                "ends_at": min(filter(None, (row["revoked_at"], row["expires_at"])), default="never"),
                "last_used_at": row["last_used_at"] or "never",
                "networks": " ".join(row["networks"]) or "any",
            }
            for row in found
        ],
    )


@token.command()
@config_option
@tenant_option
@click.argument("token_id")
@click.option("--overlap", metavar="1h", default="0m", help="How long the old one stays good beside the new one.")
@click.option("--expires", metavar="90d", help="How long the new one is good; as long as the old was, unless given.")
@json_option
def rotate(config: str | None, tenant: str, token_id: str, overlap: str, expires: str | None, *, as_json: bool) -> None:
    """Replace a token by a new one of the same kind, and print that."""
    with opened(config) as (settings, store):
        check_tenant(settings, tenant)
        overlap_ms, good_for_ms = parse_span(overlap), _good_for(expires)
        with store.begin(tenant) as tx:
            issued = tokens.rotate(tx, token_id, overlap_ms=overlap_ms, good_for_ms=good_for_ms)
    if issued is None:
        raise NoSuchToken(f"the tenant {tenant} has no token {token_id}, or it is revoked or replaced already")
    _print_issued(issued, as_json=as_json)


@token.command()
@config_option
@tenant_option
@click.argument("token_id")
@json_option
def revoke(config: str | None, tenant: str, token_id: str, *, as_json: bool) -> None:
    """Make a token worthless at once; to do so again changes nothing."""
    with opened(config) as (settings, store):
        check_tenant(settings, tenant)
        with store.begin(tenant) as tx:
            is_new = tokens.revoke(tx, token_id)
            exists = is_new or any(row.id == token_id for row in tokens.listed(tx))
    if not exists:
        raise NoSuchToken(f"the tenant {tenant} has no token {token_id}")
    if as_json:
        print_json({"id": token_id, "state": "revoked", "already_revoked": not is_new})
    else:
        click.echo(f"the token {token_id} is {'revoked' if is_new else 'already revoked'}")


def parse_span(text: str) -> Millis:
    """Return a span like 30m, 12h or 90d in milliseconds.

    Raises:
        UsageError: it is no such text.
    """
    found = re.fullmatch(r"(\d{1,6})([mhd])", text)
    if found is None:
        raise UsageError(f"{text} is no span of time; give minutes, hours or days, as 30m, 12h, 90d")
    return int(found[1]) * _UNIT_MS[found[2]]


def _good_for(expires: str | None) -> Millis | None:
    good_for_ms = None if expires is None else parse_span(expires)
    if good_for_ms == 0:
        raise UsageError(f"--expires {expires}: such a token would never be good; give at least 1m")
    return good_for_ms


def _parsed(texts: Iterable[str]) -> list[networks.Network]:
    """Return the networks that texts name; what is wrong with any of them is told at once."""
    found, faults = [], []
    for text in texts:
        try:
            found.append(networks.parse_network(text))
        except networks.NotANetwork as error:
            faults.append(f"--network {error}")
    if faults:
        raise UsageError("; ".join(faults))
    return found


def _source(settings: Settings, tenant: str, named: str | None) -> str:
    there = [source.name for each in settings.tenants if each.id == tenant for source in each.sources]
    if named is None and there:
        return there[0]
    if named is None or named not in there:
        raise UsageError(f"the tenant {tenant} has no source {named or 'at all'} (there: {', '.join(there) or 'none'})")
    return named


def _print_issued(issued: tokens.Issued, *, as_json: bool) -> None:
    if as_json:
        print_json({"id": issued.id, "token": issued.value})
    else:
        click.echo(issued.value)


def _shown(row: tokens.TokenRow, now: Millis) -> dict[str, Any]:
    times = ("created_at", "expires_at", "revoked_at", "last_used_at")
    fields = asdict(row)
    iso = {key: None if fields[key] is None else to_iso(fields[key]) for key in times}
    return {**fields, **iso, "state": row.state_at(now)}


COMMANDS = (token,)
