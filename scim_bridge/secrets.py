"""Keyed digests: what stands for a secret or for personal data where the value itself must not stand."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

KEY_FILE = "fingerprint.key"
KEY_BYTES = 32


def installation_key(data_dir: str | Path) -> bytes:
    """Return this installation's key, making it at the first call; several processes may ask at once.

    Raises:
        OSError: when the data folder cannot be written.
    """
    folder = Path(data_dir)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / KEY_FILE
    if not path.exists():
        _write_once(path, secrets.token_bytes(KEY_BYTES))
    return path.read_bytes()


def fingerprint(key: bytes, value: str) -> str:
    """Return a digest that only this installation can make: equal values look equal, and nothing else can be told."""
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:16]


def digest(key: bytes, label: str, *parts: bytes) -> str:
    """Return a digest of bytes that only this installation can make. The same bytes differ by label and by part."""
    mac = hmac.new(key, label.encode(), hashlib.sha256)
    for part in parts:
        mac.update(len(part).to_bytes(8) + part)
    return mac.hexdigest()


def _write_once(path: Path, content: bytes) -> None:
    # Written apart and linked into place, so that nobody ever reads half a key and the first one stays.
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()
