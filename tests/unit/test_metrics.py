"""config/README.md tells exactly the metrics that there are."""

import re
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram

from scim_bridge import metrics

README = Path(__file__).resolve().parents[2] / "config" / "README.md"
ROW = re.compile(r"^\| [^|]+ \| `(scim_bridge_\w+)` \|(.*)\|$", re.MULTILINE)


def told() -> dict[str, set[str]]:
    """Return the README's metrics with their labels."""
    return {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in ROW.findall(README.read_text("utf-8"))}


def there() -> dict[str, set[str]]:
    """Return the metrics that the code lists, with their labels."""
    found = {metrics.TokenDaysLeft.name: set(metrics.TokenDaysLeft.labels)}
    for each in metrics.ALL:
        if not isinstance(each, metrics.TokenDaysLeft):
            [described] = each.describe()
            found[described.name + "_total" * (described.type == "counter")] = set(each._labelnames)
    return found


def test_every_metric_is_told_with_its_labels() -> None:
    assert told() == there()


def test_every_metric_is_listed() -> None:
    made = [each for each in vars(metrics).values() if isinstance(each, (Counter, Gauge, Histogram))]
    assert [each for each in made if each not in metrics.ALL] == []
