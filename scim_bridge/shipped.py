"""Finds the configuration that comes with the product: in the wheel, or in the repository of an editable install."""

from importlib import resources
from pathlib import Path


def folder() -> Path:
    """Return the folder of the shipped config/.

    Raises:
        FileNotFoundError: when the installation is incomplete.
    """
    packaged = Path(str(resources.files("scim_bridge"))) / "shipped_config"
    for candidate in (packaged, _repository() / "config"):
        if (candidate / "bridge.toml").is_file():
            return candidate
    raise FileNotFoundError("the shipped configuration is missing; install scim-bridge again")


def is_packaged(file: Path) -> bool:
    """Tell whether a file lies in the installed package, where nothing should be written beside it."""
    packaged = Path(str(resources.files("scim_bridge"))) / "shipped_config"
    return file.is_relative_to(packaged)


def _repository() -> Path:
    return Path(__file__).resolve().parent.parent
