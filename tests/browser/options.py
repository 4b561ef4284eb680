"""How long the key is wrong in the incident at the console. In the suite for seconds; by command for its whole hour.

pytest -n 0 tests/browser/test_incident.py --incident-s 3600
"""

import pytest

IN_THE_SUITE_S = 3.0
BESIDES_S = 240
"""What the rest of the incident may take."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("browser")
    group.addoption(
        "--incident-s",
        type=float,
        default=IN_THE_SUITE_S,
        help="seconds that a target refuses the key, in the browser's incident (default: %(default)s)",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    longest_s = config.getoption("incident_s") + BESIDES_S
    for item in items:
        if "incident_s" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(longest_s))


@pytest.fixture
def incident_s(pytestconfig: pytest.Config) -> float:
    return float(pytestconfig.getoption("incident_s"))
