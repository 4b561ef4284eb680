"""The whole bridge as its users start it: real processes, a real Valkey, real HTTP, simulated targets."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from scim_bridge import wiring
from scim_bridge.domain.states import State
from scim_bridge.settings import loading
from scim_bridge.store import tables, tokens
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger

READY_S = 90


@dataclass
class Bridge:
    """A running `scim-bridge up` on a configuration file of a test."""

    folder: Path
    config: Path
    environ: dict[str, str]
    process: subprocess.Popen[str] | None = None
    url: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Any:
        return loading.load(self.config)

    @property
    def store(self) -> Any:
        return wiring.open_store(self.settings)

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scim_bridge", "up", "--port", "0", "--config", str(self.config)],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        ready = threading.Event()
        threading.Thread(target=self._read, args=(ready,), daemon=True).start()
        if not ready.wait(READY_S) or not self.url:
            self.stop()
            pytest.fail("the bridge did not get ready:\n" + "\n".join(self.lines[-40:]))

    def _read(self, ready: threading.Event) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if line.startswith("ready"):
                self.url = line.split()[1]
                ready.set()
        ready.set()

    def stop(self) -> int | None:
        """End it as an operator would; returns its exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            code = self.process.wait()
        if self.process.stdout is not None:
            with contextlib.suppress(ValueError):
                self.process.stdout.close()
        self.process = None
        return code

    def token(self, tenant: str, *, source: str = "idp") -> str:
        store = self.store
        try:
            with store.begin(tenant) as tx:
                return str(tokens.issue(tx, scopes=["scim"], source=source, name="test").value)
        finally:
            store.close()

    def verify(self) -> dict[str, Any]:
        store = self.store
        try:
            return verify_ledger(store)
        finally:
            store.close()

    def wait_until_settled(self, *, within_s: float) -> dict[str, Any]:
        """Wait until no operation is waiting or in a call; returns the books, proved."""
        deadline = time.monotonic() + within_s
        with contextlib.closing(self.store) as store:
            # The books take long to prove, so that is done only once nothing seems to be open.
            while is_open(store) or tells_of_open(report := verify_ledger(store)):
                if time.monotonic() > deadline:
                    report = verify_ledger(store)
                    pytest.fail(f"still open after {within_s} s: {report}\n" + "\n".join(self.lines[-60:]))
                time.sleep(0.3)
        assert report["balanced"], report
        return report

    def request(self, method: str, path: str, token: str, body: Any = None) -> tuple[int, Any]:
        """Make one SCIM request on a connection of its own."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
        try:
            connection.request(
                method,
                f"/scim/v2{path}",
                body=None if body is None else json.dumps(body),
                headers={"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"},
            )
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None
        finally:
            connection.close()

    def children(self, name: str) -> list[int]:
        """Return the pids of the running processes whose command line holds a word."""
        assert self.process is not None
        return [pid for pid in descendants(self.process.pid) if name in command_line(pid)]


def is_open(store: Store) -> bool:
    """Tell whether an operation is waiting or in a call, for whatever tenant."""
    state = tables.operation.c.state
    with store.across_tenants("wait until all is settled") as tx:
        query = sa.select(state).where(state.in_([State.WAITING, State.SENDING])).limit(1)
        return tx.connection.execute(query).first() is not None


def tells_of_open(report: dict[str, Any]) -> bool:
    return any(each["operations"]["waiting"] + each["operations"]["sending"] for each in report["tenants"])


def children_of(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def descendants(pid: int) -> list[int]:
    """Return all processes below one, parents first."""
    found, todo = [], [pid]
    while todo:
        children = children_of(todo.pop(0))
        found += children
        todo += children
    return found


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def user(name: str, **changes: Any) -> dict[str, Any]:
    """Return a SCIM user as an IdP would send it."""
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": f"{name}@example.com",
        "name": {"givenName": name.title(), "familyName": "Person"},
        "emails": [{"value": f"{name}@example.com", "primary": True, "type": "work"}],
        "active": True,
        **changes,
    }
