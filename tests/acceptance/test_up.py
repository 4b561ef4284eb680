"""`scim-bridge up` as an operator runs it: real processes, signals and all."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import pytest
from running import bridge

from scim_bridge.store import lanes
from scim_bridge.store.engine import Store
from scim_bridge.wiring import now_ms

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the processes in /proc")

DEADLINE_S = 60.0


CONFIGURATION = """
[web]
bind = "127.0.0.1:0"
admin_bind = "127.0.0.1:0"
workers = 2

[worker]
processes = 1

[[tenants]]
id = "acme"

[[tenants.targets]]
name = "trakstar"
kind = "trakstar"
base_url = "http://127.0.0.1:9/api"
api_key = "env:TRAKSTAR_API_KEY"
"""
SECRET = "not-to-be-seen-anywhere"


@dataclass
class Up:
    """A running `up`, its lines as they come."""

    folder: Path
    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)
    reader: Thread = field(init=False)

    def __post_init__(self) -> None:
        self.reader = Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def ready_lines(self) -> list[str]:
        return [line for line in self.lines if line.startswith("ready")]

    @property
    def url(self) -> str:
        return self.ready_lines[0].split()[1]

    def children(self) -> dict[str, set[int]]:
        """Return the processes by their kind, and the web's own children as `web worker`."""
        found = {"valkey": set(), "web": set(), "deliver": set(), "relay": set(), "web worker": set()}
        for pid in children_of(self.process.pid):
            # A process may end between being seen and being asked.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found[kind_of(pid)].add(pid)
        for pid in found["web"]:
            found["web worker"] |= children_of(pid)
        return found

    def until(self, holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not holds():
            assert time.monotonic() < deadline, "\n".join(self.lines)
            assert self.process.poll() is None, "\n".join(self.lines)
            time.sleep(0.05)


def children_of(pid: int) -> set[int]:
    return {child for child in bridge.children_of(pid) if is_alive(child)}


def kind_of(pid: int) -> str:
    command = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    return next(
        (
            kind
            for mark, kind in (("valkey-server", "valkey"), ("gunicorn", "web"), ("deliver", "deliver"))
            if mark in command
        ),
        "relay",
    )


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except OSError:
        return 0


@contextlib.contextmanager
def running(folder: Path, *, port: int = 0) -> Iterator[Up]:
    config = folder / "bridge.toml"
    config.write_text(CONFIGURATION)
    process = subprocess.Popen(
        [sys.executable, "-m", "scim_bridge", "up", "--config", config.name, "--port", str(port)],
        cwd=folder,
        env={**os.environ, "TRAKSTAR_API_KEY": SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        made = Up(folder, process)
        try:
            made.until(lambda: made.ready_lines)
            yield made
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(DEADLINE_S)
            finally:
                process.kill()
                made.reader.join(DEADLINE_S)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running(tmp_path_factory.mktemp("up")) as made:
        yield made


def test_it_says_once_that_it_is_ready(up: Up) -> None:
    assert len(up.ready_lines) == 1
    assert re.fullmatch(r"ready  http://127\.0\.0\.1:\d+  \(SCIM at /scim/v2\)", up.ready_lines[0])
    assert status_of(f"{up.url}/readyz") == 200
    assert {kind: len(pids) for kind, pids in up.children().items()} == {
        "valkey": 1,
        "web": 1,
        "deliver": 1,
        "relay": 1,
        "web worker": 2,
    }


def test_nobody_else_may_read_its_data(up: Up) -> None:
    open_to_others = [path for path in (up.folder / "var").rglob("*") if path.lstat().st_mode & 0o077]
    assert open_to_others == []


@pytest.mark.parametrize("kind", ["valkey", "deliver", "relay", "web worker", "web"])
def test_a_killed_process_comes_back(up: Up, kind: str) -> None:
    before = up.children()
    for pid in before[kind]:
        os.kill(pid, signal.SIGKILL)
    up.until(lambda: len(up.children()[kind] - before[kind]) == len(before[kind]))
    up.until(lambda: status_of(f"{up.url}/readyz") == 200)
    gone = before["web worker"] if kind == "web" else before[kind]
    up.until(lambda: not any(map(is_alive, gone)))
    untouched = set(before) - {kind, "web worker" if kind == "web" else kind}
    assert {other: up.children()[other] for other in untouched} == {other: before[other] for other in untouched}


def test_the_lanes_of_a_killed_worker_are_free_at_once(up: Up) -> None:
    store = Store.open(f"sqlite:///{up.folder}/var/bridge.db", clock=now_ms)
    (pid,) = up.children()["deliver"]
    with store.begin("acme") as tx:
        lane = lanes.by_target(tx, "trakstar")
        assert lane is not None
        epoch = lanes.take_lease(tx, lane.id, owner=f"{socket.gethostname()}:{pid}", lease_ms=600_000)
    assert epoch is not None
    os.kill(pid, signal.SIGKILL)

    def is_free() -> bool:
        with store.begin("acme", write=False) as tx:
            return not lanes.holds_lease(tx, lane.id, epoch=epoch)

    up.until(is_free)
    store.close()


def test_a_second_up_on_the_same_data_folder_says_so(up: Up) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "scim_bridge", "up", "--config", "bridge.toml", "--port", "0"],
        cwd=up.folder,
        env={**os.environ, "TRAKSTAR_API_KEY": SECRET},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert second.returncode == 1
    assert f"another scim-bridge up (process {up.process.pid}) works on the data folder" in second.stderr
    assert len(second.stderr.splitlines()) == 1


def test_no_secret_is_in_its_output(up: Up) -> None:
    with socket.create_connection(("127.0.0.1", int(up.url.rpartition(":")[2])), timeout=5) as sender:
        sender.sendall(f"GET /scim/v2/Users HTTP/1.1\r\nAuthorization Bearer {SECRET}\r\n\r\n".encode())
        assert b" 400 " in sender.recv(4096)
    up.until(lambda: any("request_refused" in line for line in up.lines))
    assert not [line for line in up.lines if SECRET in line]


@pytest.fixture(scope="module")
def remains(up: Up) -> set[int]:
    """The processes that a killed `up` had; from here on it runs no more."""
    pids = set().union(*up.children().values())
    up.process.kill()
    up.process.wait(DEADLINE_S)
    return pids


@pytest.fixture(scope="module")
def successor(up: Up, remains: set[int]) -> Iterator[Up]:
    """The next one in the same folder, at the same port."""
    assert remains
    with running(up.folder, port=int(up.url.rpartition(":")[2])) as made:
        yield made


def test_after_a_sigkill_nothing_is_left_and_the_next_one_starts(remains: set[int], successor: Up) -> None:
    assert status_of(f"{successor.url}/readyz") == 200
    successor.until(lambda: not any(map(is_alive, remains)))


def test_sigterm_ends_it_with_0_and_leaves_no_process(successor: Up) -> None:
    """The last test: it ends the second one."""
    pids = set().union(*successor.children().values())
    assert len(pids) == 6
    successor.process.send_signal(signal.SIGTERM)
    assert successor.process.wait(DEADLINE_S) == 0
    successor.reader.join(DEADLINE_S)
    assert not any(map(is_alive, pids))
    assert "up        | stopping" in successor.lines
    assert not [line for line in successor.lines if "starting it again" in line]
