"""Tokens: who may knock, for which tenant, for what and from where. Only a digest of a token is ever kept."""

import contextlib
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain import networks as nets
from scim_bridge.domain.instants import Millis
from scim_bridge.store import tables
from scim_bridge.store.engine import Store, Transaction

token = tables.token

PREFIX = "scb_"
SCOPES = frozenset({"scim", "hr", "ops:viewer", "ops:operator", "ops:admin"})
TOUCH_MS = 60_000
"""`last_used_at` is this exact and no more, so that a busy token does not cost a write a request."""

SOON_MS = 30 * 86_400_000
"""A token that expires within this time is told of: in `token list`, in the metrics and in the relay's log."""

_SECRET_BYTES = 32
_ID_BYTES = 8
_SHAPE = re.compile(f"{PREFIX}([0-9a-f]{{{_ID_BYTES * 2}}})_[0-9a-f]{{{_SECRET_BYTES * 2}}}")


class Fault(StrEnum):
    """Why a text opens no door."""

    MALFORMED = "malformed"
    """It is no token of ours at all."""
    UNKNOWN = "unknown"
    """There is no token with this public part."""
    WRONG = "wrong"
    """There is one, and its secret part is another."""
    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whom a token stands for."""

    tenant: str
    token_id: str
    scopes: frozenset[str]
    source: str
    name: str = ""
    # Where it may be used from; None: anywhere.
    networks: tuple[nets.Network, ...] | None = None
    # From when on it is worthless, as far as is known; None: never.
    ends_at: Millis | None = None

    def may_come_from(self, address: nets.Address | None) -> bool:
        """Tell whether the token is good from an address; None, an unknown one, is in no network."""
        return self.networks is None or (address is not None and any(address in each for each in self.networks))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """A token as `list` shows it: everything but the token."""

    id: str
    tenant: str
    scopes: tuple[str, ...]
    source: str
    name: str
    created_at: Millis
    expires_at: Millis | None
    # May lie ahead: a token that was replaced stays good beside its successor until then.
    revoked_at: Millis | None
    last_used_at: Millis | None
    networks: tuple[str, ...]

    def state_at(self, now: Millis) -> str:
        """Return how the token stands, in a word or two."""
        if self.revoked_at is not None and self.revoked_at <= now:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        if self.revoked_at is not None:
            return "replaced"
        if self.expires_at is not None and self.expires_at - now < SOON_MS:
            return "expires soon"
        return "good"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A good token that will expire."""

    tenant: str
    token_id: str
    ends_at: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A new token. `value` is shown once and kept nowhere."""

    id: str
    value: str = field(repr=False)


def issue(
    tx: Transaction,
    *,
    scopes: Iterable[str],
    source: str,
    name: str = "",
    expires_at: Millis | None = None,
    networks: Iterable[nets.Network | str] = (),
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> Issued:
    """Make a token of the transaction's tenant, good from everywhere unless networks are given.

    Raises:
        ValueError: a scope that does not exist, or none.
    """
    wanted = sorted(set(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        raise ValueError(
            f"no such scope: {', '.join(unknown) or '(none given)'}; there are {', '.join(sorted(SCOPES))}"
        )
    token_id = random_bytes(_ID_BYTES).hex()
    value = f"{PREFIX}{token_id}_{random_bytes(_SECRET_BYTES).hex()}"
    tx.connection.execute(
        sa.insert(token).values(
            id=token_id,
            tenant=tx.tenant,
            digest=digest_of(value),
            scopes=" ".join(wanted),
            source=source,
            name=name,
            created_at=tx.now,
            expires_at=expires_at,
            networks=" ".join(dict.fromkeys(str(network) for network in networks)),
        )
    )
    return Issued(id=token_id, value=value)


def listed(tx: Transaction) -> list[TokenRow]:
    """Return the tokens of the transaction's tenant (or of all), oldest first."""
    query = sa.select(token).order_by(token.c.created_at, token.c.id)
    if tx.tenant is not None:
        query = query.where(token.c.tenant == tx.tenant)
    return [_row(row) for row in tx.connection.execute(query)]


def find(tx: Transaction, token_id: str) -> TokenRow | None:
    """Return a token of the transaction's tenant, None when it has no such one."""
    # PostgreSQL takes no text that holds a zero.
    if not token_id.isprintable():
        return None
    query = sa.select(token).where(token.c.id == token_id, token.c.tenant == tx.tenant)
    row = tx.connection.execute(query).one_or_none()
    return None if row is None else _row(row)


def ending(tx: Transaction) -> list[Ending]:
    """Return the good tokens that will expire, of all tenants, first those that do so first; not the replaced ones."""
    query = (
        sa.select(token.c.tenant, token.c.id, token.c.expires_at)
        .where(token.c.expires_at > tx.now, token.c.revoked_at.is_(None))
        .order_by(token.c.expires_at, token.c.id)
    )
    return [Ending(tenant=row.tenant, token_id=row.id, ends_at=row.expires_at) for row in tx.connection.execute(query)]


def rotate(
    tx: Transaction, token_id: str, *, overlap_ms: Millis = 0, good_for_ms: Millis | None = None
) -> Issued | None:
    """Make a token that replaces another, which stays good for `overlap_ms`; None when no such token lives.

    The new one is good for `good_for_ms`, or for as long as the old one was made for. One that expired may be replaced.
    """
    query = sa.select(token).where(token.c.id == token_id, token.c.tenant == tx.tenant, token.c.revoked_at.is_(None))
    # Of two who replace it at once, one must see that it was done.
    row = tx.connection.execute(query.with_for_update() if tx.dialect == "postgresql" else query).one_or_none()
    if row is None:
        return None
    if good_for_ms is None and row.expires_at is not None:
        good_for_ms = row.expires_at - row.created_at
    issued = issue(
        tx,
        scopes=row.scopes.split(),
        source=row.source,
        name=row.name,
        expires_at=None if good_for_ms is None else tx.now + good_for_ms,
        networks=row.networks.split(),
    )
    tx.connection.execute(sa.update(token).where(token.c.id == token_id).values(revoked_at=tx.now + max(0, overlap_ms)))
    return issued


def revoke(tx: Transaction, token_id: str) -> bool:
    """Make a token worthless at once, a replaced one too; False when there is no such good token."""
    result = tx.connection.execute(
        sa.update(token)
        .where(
            token.c.id == token_id,
            token.c.tenant == tx.tenant,
            sa.or_(token.c.revoked_at.is_(None), token.c.revoked_at > tx.now),
        )
        .values(revoked_at=tx.now)
    )
    return bool(result.rowcount)


def token_id_of(value: str) -> str | None:
    """Return the public part of what has a token's shape, None for anything else."""
    found = _SHAPE.fullmatch(value)
    return None if found is None else found[1]


def digest_of(value: str) -> str:
    """Return what is kept of a token. 256 random bits need no slow hash: there is nothing to guess."""
    return hashlib.sha256(value.encode()).hexdigest()


def authenticate(store: Store, value: str) -> Principal | Fault:
    """Return whom a token stands for, or why it is no good. What has no token's shape never touches the store.

    Raises:
        StoreUnavailable: the store cannot be read, so nothing is known of the token.
    """
    token_id = token_id_of(value)
    if token_id is None:
        return Fault.MALFORMED
    with store.across_tenants("look a token up, which tells the tenant") as tx:
        row = tx.connection.execute(sa.select(token).where(token.c.id == token_id)).one_or_none()
        now = tx.now
    # The comparison takes the same time whether the token exists or not.
    is_right = hmac.compare_digest(digest_of(value), row.digest if row is not None else digest_of(""))
    if row is None:
        return Fault.UNKNOWN
    if not is_right:
        return Fault.WRONG
    if row.revoked_at is not None and row.revoked_at <= now:
        return Fault.REVOKED
    if row.expires_at is not None and row.expires_at <= now:
        return Fault.EXPIRED
    return _principal(row)


def living(store: Store, token_id: str) -> Principal | None:
    """Return whom a token stands for by its public part alone, None when there is none that is good now.

    For who has shown the whole token before. Raises StoreUnavailable when nothing can be known.
    """
    with store.across_tenants("look up the token of a session, which tells the tenant") as tx:
        row = tx.connection.execute(sa.select(token).where(token.c.id == token_id)).one_or_none()
        now = tx.now
    if row is None or any(at is not None and at <= now for at in (row.revoked_at, row.expires_at)):
        return None
    return _principal(row)


def _principal(row: sa.Row[Any]) -> Principal:
    return Principal(
        tenant=row.tenant,
        token_id=row.id,
        scopes=frozenset(row.scopes.split()),
        source=row.source,
        name=row.name,
        networks=_networks_of(row.networks),
        ends_at=min((at for at in (row.expires_at, row.revoked_at) if at is not None), default=None),
    )


def touch(tx: Transaction, token_id: str) -> None:
    """Note that a token was used now, unless that was noted within the last minute."""
    tx.connection.execute(
        sa.update(token)
        .where(
            token.c.id == token_id,
            sa.or_(token.c.last_used_at.is_(None), token.c.last_used_at <= tx.now - TOUCH_MS),
        )
        .values(last_used_at=tx.now)
    )


def _networks_of(text: str) -> tuple[nets.Network, ...] | None:
    """Return the networks of a token's row; None: from anywhere. What cannot be read there admits nobody."""
    if not (words := text.split()):
        return None
    found = []
    for each in words:
        with contextlib.suppress(nets.NotANetwork):
            found.append(nets.parse_network(each))
    return tuple(found)


def _row(row: sa.Row[tuple[object, ...]]) -> TokenRow:
    return TokenRow(
        id=row.id,
        tenant=row.tenant,
        scopes=tuple(row.scopes.split()),
        source=row.source,
        name=row.name,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        networks=tuple(row.networks.split()),
    )
