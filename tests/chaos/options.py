"""How often each kind of process is killed. In the suite a few times; by command often.

pytest -n 0 tests/chaos/test_kills.py --kills 10
"""

from dataclasses import dataclass

import pytest

IN_THE_SUITE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Kills:
    """How many of each kind, while how many people are pushed for how long."""

    of_each: int

    @property
    def people(self) -> int:
        """Return a number for two senders, even."""
        return 24 * self.of_each

    @property
    def run_s(self) -> float:
        """Return long enough for all to be up again between two kills."""
        return 4.0 * self.of_each


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaos")
    group.addoption(
        "--kills", type=int, default=IN_THE_SUITE, help="kills of each kind of process (default: %(default)s)"
    )


@pytest.fixture
def kills(pytestconfig: pytest.Config) -> Kills:
    return Kills(of_each=pytestconfig.getoption("kills"))
