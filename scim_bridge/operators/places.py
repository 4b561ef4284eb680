"""Examines the folders and files of an installation: who may read them, and whether there is room."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from scim_bridge import secrets
from scim_bridge.operators.findings import Finding, good, warning, wrong
from scim_bridge.settings.models import Settings
from scim_bridge.store import soundness

LEAST_FREE_BYTES, LITTLE_FREE_BYTES = 100_000_000, 1_000_000_000
LITTLE_SHARE = 0.05
"""Less free than the least is wrong; less than the other two is told of."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield what is found of the data folder, of SQLite's file, and of the disks that these are on."""
    folder = Path(settings.data_dir)
    database = soundness.file_of(settings.store.url)
    yield from _folder(folder)
    yield from _files([folder / secrets.KEY_FILE, *([Path(database)] if database else [])])
    seen = set[int]()
    for place in (folder, *([Path(database).parent] if database else [])):
        if place.is_dir() and place.stat().st_dev not in seen:
            seen.add(place.stat().st_dev)
            yield _room(place)


def _folder(folder: Path) -> Iterator[Finding]:
    if not folder.is_dir():
        yield wrong("data_dir", f"there is no folder {folder}", "scim-bridge up, or any other process, makes it.")
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & _OTHERS:
        yield wrong("data_dir", f"{folder} has mode {mode:04o}: others can look into it", f"chmod 0700 {folder}")
    elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield warning(
            "data_dir", f"{folder} cannot be written by this user", "Run commands as the user of the processes."
        )
    else:
        yield good("data_dir", f"{folder} has mode {mode:04o}")


def _files(paths: list[Path]) -> Iterator[Finding]:
    for path in paths:
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            # Not made yet, or in a folder that is told of already.
            continue
        if mode & _OTHERS:
            yield wrong("files", f"{path} has mode {mode:04o}: others can read it", f"chmod 0600 {path}")


def _room(place: Path) -> Finding:
    usage = shutil.disk_usage(place)
    told = f"{usage.free / 1e9:.1f} GB of {usage.total / 1e9:.0f} GB are free at {place}"
    advice = "Make room: on a full disk nothing is accepted. Lower evidence_days or retention_days where rows are many."
    if usage.free < LEAST_FREE_BYTES:
        return wrong("disk", told, advice)
    if usage.free < LITTLE_FREE_BYTES or usage.free < usage.total * LITTLE_SHARE:
        return warning("disk", told, advice)
    return good("disk", told)
