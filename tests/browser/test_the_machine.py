"""The one line that tells that the console was not tried in a browser here."""

import pytest
from browser import machine


def test_the_console_is_tried_in_a_browser() -> None:
    if machine.lacking() is not None and not machine.is_required():
        pytest.skip(f"the console is not tried in a browser here: {machine.lacking()} is missing")
    assert machine.lacking() is None
