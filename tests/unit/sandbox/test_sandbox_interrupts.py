"""Whoever interrupts the sandbox leaves nothing behind, whatever was just being started."""

import contextlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scim_bridge.sandbox import interrupts
from scim_bridge.sandbox.benches import databases
from scim_bridge.sandbox.chaos import abreast
from scim_bridge.sandbox.stories import scenarios, stage, worlds

Started = list["subprocess.Popen[bytes]"]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for temporary files, in which making a folder is followed by a signal at once."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = tempfile.mkdtemp

    def interrupted(*arguments: Any, **named: Any) -> str:
        path = made(*arguments, **named)
        signal.raise_signal(signal.SIGTERM)
        return path

    monkeypatch.setattr(tempfile, "mkdtemp", interrupted)
    return tmp_path


def test_a_demo_that_is_interrupted_as_its_folder_is_made_leaves_none(temporary: Path) -> None:
    setting = scenarios.SCENARIOS[scenarios.DEFAULT].setting
    with (
        pytest.raises(KeyboardInterrupt),
        interrupts.signals_as_interrupts(),
        stage.set_up(setting, port=0),
    ):
        pytest.fail("it went on")
    assert list(temporary.iterdir()) == []


def test_a_bench_that_is_interrupted_as_its_folder_is_made_leaves_none(temporary: Path) -> None:
    with pytest.raises(KeyboardInterrupt), interrupts.signals_as_interrupts(), databases.folder(None):
        pytest.fail("it went on")
    assert list(temporary.iterdir()) == []


def test_a_process_that_is_interrupted_as_it_starts_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: Started = []

    def interrupted(*arguments: Any, **named: Any) -> "subprocess.Popen[bytes]":
        started.append(real(*arguments, **named))
        signal.raise_signal(signal.SIGINT)
        return started[0]

    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", interrupted)
    sleeping = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"]
    with (
        pytest.raises(KeyboardInterrupt),
        interrupts.signals_as_interrupts(),
        worlds.running("sleeper", sleeping, folder=tmp_path, patience_s=10),
    ):
        pytest.fail("it went on")
    assert started[0].poll() is not None


def test_who_is_impatient_does_not_interrupt_the_taking_down() -> None:
    removed = []
    with pytest.raises(KeyboardInterrupt), interrupts.signals_as_interrupts(), contextlib.ExitStack() as stack:
        stack.callback(removed.append, "second")
        stack.callback(signal.raise_signal, signal.SIGINT)
        stack.callback(removed.append, "first")
        signal.raise_signal(signal.SIGTERM)
    assert removed == ["first", "second"]


def test_after_the_block_signals_are_what_they_were() -> None:
    before = [signal.getsignal(number) for number in interrupts.SIGNALS]
    with interrupts.signals_as_interrupts():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert [signal.getsignal(number) for number in interrupts.SIGNALS] == before


def test_chaos_that_is_interrupted_as_its_bridges_start_stops_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []

    @contextlib.contextmanager
    def laid_out(_store: str, *, stopping: Any) -> Iterator[None]:
        signal.raise_signal(signal.SIGTERM)
        ended.append(stopping.wait(10))
        yield None

    monkeypatch.setattr(abreast.ground, "laid_out", laid_out)
    monkeypatch.setattr(abreast.rounds, "play_all", lambda _laid, _share: ())
    with pytest.raises(KeyboardInterrupt), interrupts.signals_as_interrupts():
        list(abreast.play("sqlite", numbers=range(1, 5), seed=1, abreast=4))
    assert ended
    assert all(ended)
