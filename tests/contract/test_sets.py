"""Lists of ids as one parameter: the databases find the rows of each by an index, behind row-level security too."""

import pytest
import sqlalchemy as sa

from scim_bridge.store import sets, tables
from scim_bridge.store.engine import Store, Transaction, make_engine

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


def test_a_few_texts_among_thousands_are_asked_of_the_index(store: Store) -> None:
    """PostgreSQL expects a hundred rows of a function: for so many it would walk through all of a middling table."""
    mark = tables.hr_mark
    with store.begin("acme") as tx:
        rows = [{"tenant": "acme", "source": "hr", "mark": f"{number:064d}", "taken_at": 1} for number in range(4_000)]
        tx.connection.execute(sa.insert(mark), rows)
        tx.connection.exec_driver_sql("ANALYZE hr_mark" if tx.dialect == "sqlite" else "SELECT 1")
    if store.engine.dialect.name == "postgresql":
        owner = make_engine(store.engine.url.render_as_string(hide_password=False), as_owner=True)
        with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE hr_mark")
        owner.dispose()
    with store.begin("acme") as tx:
        asked = sets.texts_in(sa.literal(sets.packed(["x"]), sa.Text), dialect=tx.dialect, name="asked")
        query = sa.select(mark.c.taken_at).where(
            mark.c.tenant == "acme", mark.c.source == "hr", sets.among(mark.c.mark, asked)
        )
        text = str(query.compile(tx.connection.engine, compile_kwargs={"literal_binds": True})).replace("%%", "%")
        explain = "EXPLAIN QUERY PLAN" if tx.dialect == "sqlite" else "EXPLAIN"
        plan = "\n".join(str(row[-1]) for row in tx.connection.exec_driver_sql(f"{explain} {text}"))
    assert "mark=?" in plan or "mark = " in plan
    assert "Seq Scan" not in plan
