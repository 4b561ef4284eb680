"""The stage of a story: a private folder, two simulated targets, the whole bridge as `up` runs it, and tokens."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scim_bridge import wiring
from scim_bridge.sandbox.stories import worlds
from scim_bridge.sandbox.stories.worlds import Process, World
from scim_bridge.settings import loading
from scim_bridge.settings.models import Settings
from scim_bridge.store import lanes, tallies, tokens
from scim_bridge.store.engine import Store
from scim_bridge.supervisor import sockets

TENANT = "demo"
SOURCES = ("okta", "entra")
TARGETS = ("trakstar", "mindtickle")
GROUPS = ("Sales", "Engineering", "Customer Success")
COMPANY = "acme"

READY_S = 40.0
STOP_S = 30.0

_CONFIG = """\
data_dir = "var"
[store]
url = "sqlite:///var/bridge.db"
[queue]
url = "embedded:"
[web]
bind = "127.0.0.1:{port}"
admin_bind = "127.0.0.1:0"
[[tenants]]
id = "{tenant}"
[[tenants.sources]]
name = "okta"
[[tenants.sources]]
name = "entra"
[[tenants.targets]]
name = "trakstar"
kind = "trakstar"
base_url = {base_url}
api_key = "file:trakstar.key"
[tenants.targets.fields.firstName]
on_too_long = "shorten"
[tenants.targets.fields.lastName]
on_too_long = "shorten"
{trakstar_groups}
[[tenants.targets]]
name = "mindtickle"
kind = "mindtickle"
scim_base_url = {scim_base_url}
rest_base_url = {rest_base_url}
api_key = "file:mindtickle.key"
company_id = "file:mindtickle.company"
{mindtickle_groups}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that a story plays with."""

    config: Path
    scim_url: str
    tokens: Mapping[str, str]
    worlds: Mapping[str, World]
    settings: Settings
    store: Store
    bridge: Process

    def tally(self) -> tallies.Tally:
        """Count what was recorded, and how far it has come."""
        with self.store.begin(TENANT, write=False) as tx:
            return tallies.tally(tx)

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
            for target in TARGETS:
                dispatcher.wake(TENANT, target, urgent=False)
        finally:
            dispatcher.close()


@contextlib.contextmanager
def set_up(*, port: int) -> Iterator[Stage]:
    """Set everything up in a private temporary folder, and take it down again, whatever happens meanwhile.

    Raises:
        StageFailed: a part does not start.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="scim-bridge-demo-"))  # 0700 by itself
        stack.callback(_remove, folder)
        trakstar_key, mindtickle_key = worlds.new_secret(), worlds.new_secret()
        simulated = stack.enter_context(
            worlds.simulated(
                {
                    "trakstar": ["--api-key", trakstar_key],
                    "mindtickle": ["--api-key", mindtickle_key, "--company-id", COMPANY],
                },
                folder=folder,
            )
        )
        for name, secret in (
            ("trakstar.key", trakstar_key),
            ("mindtickle.key", mindtickle_key),
            ("mindtickle.company", COMPANY),
        ):
            _write(folder / name, secret)
        config = folder / "bridge.toml"
        _write(config, _configuration(simulated, port))
        up = [*worlds.PYTHON, "-m", "scim_bridge", "up", "--config", str(config)]
        bridge = stack.enter_context(worlds.running("bridge", up, folder=folder, patience_s=STOP_S))
        ready = bridge.await_line("ready", patience_s=READY_S)
        url = next(word for word in ready.split() if word.startswith("http://"))
        # The folder's own settings only: nothing of the caller's environment.
        settings = loading.load(config, environ={})
        store = wiring.open_store(settings)
        stack.callback(store.close)
        with store.begin(TENANT) as tx:
            issued = {source: tokens.issue(tx, scopes=["scim"], source=source, name="demo").value for source in SOURCES}
        yield Stage(
            config=config,
            scim_url=f"{url}/scim/v2",
            tokens=issued,
            worlds=simulated,
            settings=settings,
            store=store,
            bridge=bridge,
        )


def _remove(folder: Path) -> None:
    """Remove the folder, and the one beside it where the queue's socket lies when this one's path is too long."""
    shutil.rmtree(sockets.find(folder / "var").parent, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _configuration(simulated: Mapping[str, World], port: int) -> str:
    groups = "\n".join(f'[tenants.targets.groups.{json.dumps(name)}]\ngroup = "{name}"' for name in GROUPS)
    urls = {name: json.dumps(url) for world in simulated.values() for name, url in world.urls.items()}
    return _CONFIG.format(port=port, tenant=TENANT, trakstar_groups=groups, mindtickle_groups=groups, **urls)


def _write(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(f"{text}\n", encoding="utf-8")
