"""Commands about tokens: create, list, rotate, revoke. A token is printed once, alone on its line."""

import re
from collections.abc import Mapping
from typing import Any

import click

from scim_bridge.cli import rows
from scim_bridge.cli.options import check_tenant, config_option, json_option, opened, print_json, tenant_option
from scim_bridge.domain.instants import Millis
from scim_bridge.errors import UsageError
from scim_bridge.operators import replay, tokens

_FACTS = {
    **{name: name for name in ("id", "tenant", "scopes", "source", "name", "state")},
    "created": "created_at",
    "ends": "ends_at",
    "last used": "last_used_at",
    "networks": "networks",
}
_UNIT_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


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
        issued = tokens.create(
            store,
            settings,
            tenant=tenant,
            who=replay.operator_name(),
            scopes=scopes,
            source=source,
            name=name,
            good_for_ms=_good_for(expires),
            networks=tokens.parse_networks(allowed_networks, named="--network"),
        )
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
        found = tokens.list_tokens(store, tenant=tenant)
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
        issued = tokens.rotate(
            store,
            tenant=tenant,
            who=replay.operator_name(),
            token_id=token_id,
            overlap_ms=parse_span(overlap),
            good_for_ms=_good_for(expires),
        )
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
        ended = tokens.revoke(store, tenant=tenant, who=replay.operator_name(), token_id=token_id)
    if as_json:
        print_json(ended)
    else:
        click.echo(f"the token {token_id} is {'already revoked' if ended['already_revoked'] else 'revoked'}")


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


def _print_issued(issued: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(issued)
    else:
        click.echo(issued["token"])


COMMANDS = (token,)
