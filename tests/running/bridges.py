"""Bridges on configuration files of a test, stopped at its end."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from running.bridge import Bridge


@pytest.fixture
def make_bridge(tmp_path: Path) -> Iterator[Callable[..., Bridge]]:
    """Write a configuration and give the bridge that runs on it; everything is stopped at the end."""
    made: list[Bridge] = []

    def make(toml: str, *, start: bool = True, **environ: str) -> Bridge:
        folder = tmp_path / f"bridge{len(made)}"
        folder.mkdir()
        config = folder / "bridge.toml"
        # Tests send as fast as they can; what the limit does is tested for itself.
        web = '[web]\nadmin_bind = "127.0.0.1:0"\nrequests_per_s = 0\n'
        config.write_text(f'{web}[store]\nurl = "sqlite:///var/bridge.db"\n{toml}')
        plain = {key: value for key, value in os.environ.items() if not key.startswith("SCIM_BRIDGE")}
        bridge = Bridge(folder=folder, config=config, environ={**plain, **environ})
        made.append(bridge)
        if start:
            bridge.start()
        return bridge

    yield make
    for bridge in made:
        bridge.stop()
