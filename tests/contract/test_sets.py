"""Lists of ids as one parameter: the databases find the rows of each by an index, behind row-level security too."""

import pytest
import sqlalchemy as sa

from scim_bridge.store import sets, tables
from scim_bridge.store.engine import Store, Transaction

member = tables.member


def plan_of(tx: Transaction, statement: sa.Select[tuple[int]]) -> str:
    """Return how the database would find the rows, were each table large."""
    text = str(statement.compile(tx.connection.engine, compile_kwargs={"literal_binds": True})).replace("%%", "%")
    if tx.dialect == "sqlite":
        return "\n".join(row.detail for row in tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}"))
    # What a few rows would be read by, many would not.
    for way in ("seqscan", "hashjoin", "mergejoin"):
        tx.connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
    return "\n".join(row[0] for row in tx.connection.exec_driver_sql(f"EXPLAIN {text}"))


@pytest.mark.parametrize("ids", [[7], list(range(100))], ids=["one", "many"])
def test_rows_by_number_are_found_by_an_index(store: Store, ids: list[int]) -> None:
    with store.begin("acme") as tx:
        rows = sets.id_rows(tx, ids)
        plan = plan_of(tx, sa.select(member.c.group_id).where(sets.among(member.c.user_id, rows)))
    assert ("SEARCH member USING COVERING INDEX member_user (user_id=?)" in plan) or ("Index Cond: (user_id =" in plan)


@pytest.mark.parametrize("ids", [[], [1], [3, 1, 2**40, -5]])
def test_a_list_comes_back_as_rows(store: Store, ids: list[int]) -> None:
    with store.begin("acme") as tx:
        rows = sets.id_rows(tx, ids)
        assert sorted(row.id for row in tx.connection.execute(sa.select(rows.c.id))) == sorted(ids)


@pytest.mark.parametrize("texts", [[], ["a"], ["[1]", '{"x"}', "ä,b", "a\\b", ""]])
def test_a_list_of_texts_comes_back_as_rows(store: Store, texts: list[str]) -> None:
    with store.begin("acme") as tx:
        rows = sets.text_rows(tx, texts)
        assert sorted(row.value for row in tx.connection.execute(sa.select(rows.c.value))) == sorted(texts)
