"""What `migrate` says when it cannot."""

from pathlib import Path

import pytest
from conftest import Run


@pytest.mark.postgres
def test_a_database_that_nobody_answers_for_is_unavailable(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "bridge.toml"
    config.write_text('[store]\nurl = "postgresql+psycopg://ann:secret@127.0.0.1:1/bridge"\n')
    result = run("migrate", "--config", str(config))
    assert result.exit_code == 1
    assert result.output.startswith("scim-bridge: the store is not available: connection failed")
    assert "secret" not in result.output
