"""Pictures of the console for the README and the runbooks, taken of a running bridge in the middle of a test.

SCIM_BRIDGE_SCREENSHOTS=/tmp/pictures pytest -n 0 tests/browser/test_incident.py tests/browser/test_pages.py

leaves them in that folder as picture-NAME.png. With 32 colours and no more (any image editor does that) they are small,
and go to scim_bridge/web/console/pictures/NAME.png.
"""

from pathlib import Path
from typing import Any

VIEW = {"width": 880, "height": 900}


def take(page: Any, folder: Path, name: str, *, of: str = "main", tallest_px: int = 560) -> None:
    """Take a picture of a part of a page, from its top down."""
    before = page.viewport_size
    page.set_viewport_size(VIEW)
    page.emulate_media(color_scheme="light")
    box = page.locator(of).bounding_box()
    clip = {**box, "height": min(box["height"], tallest_px)}
    page.screenshot(path=folder / f"picture-{name}.png", clip=clip, full_page=True)
    page.set_viewport_size(before)
