"""Every metric of the bridge, in one list. Labels name tenants, targets and codes; never people."""

import os
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest, multiprocess

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where the processes of one machine put their numbers; read by prometheus_client when it is imported."""

HTTP_REQUESTS = Counter("scim_bridge_http_requests_total", "Requests answered.", ["route", "method", "status"])
HTTP_SECONDS = Histogram("scim_bridge_http_request_seconds", "Time to answer a request.", ["route"])
WAKES_NOT_TOLD = Counter("scim_bridge_wakes_not_told_total", "Wake-ups that the queue did not take; the relay wakes.")
CALLS = Counter(
    "scim_bridge_calls_total", "Calls made to targets, by how they ended.", ["tenant", "target", "step", "end"]
)
CALL_SECONDS = Histogram(
    "scim_bridge_call_seconds",
    "Time that a target took to answer.",
    ["target"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
OUTCOMES = Counter(
    "scim_bridge_outcomes_total", "What calls made of operations.", ["tenant", "target", "state", "code"]
)
RELAY_FAULTS = Counter("scim_bridge_relay_faults_total", "Duties of the relay that failed and were put off.", ["duty"])

ALL = (HTTP_REQUESTS, HTTP_SECONDS, WAKES_NOT_TOLD, CALLS, CALL_SECONDS, OUTCOMES, RELAY_FAULTS)


def exposition() -> tuple[bytes, str]:
    """Return all numbers of this machine's processes in Prometheus' text form, and its content type."""
    if FOLDER_VARIABLE in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST
    return generate_latest(), CONTENT_TYPE_LATEST


def prepare_folder(data_dir: str | Path) -> Path:
    """Return the folder for the numbers of this machine's processes, making it when it is not there."""
    folder = Path(data_dir) / "metrics"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
