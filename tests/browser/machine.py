"""Whether this machine has a browser, and whether it must; whether pictures are wanted."""

import importlib.util
import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome")


def path() -> str | None:
    """Return where the browser is."""
    return next((found for name in NAMES if (found := shutil.which(name)) is not None), None)


def lacking() -> str | None:
    """Return what is missing, None when nothing is."""
    if path() is None:
        return "chromium"
    return "the Python package playwright" if importlib.util.find_spec("playwright") is None else None


def keeps_pictures() -> bool:
    """Tell whether somebody wants to see the pages."""
    return "SCIM_BRIDGE_SCREENSHOTS" in os.environ


def is_required() -> bool:
    """Tell whether these tests must not be skipped."""
    return os.environ.get("SCIM_BRIDGE_BROWSER") == "required"
