"""Bridges on configuration files of a test, stopped at its end."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from running.bridge import Bridge


@pytest.fixture
def make_bridge(tmp_path: Path) -> Iterator[Callable[..., Bridge]]:
    """Write a configuration and give the bridge that runs on it; everything is stopped at the end."""
    with made_in(tmp_path) as make:
        yield make


@contextlib.contextmanager
def made_in(parent: Path) -> Iterator[Callable[..., Bridge]]:
    """Give what makes bridges, until the block ends. Their front doors have one process, unless more are asked for."""
    made: list[Bridge] = []

    def make(toml: str, *, start: bool = True, doors: int = 1, **environ: str) -> Bridge:
        folder = parent / f"bridge{len(made)}"
        folder.mkdir()
        config = folder / "bridge.toml"
        # Tests send as fast as they can; what the limit does is tested for itself.
        web = f'[web]\nadmin_bind = "127.0.0.1:0"\nrequests_per_s = 0\nworkers = {doors}\n'
        config.write_text(f'{web}[store]\nurl = "sqlite:///var/bridge.db"\n{toml}')
        plain = {key: value for key, value in os.environ.items() if not key.startswith("SCIM_BRIDGE")}
        bridge = Bridge(folder=folder, config=config, environ={**plain, **environ})
        made.append(bridge)
        if start:
            bridge.start()
        return bridge

    try:
        yield make
    finally:
        for bridge in made:
            bridge.stop()
