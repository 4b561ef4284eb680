"""What a file of many rows needs of SQLite goes to its temporary files, not to the memory of our processes."""

from collections.abc import Iterator

import pytest

from scim_bridge.domain.instants import Clock
from scim_bridge.recording.placing import Outcome
from scim_bridge.store import imports
from scim_bridge.store.engine import Store

IN_FILES = 1


@pytest.fixture
def sqlite_store(sqlite_url: str, clock: Clock) -> Iterator[Store]:
    opened = Store.open(sqlite_url, clock=clock)
    yield opened
    opened.close()


def test_the_words_of_a_summary_are_all_that_may_become_of_a_row() -> None:
    """A row of which something else became would be counted nowhere."""
    assert set(imports.OUTCOMES) == {each.value for each in Outcome}


@pytest.mark.parametrize("name", ["engine", "trip_engine"])
def test_what_is_kept_aside_may_leave_the_memory(sqlite_store: Store, name: str) -> None:
    """Of all that a savepoint changed, SQLite keeps what was there before: in a dry run, that is much."""
    with getattr(sqlite_store, name).connect() as connection:
        temp_store = connection.exec_driver_sql("PRAGMA temp_store").scalar_one()
    assert temp_store == IN_FILES


def test_rows_are_counted_without_being_sorted(sqlite_store: Store) -> None:
    asked: list[str] = []
    with sqlite_store.begin("acme", write=False) as tx:
        driver = tx.connection.connection.dbapi_connection
        assert driver is not None
        driver.set_trace_callback(asked.append)
        assert imports.counts(tx, 1) == {}
        driver.set_trace_callback(None)
        (query,) = asked
        plan = [str(row.detail) for row in tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")]
    assert len(plan) == 1
    assert plan[0].startswith("SEARCH import_row USING")
