"""A process reads at its start what it needs, and leaves what others need."""

import subprocess
import sys

import pytest

OF_MODELS = {"scim2_models", "scim2_server", "flask", "lark"}


@pytest.mark.parametrize(
    ("modules", "others_needs"),
    [
        # Checks the settings and becomes another process.
        ("scim_bridge.cli.processes", OF_MODELS | {"alembic", "redis", "requests", "sqlalchemy", "structlog"}),
        # Migrates, starts the others and watches them.
        ("scim_bridge.cli.bringing_up", OF_MODELS | {"prometheus_client", "redis", "requests", "rq", "structlog"}),
        # Tells workers, and calls nobody until there is somebody to tell or to ask.
        ("workers.__main__, workers.relay.loop", OF_MODELS | {"alembic", "pydantic_settings", "requests", "urllib3"}),
        ("workers.__main__, workers.queue, workers.errands", OF_MODELS | {"alembic", "pydantic_settings", "rich.live"}),
    ],
)
def test_a_process_reads_no_library_that_only_others_need(modules: str, others_needs: set[str]) -> None:
    code = f"import sys, {modules}; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert others_needs.intersection(ended.stdout.split()) == set()
