"""How often a target is compared with the directory, as its table says."""

import pytest
from pydantic import ValidationError

from scim_bridge.settings.models import TargetSettings


@pytest.mark.parametrize(
    ("text", "every_ms"), [("24h", 86_400_000), ("10m", 600_000), ("365d", 31_536_000_000), (None, None)]
)
def test_a_span_is_read(text: str | None, every_ms: int | None) -> None:
    assert TargetSettings(name="lms", kind="trakstar", reconcile_every=text).reconcile_every_ms == every_ms


@pytest.mark.parametrize("text", ["9m", "0h", "366d", "24", "h", "1w", "-1h", "24h ", "٢٤h", ""])
def test_what_is_no_such_span_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="a length of time from 10m to 365d"):
        TargetSettings(name="lms", kind="trakstar", reconcile_every=text)
