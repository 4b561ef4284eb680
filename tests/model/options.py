"""How many histories are lived through. In the suite few and always the same; by command many and every time different.

pytest -n 0 tests/model --histories 2000
pytest -n 0 tests/model --histories 2000 --history-seed 4711      the same again
"""

import secrets
from dataclasses import dataclass

import pytest

IN_THE_SUITE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Histories:
    """How many, and where chance starts."""

    number: int
    seed: int

    @property
    def is_long(self) -> bool:
        return self.number > IN_THE_SUITE


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("model")
    group.addoption("--histories", type=int, default=None, help=f"random histories (default: {IN_THE_SUITE})")
    group.addoption("--history-seed", type=int, default=None, help="where chance starts, as a former run told")


def pytest_configure(config: pytest.Config) -> None:
    # Decided once, so that the workers of a run that is spread over processes are told the same.
    if config.getoption("histories") is not None and config.getoption("history_seed") is None:
        config.option.history_seed = secrets.randbelow(10**9)


def pytest_report_header(config: pytest.Config) -> str:
    told = histories_of(config)
    return f"model: {told.number} histories, seed {told.seed}"


def histories_of(config: pytest.Config) -> Histories:
    return Histories(number=config.getoption("histories") or IN_THE_SUITE, seed=config.getoption("history_seed") or 0)


@pytest.fixture(scope="session")
def histories(pytestconfig: pytest.Config) -> Histories:
    return histories_of(pytestconfig)
