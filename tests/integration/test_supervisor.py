"""The supervisor with tiny children of its own, and the embedded Valkey as it really is."""

import contextlib
import io
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from scim_bridge.supervisor import data_folder, ports, sockets, up, valkey
from scim_bridge.supervisor.data_folder import CannotStart
from scim_bridge.supervisor.ports import Address
from scim_bridge.supervisor.processes import Death, ProcessSpec, restart_delay_s
from scim_bridge.supervisor.supervisor import Supervisor

DEADLINE_S = 20.0
SLEEP = "import time; time.sleep(60)"


class Stage:
    """A supervisor whose output is read by the test."""

    def __init__(self) -> None:
        self.stdout = io.StringIO()
        self.stderr = io.StringIO()
        self.deaths: list[Death] = []
        self.supervisor = Supervisor(on_death=self.deaths.append, stdout=self.stdout, stderr=self.stderr)

    def start(self, name: str, script: str, *arguments: object, grace_s: float = 10.0) -> int:
        command = [sys.executable, "-I", "-S", "-c", script, *map(str, arguments)]
        self.supervisor.start(ProcessSpec(name=name, command=command, environment=dict(os.environ), grace_s=grace_s))
        pid = self.supervisor.pid(name)
        assert pid is not None
        return pid

    def until(self, holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not holds():
            assert time.monotonic() < deadline, self.stdout.getvalue() + self.stderr.getvalue()
            self.supervisor.step(0.02)


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    with made.supervisor.listening():
        yield made


def is_locked(file: Path) -> bool:
    """Tell whether a process that locked the file still lives."""
    with file.open("a") as ours:
        return not data_folder.take(ours.fileno(), patience_s=0)


def stays_locked(lock: Path) -> bool:
    """Tell whether a lock is not let go of soon; a killed process takes the kernel a moment."""
    with lock.open("a") as ours:
        return not data_folder.take(ours.fileno(), patience_s=DEADLINE_S)


LOCK_AND_SLEEP = """
import fcntl, sys, time
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("deaths", "delay_s"),
    [
        (1, 0.0),  # at once
        (2, 0.5),
        (4, 2.0),
        (5, 2.0),
        (50, 2.0),  # never more
    ],
)
def test_a_restart_waits_longer_with_each_death_in_a_row(deaths: int, delay_s: float) -> None:
    assert restart_delay_s(deaths) == delay_s


def test_output_carries_the_name_of_its_process_line_by_line(stage: Stage) -> None:
    script = "import sys, time; print('a\\nb\\nc', end='', flush=True); print('of error', file=sys.stderr)"
    stage.start("worker-1", script)
    stage.until(lambda: stage.deaths)
    assert stage.stdout.getvalue().splitlines()[:3] == ["worker-1  | a", "worker-1  | b", "worker-1  | c"]
    assert "worker-1  | of error" in stage.stderr.getvalue().splitlines()


def test_muted_lines_are_dropped(stage: Stage) -> None:
    command = [sys.executable, "-c", "print('advice for giants'); print('news')"]
    stage.supervisor.start(
        ProcessSpec(name="valkey", command=command, environment=dict(os.environ), muted=("for giants",))
    )
    stage.until(lambda: stage.deaths)
    assert stage.stdout.getvalue().splitlines()[0] == "valkey    | news"


def test_a_killed_child_is_started_again_at_once(stage: Stage) -> None:
    first = stage.start("web", SLEEP)
    os.kill(first, signal.SIGKILL)
    stage.until(lambda: stage.supervisor.pid("web") not in {None, first})
    assert stage.deaths == [Death("web", first, -signal.SIGKILL)]
    assert "was killed by SIGKILL; starting it again now" in stage.stderr.getvalue()


def test_a_child_that_keeps_dying_is_started_ever_more_slowly(stage: Stage) -> None:
    stage.start("web", "raise SystemExit(3)")
    stage.until(lambda: len(stage.deaths) == 3)
    assert "ended with exit code 3; starting it again in 1 s" in stage.stderr.getvalue()
    assert stage.supervisor.deaths_in_row() == {"web": 3}
    assert stage.supervisor.pid("web") is None


def test_what_a_killed_child_had_started_dies_with_it(stage: Stage, tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {LOCK_AND_SLEEP!r}, sys.argv[1]])"
    pid = stage.start("web", script, lock)
    stage.until(lambda: "locked" in stage.stdout.getvalue())
    os.kill(pid, signal.SIGKILL)
    stage.until(lambda: stage.deaths)
    assert not stays_locked(lock)


def test_children_are_stopped_stage_by_stage(stage: Stage, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    script = """
import signal, sys, time
def end(number, frame):
    with open(sys.argv[1], "a") as file:
        file.write(sys.argv[2] + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(60)
"""
    names = ["valkey", "relay", "worker-1", "worker-2", "web"]
    for name in names:
        stage.start(name, script, journal, name)
    stage.until(lambda: stage.stdout.getvalue().count("ready") == len(names))
    stage.supervisor.stop([["web"], ["worker-1", "worker-2"], ["relay"], ["valkey"]])
    ended = journal.read_text().split()
    assert [ended[0], sorted(ended[1:3]), *ended[3:]] == ["web", ["worker-1", "worker-2"], "relay", "valkey"]
    assert stage.deaths == []  # nobody died unasked


DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""


def test_a_child_deaf_to_sigterm_is_killed_after_its_grace(stage: Stage) -> None:
    stage.start("web", DEAF, grace_s=0.3)
    stage.until(lambda: "deaf" in stage.stdout.getvalue())
    began = time.monotonic()
    stage.supervisor.stop([["web"]])
    assert stage.supervisor.pid("web") is None
    assert 0.3 <= time.monotonic() - began < 10


def test_a_second_stop_request_cuts_the_grace_short(stage: Stage) -> None:
    stage.start("web", DEAF, grace_s=600)
    stage.until(lambda: "deaf" in stage.stdout.getvalue())
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    former = signal.signal(signal.SIGALRM, lambda _number, _frame: os.kill(os.getpid(), signal.SIGTERM))
    try:
        stage.supervisor.stop([["web"]])
    finally:
        signal.signal(signal.SIGALRM, former)
    assert stage.supervisor.stop_requests == 1
    assert stage.supervisor.pid("web") is None


SUPERVISE = """
import os, sys
from scim_bridge.supervisor.processes import ProcessSpec
from scim_bridge.supervisor.supervisor import Supervisor
supervisor = Supervisor()
with supervisor.listening():
    supervisor.start(ProcessSpec(name="child", command=sys.argv[1:], environment=dict(os.environ)))
    while True:
        supervisor.step()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to its parent's life")
def test_no_child_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    child = [sys.executable, "-c", LOCK_AND_SLEEP, str(lock)]
    with subprocess.Popen([sys.executable, "-c", SUPERVISE, *child], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == "child     | locked\n"
        assert is_locked(lock)
        supervisor.kill()
    assert not stays_locked(lock)


def test_a_data_folder_is_private_and_held_by_one(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    folder.mkdir(mode=0o755)
    with data_folder.held(folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        with (
            pytest.raises(CannotStart, match=rf"process {os.getpid()}\) works on the data folder"),
            data_folder.held(folder),
        ):
            pass
    with data_folder.held(folder):
        pass


def test_a_lock_file_left_by_a_killed_one_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / data_folder.LOCK).write_text("1\n")
    with data_folder.held(tmp_path):
        assert (tmp_path / data_folder.LOCK).read_text() == f"{os.getpid()}\n"


def test_a_taken_port_is_refused_with_a_sentence() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = Address("127.0.0.1", other.getsockname()[1])
        refusal = pytest.raises(CannotStart, match="is taken by another program; stop it, or choose another port")
        with refusal, ports.reserved(taken, patience_s=0.0):
            pass


def test_a_reserved_port_is_ours_alone() -> None:
    with ports.reserved(Address("127.0.0.1", 0)) as address:
        assert address.port
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind((address.host, address.port))
        with socket.socket() as web:
            web.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            web.bind((address.host, address.port))
            web.listen()
            socket.create_connection((address.host, address.port), timeout=5).close()


@pytest.mark.parametrize(
    ("bind", "port", "address", "url"),
    [
        ("127.0.0.1:8080", None, "127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("127.0.0.1:8080", 9000, "127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("0.0.0.0:80", None, "0.0.0.0:80", "http://127.0.0.1:80"),
        ("[::1]:8080", None, "[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_address_is_read_from_the_settings(bind: str, port: int | None, address: str, url: str) -> None:
    parsed = ports.parse(bind, port=port)
    assert (str(parsed), parsed.url) == (address, url)


def test_the_socket_lies_under_the_data_folder(tmp_path: Path) -> None:
    assert sockets.choose(tmp_path) == sockets.find(tmp_path) == tmp_path / "valkey.sock"


def test_a_socket_path_too_long_for_the_kernel_moves_to_a_private_folder(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    chosen = sockets.choose(deep)
    try:
        assert len(os.fsencode(chosen)) <= sockets.MAX_PATH_BYTES
        assert stat.S_IMODE(chosen.parent.stat().st_mode) == 0o700
        assert sockets.find(deep) == sockets.choose(deep) == chosen
    finally:
        chosen.parent.rmdir()


def test_a_long_folder_for_temporary_files_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    chosen = sockets.choose(deep)
    try:
        assert len(os.fsencode(chosen)) <= sockets.MAX_PATH_BYTES
    finally:
        chosen.parent.rmdir()


def test_a_socket_folder_of_its_own_goes_with_the_server_that_used_it(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    with valkey.held(deep) as made:
        assert made.socket.parent.is_dir()
    assert not made.socket.parent.exists()


def test_a_folder_that_others_may_enter_is_not_used_again(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    first = sockets.choose(deep)
    first.parent.chmod(0o755)
    second = sockets.choose(deep)
    try:
        assert second != first
    finally:
        first.parent.rmdir()
        second.parent.rmdir()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[valkey.Server]:
    with valkey.held(tmp_path) as made:
        yield made


@contextlib.contextmanager
def client_of(server: valkey.Server) -> Iterator["redis.Redis"]:
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        yield client
        client.connection_pool.disconnect()


def test_the_embedded_valkey_listens_on_a_private_socket_and_no_port(stage: Stage, server: valkey.Server) -> None:
    stage.supervisor.start(server.spec())
    stage.until(server.answers)
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o600
    with client_of(server) as client:
        assert client.ping()
        assert client.config_get("port") == {"port": "0"}
    assert listening_tcp_sockets(stage.supervisor.pid(valkey.NAME)) == set()


def listening_tcp_sockets(pid: int | None) -> set[str]:
    """Return the inodes of a process's listening TCP sockets, by what the kernel says."""
    if not Path("/proc/net/tcp").exists():
        return set()
    listening = {
        columns[9]
        for table in ("tcp", "tcp6")
        for columns in map(str.split, Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:])
        if columns[3] == "0A"
    }
    held = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    return {inode for inode in listening if f"socket:[{inode}]" in held}


def test_the_embedded_valkey_keeps_its_data_over_a_kill(stage: Stage, server: valkey.Server) -> None:
    stage.supervisor.start(server.spec())
    stage.until(server.answers)
    with client_of(server) as client:
        client.rpush("rq:queue:lanes", "a wake")
    first = stage.supervisor.pid(valkey.NAME)
    assert first is not None
    os.kill(first, signal.SIGKILL)
    stage.until(lambda: stage.supervisor.pid(valkey.NAME) not in {None, first} and server.answers())
    with client_of(server) as client:
        assert client.lrange("rq:queue:lanes", 0, -1) == [b"a wake"]


def test_data_that_valkey_refuses_are_set_aside(stage: Stage, server: valkey.Server) -> None:
    logs = server.folder / "appendonlydir"
    logs.mkdir()
    (logs / "appendonly.aof.manifest").write_text("no manifest\n")
    up.start_valkey(stage.supervisor, server)
    assert server.answers()
    assert len(list(server.folder.parent.glob("valkey.refused-*"))) == 1


def test_data_are_held_as_long_as_their_valkey_lives(stage: Stage, tmp_path: Path) -> None:
    with valkey.held(tmp_path) as server:
        stage.supervisor.start(server.spec())
        stage.until(server.answers)
    # Ours is let go of, as by a killed supervisor; the server's copy of it is not.
    with pytest.raises(CannotStart, match="earlier run still works"), valkey.held(tmp_path, patience_s=0.0):
        pass
    stage.supervisor.stop([[valkey.NAME]])
    with valkey.held(tmp_path, patience_s=0.0):
        pass
