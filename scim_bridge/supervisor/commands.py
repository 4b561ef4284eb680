"""The command lines of the bridge's processes, whoever starts them, and what they are told by the environment."""

import sys
from collections.abc import Mapping
from pathlib import Path

from scim_bridge import metrics_folder, shipped
from scim_bridge.settings.files import FILE_VARIABLE, PREFIX
from scim_bridge.settings.models import Settings

# -P: a folder called `workers` where we were called must not be taken for ours.
_PYTHON = (sys.executable, "-P", "-m")

_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "1048576"}
"""What is large goes back to the system once it is freed (mallopt(3)). After the first file of 20 MB the library would
keep room for the next one among small things, and grow with each."""


def web() -> list[str]:
    """Return the command of the front door."""
    configuration = shipped.folder() / "gunicorn.conf.py"
    return [*_PYTHON, "gunicorn", "--config", str(configuration), "scim_bridge.web.wsgi:make_app()"]


def worker() -> list[str]:
    """Return the command of a process that drains lanes."""
    return [*_PYTHON, "workers", "deliver"]


def relay() -> list[str]:
    """Return the command of the process that wakes due lanes and keeps house."""
    return [*_PYTHON, "workers", "relay"]


def environment(
    settings: Settings,
    *,
    environ: Mapping[str, str],
    config_path: str | None = None,
    bind: str | None = None,
    admin_bind: str | None = None,
) -> dict[str, str]:
    """Return the environment of these processes: ours, where the configuration is, and what overrides it."""
    told = {
        FILE_VARIABLE: None if config_path is None else str(Path(config_path).expanduser().absolute()),
        f"{PREFIX}WEB__BIND": bind,
        f"{PREFIX}WEB__ADMIN_BIND": admin_bind,
        metrics_folder.FOLDER_VARIABLE: str(metrics_folder.prepare_folder(settings.data_dir)),
        "PYTHONUNBUFFERED": "1",
    }
    return {**_MEMORY, **environ, **{name: value for name, value in told.items() if value is not None}}
