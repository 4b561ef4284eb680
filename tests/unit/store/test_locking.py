"""Writers take turns, and give up in time when the turn never comes."""

import threading
from pathlib import Path

import pytest

from scim_bridge.store.locking import WriteLock


def test_a_writer_gives_up_when_another_of_its_process_holds_on(tmp_path: Path) -> None:
    lock = WriteLock(str(tmp_path / "lock"), patience_s=0.05)
    refused: list[bool] = []

    def try_to_write() -> None:
        with pytest.raises(TimeoutError), lock:
            pass
        refused.append(True)

    with lock:
        other = threading.Thread(target=try_to_write)
        other.start()
        other.join(5)
    assert refused == [True]


def test_a_writer_that_gave_up_can_write_later(tmp_path: Path) -> None:
    lock = WriteLock(str(tmp_path / "lock"), patience_s=0.05)
    with lock, pytest.raises(TimeoutError), lock:
        pass
    with lock:
        assert (tmp_path / "lock").exists()
