"""PostgreSQL databases for tests: who is done with one hands it back emptied, for a new one costs more than a test."""

import itertools
from contextlib import suppress

import psycopg
from psycopg import sql

Rows = list[tuple[object, ...]]

SHAPE = """
WITH classes AS (SELECT oid, relname, relkind, relacl, relowner, relrowsecurity, relforcerowsecurity, reloptions
                 FROM pg_class WHERE relnamespace = 'public'::regnamespace),
     parts AS (
        SELECT hashtext(classes::text) AS part FROM classes
        UNION ALL SELECT hashtext(ROW(attrelid, attname, atttypid, attnotnull, attacl, attstattarget)::text)
            FROM pg_attribute JOIN classes ON classes.oid = attrelid
        UNION ALL SELECT hashtext(pg_attrdef::text) FROM pg_attrdef
        UNION ALL SELECT hashtext(pg_proc::text) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT hashtext(pg_trigger::text) FROM pg_trigger
        UNION ALL SELECT hashtext(pg_policy::text) FROM pg_policy
        UNION ALL SELECT hashtext(pg_constraint::text) FROM pg_constraint
        UNION ALL SELECT hashtext(ROW(indexrelid, indisvalid, indisunique)::text)
            FROM pg_index JOIN classes ON classes.oid = indexrelid
        UNION ALL SELECT hashtext(ROW(nspname, nspacl)::text)
            FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'
        UNION ALL SELECT hashtext(setconfig::text)
            FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase AND datname = current_database()
        UNION ALL SELECT hashtext(version_num) FROM alembic_version)
SELECT count(*), sum(part) FROM parts
"""
"""What a migration, or a test that plays one, changes. Rows are not part of it, nor is how much room they take."""

EMPTY = """
DO $$
DECLARE
    dirty text; sequence record;
BEGIN
    SELECT string_agg(oid::regclass::text, ', ') INTO dirty FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
          AND pg_relation_size(oid) > 0;
    IF dirty IS NOT NULL THEN
        EXECUTE 'TRUNCATE ' || dirty || ' CASCADE';
    END IF;
    FOR sequence IN SELECT seqrelid::regclass AS name FROM pg_sequence
        WHERE pg_sequence_last_value(seqrelid) IS NOT NULL
    LOOP
        PERFORM setval(sequence.name, 1, false);
    END LOOP;
    DELETE FROM pg_statistic USING pg_class
        WHERE pg_class.oid = starelid AND relnamespace = 'public'::regnamespace;
END $$
"""
"""Rows, the numbers given to them, and what was learnt about them."""

DISCONNECT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class Pool:
    """Migrated databases of one server, each taken by one test at a time."""

    def __init__(self, server: str, template: str, *, prefix: str = "bridge") -> None:
        """Begin with none. `server` is its URL without a database's name; `template` is a migrated database."""
        self._server = server
        self._template = template
        self._prefix = prefix
        self._idle: list[str] = []
        self._made: set[str] = set()
        self._emptying: dict[str, psycopg.Connection[tuple[object, ...]]] = {}
        """One connection to each database, kept: a new one reads what the server knows of its tables anew."""
        self._numbers = itertools.count(1)
        with self._connected(template) as connection:
            self._shape = connection.execute(SHAPE).fetchone()
            self._first_rows = _rows_of(connection)

    def take(self) -> str:
        """Return the name of a database that is as if it were new."""
        if self._idle:
            return self._idle.pop()
        name = f"{self._prefix}_{next(self._numbers)}"
        with psycopg.connect(self._server, autocommit=True) as connection:
            # Files are copied in a third of the time that it takes to write the copy to the log.
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {self._template} STRATEGY FILE_COPY")
        self._made.add(name)
        return name

    def give_back(self, name: str) -> None:
        """Empty a database for the next test, or remove it where its tables are not what they were."""
        with suppress(psycopg.Error):
            connection = self._emptying.get(name) or self._emptying.setdefault(name, self._connected(name))
            connection.execute(DISCONNECT)
            if connection.execute(SHAPE).fetchone() == self._shape:
                connection.execute(EMPTY)
                _insert(connection, self._first_rows)
                self._idle.append(name)
                return
        self._remove(name)

    def close(self) -> None:
        """End the connections that are kept; the databases stay."""
        while self._emptying:
            self._emptying.popitem()[1].close()

    def remove_all(self) -> None:
        """Remove every database that was made, whoever is connected to it."""
        for name in tuple(self._made):
            self._remove(name)

    def _remove(self, name: str) -> None:
        self._made.discard(name)
        if (emptying := self._emptying.pop(name, None)) is not None:
            emptying.close()
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _connected(self, name: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self._server, dbname=name, autocommit=True, options="-c lock_timeout=5s")


def _rows_of(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, Rows]:
    """Return what the migrations put into tables, their own version aside."""
    names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    found = {
        str(name): connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(str(name)))).fetchall()
        for (name,) in names
    }
    return {name: rows for name, rows in found.items() if rows and name != "alembic_version"}


def _insert(connection: psycopg.Connection[tuple[object, ...]], found: dict[str, Rows]) -> None:
    for name, rows in found.items():
        places = sql.SQL(", ").join(sql.Placeholder() * len(rows[0]))
        statement = sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(name), places)
        connection.cursor().executemany(statement, rows)
