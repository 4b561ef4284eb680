"""Requests as schemathesis makes them of /api/v1's own description, to a tenant with a little of everything."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from fuzz.options import Effort
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from running.door import Ticking
from running.offices import TARGET, Office, Offices
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from scim_bridge.store.verify import verify_ledger
from scim_bridge.web.api.operations import Role

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

IN_THE_SUITE = 300

STRANGE_NAME, LOW_ROLE, NO_TOKEN, CHOICES = 5, 11, 17, 31
"""What chance decides about: otherwise names and numbers are such as there are, and the token is an admin's."""

MOMENTS = st.sampled_from(["30m", "12h", "7d", "2023-11-14", "2023-11-14T22:00Z", "2023-11-14T22:00:00+02:00", "soon"])

PROBLEM = {"type", "title", "status", "detail", "instance"}


@pytest.fixture
def offices(sqlite_url: str) -> Iterator[Offices]:
    opened = Offices(sqlite_url, Ticking())
    yield opened
    opened.close()


def test_every_answer_of_the_api_is_one_that_is_described(offices: Offices, effort: Effort) -> None:
    schemathesis.openapi.format("moment", MOMENTS)
    app = offices.app(queue_url="unix:///dev/null/none")
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    operations = [each.ok() for each in schema.get_all_operations()]
    statuses: Counter[int] = Counter()
    each_times = -(-effort.share(IN_THE_SUITE) // len(operations))
    for number, operation in enumerate(operations):
        _run(operation, _asker(offices.by_tenant["acme"], statuses), times=each_times, seed=(effort.seed or 0) + number)
    assert statuses.total() >= effort.share(IN_THE_SUITE)
    well = sum(count for status, count in statuses.items() if status < 300)
    assert well > statuses.total() / 8, statuses
    assert {401, 403, 404, 409} <= set(statuses), statuses
    assert verify_ledger(offices.store)["balanced"]


def _run(operation: Any, ask: Callable[[Any], None], *, times: int, seed: int) -> None:
    right = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    wrong = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    strategy = st.tuples(st.one_of(right, right, wrong), st.integers(0, CHOICES))
    test = hypothesis.seed(seed)(hypothesis.given(strategy)(ask))
    hypothesis.settings(
        max_examples=times,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )(test)()


def _asker(office: Office, statuses: Counter[int]) -> Callable[[Any], None]:
    def ask(drawn: tuple[Any, int]) -> None:
        case, number = drawn
        if number != STRANGE_NAME:
            _name(case, office, number)
        role = Role.VIEWER if number == LOW_ROLE else Role.ADMIN
        case.headers = {} if number == NO_TOKEN else {"Authorization": f"Bearer {office.tokens[role.value]}"}
        response = case.call()
        statuses[response.status_code] += 1
        told = response.text
        assert response.status_code < 500 or (response.status_code == 503 and "/queue/" in case.path), told
        if number == NO_TOKEN:
            assert response.status_code == 401, told
        if response.status_code >= 400:
            assert set(response.json()) >= PROBLEM
            assert len(response.json()["detail"]) < 2000, "a problem is no place to give the request back"
        case.validate_response(response, checks=CHECKS)

    return ask


def _name(case: Any, office: Office, number: int) -> None:
    """Put names and numbers of what there is where chance has put others."""
    there = {
        "target": TARGET,
        "source": "hr",
        "user": office.name_of("cyd"),
        "who": office.name_of("ann"),
        "name": office.import_name,
        "event": office.event,
        "replay": office.replay,
        "errand": office.errand,
        "batch": office.batch,
        "token": office.token_ids["scim"],
    }
    for part in (case.path_parameters, case.query, case.body):
        if isinstance(part, dict):
            part.update({name: value for name, value in there.items() if name in part})
    if isinstance(case.body, dict) and "operations" in case.body and number % 2:
        case.body["operations"] = [office.dead[number % len(office.dead)]]
