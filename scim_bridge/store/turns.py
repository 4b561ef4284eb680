"""What a transaction of many steps locks before its first: step by step, two of them could wait for each other."""

from collections.abc import Collection

import sqlalchemy as sa

from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.store import directory, sets, tables
from scim_bridge.store.engine import Transaction

member = tables.member


def take(tx: Transaction, *, groups: Collection[str], emptied: Collection[str], users: Collection[str]) -> None:
    """Lock all that the steps will touch, in the order in which every single edit locks: groups, then users.

    All are SCIM ids; who does not live is passed over. `emptied` are the groups that may lose any member, or the name
    that concerns them all: their members are locked too. Such transactions of one tenant take turns as a whole,
    because new userNames cannot be locked before they are there. On SQLite all writers take turns anyway.
    """
    if tx.dialect != "postgresql":
        return
    tx.connection.execute(
        sa.text("SELECT pg_advisory_xact_lock(hashtextextended('many steps:' || :tenant, 0))"), {"tenant": tx.tenant}
    )
    numbers = directory.lock_named(tx, GROUP, groups) if groups else {}
    concerned = set(directory.numbers_of(tx, USER, users).values()) if users else set[int]()
    losing = [numbers[scim_id] for scim_id in emptied if scim_id in numbers]
    if losing:
        query = sa.select(member.c.user_id).where(sets.among(member.c.group_id, sets.id_rows(tx, losing)))
        concerned |= {row.user_id for row in tx.connection.execute(query)}
    if concerned:
        directory.lock_rows(tx, concerned)
