"""Tokens: making, showing, replacing and ending them. A token's value is told once and never audited."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from scim_bridge.domain import networks as nets
from scim_bridge.domain.instants import Millis, to_iso
from scim_bridge.errors import NotThere, UsageError
from scim_bridge.settings.models import Settings
from scim_bridge.store import audits, tokens
from scim_bridge.store.engine import Store
from scim_bridge.store.tokens import Issued, TokenRow

SCOPES = tokens.SCOPES

LONGEST_NAME = 200

DAY_MS = 86_400_000
LONGEST_GOOD_FOR_MS = 3_650 * DAY_MS
LONGEST_OVERLAP_MS = 30 * DAY_MS
"""So long a token stays good beside the one that replaces it."""
MOST_NETWORKS = 16

_TIMES = ("created_at", "expires_at", "revoked_at", "last_used_at")


def create(
    store: Store,
    settings: Settings,
    *,
    tenant: str,
    who: str,
    scopes: Iterable[str],
    source: str | None = None,
    name: str = "",
    good_for_ms: Millis | None = None,
    networks: Iterable[nets.Network] = (),
) -> dict[str, Any]:
    """Make a token and return its id, and itself: it is kept nowhere and cannot be shown again.

    Without a source it is of the tenant's first one; without networks it is good from everywhere.

    Raises:
        UsageError: no such scope or source, a name that is none, too many networks, or a time that cannot be.
    """
    named = _source(settings, tenant, source)
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise UsageError(f"a token's name is one line of text, {LONGEST_NAME} characters at the most")
    _check_good_for(good_for_ms)
    allowed = list(networks)
    if len(allowed) > MOST_NETWORKS:
        raise UsageError(f"a token is kept to {MOST_NETWORKS} networks at the most")
    with store.begin(tenant) as tx:
        ends = None if good_for_ms is None else tx.now + good_for_ms
        try:
            issued = tokens.issue(tx, scopes=scopes, source=named, name=name, expires_at=ends, networks=allowed)
        except ValueError as error:
            raise UsageError(str(error)) from error
        audits.append(tx, who=who, what="token create", after=_facts(tokens.find(tx, issued.id)))
    return _once(issued)


def list_tokens(store: Store, *, tenant: str | None = None) -> list[dict[str, Any]]:
    """Return the tokens of a tenant, or of all, oldest first, without the tokens themselves."""
    door = store.across_tenants("list tokens") if tenant is None else store.begin(tenant, write=False)
    with door as tx:
        return [_shown(row, tx.now) for row in tokens.listed(tx)]


def rotate(
    store: Store,
    *,
    tenant: str,
    who: str,
    token_id: str,
    overlap_ms: Millis = 0,
    good_for_ms: Millis | None = None,
) -> dict[str, Any]:
    """Replace a token by a new one of the same kind, and return what `create` does; the old one is good for a while.

    Raises:
        NotThere: the tenant has no such token, or it is revoked or replaced already.
        UsageError: a time that cannot be.
    """
    if not 0 <= overlap_ms <= LONGEST_OVERLAP_MS:
        raise UsageError(f"the old token stays good for {LONGEST_OVERLAP_MS // DAY_MS} days at the most")
    _check_good_for(good_for_ms)
    with store.begin(tenant) as tx:
        old = tokens.find(tx, token_id)
        if old is None or (
            (issued := tokens.rotate(tx, token_id, overlap_ms=overlap_ms, good_for_ms=good_for_ms)) is None
        ):
            raise NotThere(f"the tenant {tenant} has no token {token_id}, or it is revoked or replaced already")
        after = {**_facts(tokens.find(tx, issued.id)), "replaces": token_id}
        after["replaced_ends_at"] = to_iso(tx.now + overlap_ms)
        audits.append(tx, who=who, what="token rotate", before=_facts(old), after=after)
    return _once(issued)


def revoke(store: Store, *, tenant: str, who: str, token_id: str) -> dict[str, Any]:
    """Make a token worthless at once, and tell whether it was already; to do so again changes nothing.

    Raises:
        NotThere: the tenant has no such token.
    """
    with store.begin(tenant) as tx:
        old = tokens.find(tx, token_id)
        if old is None:
            raise NotThere(f"the tenant {tenant} has no token {token_id}")
        is_new = tokens.revoke(tx, token_id)
        if is_new:
            before = {**_facts(old), "state": old.state_at(tx.now)}
            audits.append(
                tx, who=who, what="token revoke", before=before, after={"token_id": token_id, "state": "revoked"}
            )
    return {"id": token_id, "state": "revoked", "already_revoked": not is_new}


def parse_networks(texts: Iterable[str], *, named: str) -> list[nets.Network]:
    """Return the networks that texts name; `named` is what the parameter is called.

    Raises:
        UsageError: telling at once what is wrong with any of them.
    """
    found, faults = [], []
    for text in texts:
        try:
            found.append(nets.parse_network(text))
        except nets.NotANetwork as error:
            faults.append(f"{named} {error}")
    if faults:
        raise UsageError("; ".join(faults))
    return found


def _check_good_for(good_for_ms: Millis | None) -> None:
    if good_for_ms is None:
        return
    if good_for_ms <= 0:
        raise UsageError("such a token would never be good; give at least a minute")
    if good_for_ms > LONGEST_GOOD_FOR_MS:
        raise UsageError(f"a token is good for {LONGEST_GOOD_FOR_MS // DAY_MS:,} days at the most, or without end")


def _source(settings: Settings, tenant: str, named: str | None) -> str:
    there = [source.name for each in settings.tenants if each.id == tenant for source in each.sources]
    if named is None and there:
        return there[0]
    if named is None or named not in there:
        raise UsageError(f"the tenant {tenant} has no source {named or 'at all'} (there: {', '.join(there) or 'none'})")
    return named


def _once(issued: Issued) -> dict[str, Any]:
    return {"id": issued.id, "token": issued.value}


def _facts(row: TokenRow | None) -> dict[str, Any]:
    """Return what the audit says of a token."""
    if row is None:
        return {}
    return {
        "token_id": row.id,
        "scopes": list(row.scopes),
        "source": row.source,
        "name": row.name,
        "expires_at": None if row.expires_at is None else to_iso(row.expires_at),
        "networks": list(row.networks),
    }


def _shown(row: TokenRow, now: Millis) -> dict[str, Any]:
    fields = asdict(row)
    iso = {key: None if fields[key] is None else to_iso(fields[key]) for key in _TIMES}
    return {**fields, **iso, "state": row.state_at(now)}
