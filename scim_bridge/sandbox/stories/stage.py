"""The stage of a story: a private folder, simulated targets, the whole bridge as `up` runs it, and tokens."""

import contextlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scim_bridge import wiring
from scim_bridge.operators import status
from scim_bridge.sandbox import configuration, interrupts
from scim_bridge.sandbox.stories import worlds
from scim_bridge.sandbox.stories.setting import Setting, Simulated
from scim_bridge.sandbox.stories.worlds import Process, StageFailed, World
from scim_bridge.settings import loading
from scim_bridge.settings.models import Settings
from scim_bridge.store import lanes, tallies, tokens
from scim_bridge.store.engine import Store
from scim_bridge.supervisor import sockets

TENANT = "demo"
COMPANY = "acme"

READY_S = 120.0
STOP_S = 30.0
COMMAND_S = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that a story plays with."""

    setting: Setting
    config: Path
    origin: str
    """Scheme, host and port of the front door."""
    tokens: Mapping[str, str] = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)
    """Those that the setting asked for, by name."""
    worlds: Mapping[str, World]
    settings: Settings
    store: Store
    bridge: Process

    @property
    def scim_url(self) -> str:
        """Where senders push."""
        return f"{self.origin}/scim/v2"

    def operator_token(self) -> str:
        """Make a token that opens the console and the API."""
        with self.store.begin(TENANT) as tx:
            return tokens.issue(tx, scopes=["ops:admin"], source="demo", name="demo").value

    def tally(self) -> tallies.Tally:
        """Count what was recorded, and how far it has come."""
        with self.store.begin(TENANT, write=False) as tx:
            return tallies.tally(tx)

    def conflicts(self) -> dict[str, int]:
        """Return, by target, for how many people an account was there already."""
        with self.store.begin(TENANT, write=False) as tx:
            return tallies.people_met(tx, "conflict")

    def lane(self, target: str) -> dict[str, Any]:
        """Return where a lane stands, as `scim-bridge status --json` tells it."""
        [figures] = status.report(self.store, self.settings, tenant=TENANT, target=target)["lanes"]
        told: dict[str, Any] = figures
        return told

    def command(self, *words: str) -> str:
        """Run a command of scim-bridge for this configuration, as an operator would, and return what it printed.

        Raises:
            StageFailed: its exit code is not 0.
        """
        ended = subprocess.run(  # noqa: S603 - our own command
            [*worlds.PYTHON, "-m", "scim_bridge", *words, "--config", str(self.config)],
            cwd=self.config.parent,
            env=worlds.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        if ended.returncode:
            raise StageFailed(f"scim-bridge {' '.join(words[:2])} ended with {ended.returncode}: {ended.stderr[-500:]}")
        return ended.stdout

    def pause_lanes(self) -> None:
        """Pause delivery to every target; nothing is lost, changes wait."""
        with self.store.begin(TENANT) as tx:
            for lane in lanes.configured(tx):
                lanes.note(tx, lane.id, paused_at=tx.now, paused_by=TENANT)

    def resume_lanes(self) -> None:
        """Let delivery go on, and tell the workers."""
        with self.store.begin(TENANT) as tx:
            for lane in lanes.configured(tx):
                lanes.note(tx, lane.id, paused_at=None, paused_by=None, wake_at=tx.now)
        dispatcher = wiring.open_dispatcher(self.settings)
        try:
            for target in self.worlds:
                dispatcher.wake(TENANT, target, urgent=False)
        finally:
            dispatcher.close()


@contextlib.contextmanager
def set_up(setting: Setting, *, port: int) -> Iterator[Stage]:
    """Set everything up in a private temporary folder, and take it down again, whatever happens meanwhile.

    Raises:
        StageFailed: a part does not start.
    """
    with contextlib.ExitStack() as stack:
        with interrupts.undisturbed():
            folder = Path(tempfile.mkdtemp(prefix="scim-bridge-demo-"))  # 0700 by itself
            stack.callback(_remove, folder)
        keys = {each.name: worlds.new_secret() for each in setting.targets}
        commands = {each.name: _simulator(each, keys[each.name]) for each in setting.targets}
        simulated = stack.enter_context(worlds.simulated(commands, folder=folder))
        for name, key in keys.items():
            _write(folder / f"{name}.key", key)
        _write(folder / "company", COMPANY)
        secrets = {name: worlds.new_secret() for name in setting.secrets}
        for name, secret in secrets.items():
            _write(folder / f"{name}.secret", secret)
        config = folder / "bridge.toml"
        _write(config, bridge_toml(setting, {name: world.urls for name, world in simulated.items()}, port=port))
        up = [*worlds.PYTHON, "-m", "scim_bridge", "up", "--config", str(config)]
        bridge = stack.enter_context(worlds.running("bridge", up, folder=folder, patience_s=STOP_S))
        ready = bridge.await_line("ready", patience_s=READY_S)
        # The folder's own settings only: nothing of the caller's environment.
        settings = loading.load(config, environ={})
        store = wiring.open_store(settings)
        stack.callback(store.close)
        with store.begin(TENANT) as tx:
            issued = {
                source: tokens.issue(tx, scopes=["scim"], source=source, name="demo").value
                for source in setting.sources
            }
        yield Stage(
            setting=setting,
            config=config,
            origin=next(word for word in ready.split() if word.startswith("http://")),
            tokens=issued,
            secrets=secrets,
            worlds=simulated,
            settings=settings,
            store=store,
            bridge=bridge,
        )


def bridge_toml(setting: Setting, urls: Mapping[str, Mapping[str, str]], *, port: int) -> str:
    """Return the configuration for a setting; `urls` are the targets' addresses, by target and key."""
    text = configuration.opening(
        store_url="sqlite:///var/bridge.db",
        bind=f"127.0.0.1:{port}",
        admin_bind="127.0.0.1:0",
        tenant=TENANT,
        sources=setting.sources,
    )
    for each in setting.targets:
        secret = {"token" if each.kind == "scim" else "api_key": f"file:{each.name}.key"}
        company = {"company_id": "file:company"} if each.kind == "mindtickle" else {}
        text += configuration.target(
            name=each.name,
            kind=each.kind,
            values={**urls[each.name], **secret, **company},
            limits=None if each.limits is None else each.windows,
            groups=setting.groups,
            more=each.keys + each.tables,
        )
    return text + setting.more


def _simulator(each: Simulated, key: str) -> list[str]:
    command = ["--kind", each.kind, "--api-key", key, "--options", json.dumps(dict(each.options))]
    if each.limits is not None:
        command += ["--limits", each.limits]
    return command + (["--company-id", COMPANY] if each.kind == "mindtickle" else [])


def _remove(folder: Path) -> None:
    """Remove the folder, and the one beside it where the queue's socket lies when this one's path is too long."""
    shutil.rmtree(sockets.find(folder / "var").parent, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _write(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(f"{text}\n", encoding="utf-8")
