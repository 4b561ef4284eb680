"""A database whose driver is not installed is told in a sentence."""

import sys

import pytest

from scim_bridge.errors import UsageError
from scim_bridge.store.engine import make_engine


def test_a_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UsageError, match=r"pip install 'scim-bridge\[postgres\]'"):
        make_engine("postgresql+psycopg://bridge@127.0.0.1/bridge")
