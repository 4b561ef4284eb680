"""Bearer tokens: who may knock, for which tenant, and for what. Only a digest of a token is ever kept."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.store import tables
from scim_bridge.store.engine import Store, Transaction

token = tables.token

PREFIX = "scb_"
SCOPES = frozenset({"scim", "hr", "ops:viewer", "ops:operator", "ops:admin"})
TOUCH_MS = 60_000
"""`last_used_at` is this exact and no more, so that a busy token does not cost a write a request."""

_SECRET_BYTES = 32
_ID_BYTES = 8
_PUBLIC_PART = re.compile(f"[0-9a-f]{{{_ID_BYTES * 2}}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whom a token stands for."""

    tenant: str
    token_id: str
    scopes: frozenset[str]
    source: str
    name: str = ""


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
    revoked_at: Millis | None
    last_used_at: Millis | None


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
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> Issued:
    """Make a token of the transaction's tenant.

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
            digest=_digest(value),
            scopes=" ".join(wanted),
            source=source,
            name=name,
            created_at=tx.now,
            expires_at=expires_at,
        )
    )
    return Issued(id=token_id, value=value)


def listed(tx: Transaction) -> list[TokenRow]:
    """Return the tokens of the transaction's tenant (or of all), oldest first."""
    query = sa.select(token).order_by(token.c.created_at, token.c.id)
    if tx.tenant is not None:
        query = query.where(token.c.tenant == tx.tenant)
    return [_row(row) for row in tx.connection.execute(query)]


def rotate(tx: Transaction, token_id: str, *, overlap_ms: int = 0) -> Issued | None:
    """Make a token that replaces another, which stays good for `overlap_ms`; None when no such token lives."""
    row = tx.connection.execute(
        sa.select(token).where(token.c.id == token_id, token.c.tenant == tx.tenant, token.c.revoked_at.is_(None))
    ).one_or_none()
    if row is None:
        return None
    issued = issue(tx, scopes=row.scopes.split(), source=row.source, name=row.name, expires_at=row.expires_at)
    if overlap_ms <= 0:
        revoke(tx, token_id)
    else:
        ends = tx.now + overlap_ms if row.expires_at is None else min(row.expires_at, tx.now + overlap_ms)
        tx.connection.execute(sa.update(token).where(token.c.id == token_id).values(expires_at=ends))
    return issued


def revoke(tx: Transaction, token_id: str) -> bool:
    """Make a token worthless at once; False when there is no such living token."""
    result = tx.connection.execute(
        sa.update(token)
        .where(token.c.id == token_id, token.c.tenant == tx.tenant, token.c.revoked_at.is_(None))
        .values(revoked_at=tx.now)
    )
    return bool(result.rowcount)


def token_id_of(value: str) -> str | None:
    """Return the public part of what looks like a token of ours, None for anything else."""
    if not value.startswith(PREFIX):
        return None
    token_id, _, secret = value[len(PREFIX) :].partition("_")
    return token_id if _PUBLIC_PART.fullmatch(token_id) and secret else None


def authenticate(store: Store, value: str) -> Principal | None:
    """Return whom a token stands for; None when it is wrong, revoked or expired.

    Raises:
        StoreUnavailable: the store cannot be read, so nothing is known of the token.
    """
    token_id = token_id_of(value)
    if token_id is None or not value.isascii():
        return None
    with store.across_tenants("look a token up, which tells the tenant") as tx:
        row = tx.connection.execute(sa.select(token).where(token.c.id == token_id)).one_or_none()
        now = tx.now
    # The comparison takes the same time whether the token exists or not.
    is_right = hmac.compare_digest(_digest(value), row.digest if row is not None else _digest(""))
    if row is None or not is_right or row.revoked_at is not None:
        return None
    if row.expires_at is not None and row.expires_at <= now:
        return None
    return Principal(
        tenant=row.tenant,
        token_id=row.id,
        scopes=frozenset(row.scopes.split()),
        source=row.source,
        name=row.name,
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


def _digest(value: str) -> str:
    # 256 random bits need no slow hash: there is nothing to guess.
    return hashlib.sha256(value.encode()).hexdigest()


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
    )
