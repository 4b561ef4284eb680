"""Every metric of the bridge, in one list. Labels name tenants, targets and codes; never people."""

import os
from collections.abc import Iterable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from scim_bridge.metrics_folder import FOLDER_VARIABLE

HTTP_REQUESTS = Counter("scim_bridge_http_requests_total", "Requests answered.", ["route", "method", "status"])
REFUSED = Counter(
    "scim_bridge_refused_total",
    "Requests refused at the door: missing, malformed, unknown, wrong, revoked, expired, guessed, network, scope.",
    ["reason"],
)
PACED = Counter(
    "scim_bridge_paced_total", "Requests refused because their token makes too many.", ["tenant", "token_id"]
)
ACKNOWLEDGED = Counter(
    "scim_bridge_acknowledged_total",
    "Writes of tenants that confirm: confirmed, refused, or accepted because of leaver, bulk, busy, time and so on.",
    ["how"],
)
HTTP_SECONDS = Histogram("scim_bridge_http_request_seconds", "Time to answer a request.", ["route"])
INBOUND_DROPPED = Counter(
    "scim_bridge_inbound_dropped_total",
    "Requests that are not in the list of those that came in: too many in a second, or the store was down.",
)
WEBHOOKS = Counter(
    "scim_bridge_webhooks_total",
    "Webhooks of targets: read_back, folded, echo, unknown, duplicate, ignored, stale, malformed, refused.",
    ["tenant", "target", "outcome"],
)
HR_EVENTS = Counter(
    "scim_bridge_hr_events_total",
    "Events of HR systems by what became of them: created, updated, deactivated, scheduled, unchanged, refused, kept,"
    " needs_fetch, duplicate, ignored; and deliveries that were refused whole: status_401 and so on.",
    ["tenant", "source", "outcome"],
)
HR_FETCHES = Counter(
    "scim_bridge_hr_fetches_total",
    "People who were looked up in HR systems: found, missing, or not told because the call was refused, throttled,"
    " failed; forbidden: others are shown to us.",
    ["tenant", "source", "outcome"],
)
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
HELD = Counter("scim_bridge_held_total", "People whose deactivation the guard held.", ["tenant", "target"])
NOTICES = Counter(
    "scim_bridge_notices_total",
    "Notices by what became of them: sent, failed, given_up.",
    ["receiver", "kind", "outcome"],
)
RELAY_FAULTS = Counter("scim_bridge_relay_faults_total", "Duties of the relay that failed and were put off.", ["duty"])


DaysLeft = tuple[str, str, float]
"""Of a token: its tenant, its id, and the days that it will still be good for."""


class TokenDaysLeft(Collector):
    """How long tokens will still be good, read from the store when somebody looks."""

    name = "scim_bridge_token_days_left"
    labels = ("tenant", "token_id")

    def __init__(self, tokens: Iterable[DaysLeft] = ()) -> None:
        """Tell of these tokens."""
        self._tokens = tokens

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the numbers, as Prometheus' library asks for them."""
        family = GaugeMetricFamily(self.name, "Days until a good token expires; of those that do.", labels=self.labels)
        for tenant, token_id, days in self._tokens:
            family.add_metric((tenant, token_id), days)
        return [family]


ALL = (
    *(
        HTTP_REQUESTS,
        HTTP_SECONDS,
        INBOUND_DROPPED,
        REFUSED,
        PACED,
        ACKNOWLEDGED,
        WEBHOOKS,
        HR_EVENTS,
        HR_FETCHES,
        WAKES_NOT_TOLD,
        CALLS,
        CALL_SECONDS,
        OUTCOMES,
        HELD,
        NOTICES,
        RELAY_FAULTS,
    ),
    TokenDaysLeft(),
)


def exposition(days_left: Iterable[DaysLeft] = ()) -> tuple[bytes, str]:
    """Return all numbers of this machine's processes in Prometheus' text form, and its content type.

    `days_left` is what the store says of the tokens that expire.
    """
    registry = REGISTRY
    if FOLDER_VARIABLE in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    of_tokens = CollectorRegistry()
    of_tokens.register(TokenDaysLeft(days_left))
    return generate_latest(registry) + generate_latest(of_tokens), CONTENT_TYPE_LATEST
