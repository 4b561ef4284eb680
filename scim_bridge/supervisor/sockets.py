"""Where the embedded Valkey's unix socket lies: under the data folder, or, when that path is too long, named there."""

import os
import tempfile
from pathlib import Path

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
    path = Path(tempfile.mkdtemp(prefix="scim-bridge-")) / SOCKET
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


def _is_private(folder: Path) -> bool:
    # Folders of temporary files are swept, and anybody may make one of the same name afterwards.
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return False
    return folder.is_dir() and status.st_uid == os.getuid() and not status.st_mode & 0o077
