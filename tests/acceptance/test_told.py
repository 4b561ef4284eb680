"""The relay as a process of its own tells a receiver that is one, too."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scim_bridge.domain.notices import Kind
from scim_bridge.store import notices
from scim_bridge.store.engine import Store
from scim_bridge.wiring import now_ms

SECRET = "whsec_c2l4dGVlbi1ieXRlcy1hbmQtbW9yZS1vZi1pdA=="
PATIENCE_S = 30


@pytest.fixture
def receiver() -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "scim_bridge.sandbox.receivers", "--secret", SECRET]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.terminate()
        assert process.wait(PATIENCE_S) == 0


def line(process: "subprocess.Popen[str]") -> dict[str, object]:
    assert process.stdout is not None
    return dict(json.loads(process.stdout.readline()))


def test_the_relay_tells_a_receiver_what_was_owed(
    sqlite_url: str, tmp_path: Path, receiver: "subprocess.Popen[str]"
) -> None:
    url = line(receiver)["url"]
    config = tmp_path / "bridge.toml"
    config.write_text(
        f'data_dir = "data"\n[store]\nurl = "{sqlite_url}"\n[queue]\nurl = "redis://127.0.0.1:1/0"\n'
        f'[[notices]]\nname = "pager"\nurl = "{url}"\nsecret = "env:PAGER_SECRET"\n[[tenants]]\nid = "acme"\n'
    )
    store = Store.open(sqlite_url, clock=now_ms)
    with store.begin("acme") as tx:
        notices.owe(tx, Kind.QUARANTINE, target="lms", count=1)
    store.close()
    relay = [sys.executable, "-m", "workers", "relay", "--config", str(config)]
    with subprocess.Popen(relay, env={"PAGER_SECRET": SECRET}, stderr=subprocess.PIPE, text=True) as process:
        told = line(receiver)
        process.terminate()
        _, log = process.communicate(timeout=PATIENCE_S)
    assert (told["kind"], told["tenant"], told["target"]) == ("quarantine", "acme", "lms")
    assert (process.returncode, SECRET in log) == (0, False)
