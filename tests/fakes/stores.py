"""A database that a whole module of tests shares: tenants never meet, so tests that take one each do not either."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

_numbers = itertools.count(1)


@contextmanager
def shared_url(request: pytest.FixtureRequest, factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a migrated database of the kind that the fixture's parameter names."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        path = factory.mktemp("shared") / "bridge.db"
        path.write_bytes(template.read_bytes())
        yield f"sqlite:///{path}"
        return
    server = str(request.getfixturevalue("postgres_server"))
    name = f"shared_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {request.getfixturevalue('postgres_template')}")
    base, _, query = server.partition("?")
    yield f"{base.rpartition('/')[0]}/{name}?{query}".replace("postgresql://", "postgresql+psycopg://", 1)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
