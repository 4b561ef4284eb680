"""How much is fuzzed. In the suite little and always the same; by command much and every time different.

pytest -n 0 tests/fuzz --requests 20000
pytest -n 0 tests/fuzz --requests 20000 --fuzz-seed 4711      the same again
"""

import secrets
from dataclasses import dataclass

import pytest

IN_THE_SUITE = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How many requests in all, and where chance starts; without a seed it starts at the same place every time."""

    requests: int
    seed: int | None

    @property
    def is_long(self) -> bool:
        return self.seed is not None

    def share(self, of_suite: int) -> int:
        """Return how many requests a test makes that makes `of_suite` of those in the suite."""
        return round(self.requests * of_suite / IN_THE_SUITE)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("fuzz")
    group.addoption("--requests", type=int, default=None, help="random requests in all, at random (default: 2000)")
    group.addoption("--fuzz-seed", type=int, default=None, help="where chance starts, as a former run told")


def pytest_configure(config: pytest.Config) -> None:
    # Decided once, so that the workers of a run that is spread over processes are told the same.
    if config.getoption("requests") is not None and config.getoption("fuzz_seed") is None:
        config.option.fuzz_seed = secrets.randbelow(10**9)


def pytest_report_header(config: pytest.Config) -> str | None:
    effort = effort_of(config)
    return f"fuzz: {effort.requests} requests, seed {effort.seed}" if effort.is_long else None


def effort_of(config: pytest.Config) -> Effort:
    return Effort(requests=config.getoption("requests") or IN_THE_SUITE, seed=config.getoption("fuzz_seed"))


@pytest.fixture(scope="session")
def effort(pytestconfig: pytest.Config) -> Effort:
    return effort_of(pytestconfig)
