"""Which scenarios of the demo are played. In the suite a few that are short; by command all of them.

pytest -n 0 tests/acceptance/test_scenarios.py --every-scenario
"""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("scenarios")
    group.addoption("--every-scenario", action="store_true", help="play every scenario of the demo, not only a few")
