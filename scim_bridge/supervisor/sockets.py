"""Where the embedded Valkey's unix socket lies: under the data folder, or, when that path is too long, named there."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from scim_bridge.errors import BridgeError

SOCKET = "valkey.sock"
POINTER = "valkey.sock.path"
"""Holds the socket's path when it lies elsewhere; every process of the bridge finds it here."""

MAX_PATH_BYTES = 100
"""A little under what the kernels take: 108 bytes on Linux, 104 on macOS, the closing zero included."""


def choose(data_dir: Path) -> Path:
    """Return the socket's path, making a short folder for it if need be. For the one who starts the server."""
    direct = data_dir.absolute() / SOCKET
    pointer = data_dir / POINTER
    if len(os.fsencode(direct)) <= MAX_PATH_BYTES:
        pointer.unlink(missing_ok=True)
        return direct
    if pointer.exists():
        earlier = find(data_dir)
        if _is_private(earlier.parent):
            return earlier
    path = _short_folder() / SOCKET
    draft = data_dir / f".{POINTER}.{os.getpid()}"
    draft.write_text(f"{path}\n", encoding="utf-8")
    draft.replace(pointer)
    return path


def find(data_dir: Path) -> Path:
    """Return the path that `choose` settled on."""
    try:
        return Path((data_dir / POINTER).read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        return data_dir.absolute() / SOCKET


def clear(data_dir: Path) -> None:
    """Remove the folder that `choose` made elsewhere, once no server uses it any more."""
    path = find(data_dir)
    if path.parent != data_dir.absolute() and _is_private(path.parent):
        shutil.rmtree(path.parent, ignore_errors=True)
        (data_dir / POINTER).unlink(missing_ok=True)


def _short_folder() -> Path:
    """Return a private folder whose path leaves room for the socket's name."""
    for place in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108 - mkdtemp makes a private one below
        with contextlib.suppress(OSError):
            folder = Path(tempfile.mkdtemp(prefix="scim-bridge-", dir=place))
            if len(os.fsencode(folder / SOCKET)) <= MAX_PATH_BYTES:
                return folder
            folder.rmdir()
    raise BridgeError("no folder has a path short enough for the queue's socket; set data_dir to a shorter one")


def _is_private(folder: Path) -> bool:
    # Folders of temporary files are swept, and anybody may make one of the same name afterwards.
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return False
    return folder.is_dir() and status.st_uid == os.getuid() and not status.st_mode & 0o077
