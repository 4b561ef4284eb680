"""Databases for tests, and one for a whole module: tenants never meet, so tests that take one each do not either."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")
ROOM = 1 << 30
ROOM_OF_A_SERVER = 4 << 30


def place_with(room: int) -> Path | None:
    """Return a folder in memory with so many bytes free, for nothing here need outlive a power cut; or none."""
    spacious = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > room
    return MEMORY if spacious else None


@contextmanager
def copied(template: Path) -> Iterator[Path]:
    """Give a copy of a SQLite database; in memory where there is room."""
    with tempfile.TemporaryDirectory(prefix="bridge", dir=place_with(ROOM)) as folder:
        path = Path(folder) / "bridge.db"
        path.write_bytes(template.read_bytes())
        yield path


@contextmanager
def shared_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give the URL of a migrated database of the kind that the fixture's parameter names."""
    if request.param == "sqlite":
        with copied(request.getfixturevalue("sqlite_template")) as path:
            yield f"sqlite:///{path}"
        return
    pool = request.getfixturevalue("postgres_pool")
    name = pool.take()
    base, _, query = str(request.getfixturevalue("postgres_server")).partition("?")
    yield f"{base.rpartition('/')[0]}/{name}?{query}".replace("postgresql://", "postgresql+psycopg://", 1)
    pool.give_back(name)
