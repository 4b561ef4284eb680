"""The simulated MindTickle tells a URL on this machine whose account came or went."""

import http.server
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from simulator_calls import eventually, patching, scim, scim_user

from scim_bridge.intake.webhooks import events, signatures
from scim_bridge.intake.webhooks.signatures import Door, Scheme
from scim_bridge.sandbox.targets.mindtickle import MindTickleOptions, MindTickleVendor, simulate_mindtickle
from scim_bridge.sandbox.targets.simulator import Simulator

SECRET = "whsec-1"


class Listener(http.server.ThreadingHTTPServer):
    """Keeps what it is sent: headers and bodies."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/webhooks/acme/mt"

    @property
    def kinds(self) -> list[str]:
        return [json.loads(body)["event"].partition(".")[2] for _, body in self.heard]


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((dict(self.headers), body))  # type: ignore[attr-defined] # a Listener
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Write nothing."""


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def tickle() -> Iterator[Simulator[MindTickleVendor]]:
    with simulate_mindtickle(api_key="key", limits=()) as sim:
        yield sim


@pytest.mark.parametrize("scheme", ["A", "B"])
def test_what_it_sends_is_what_the_front_door_takes(
    tickle: Simulator[MindTickleVendor], listener: Listener, scheme: str
) -> None:
    options = {"webhook_url": listener.url, "webhook_secret": SECRET, "webhook_scheme": scheme}
    tickle.vendor.set_options(options)
    made = scim(tickle, "POST", "/Users", scim_user("ann")).json["id"]
    assert eventually(lambda: tickle.vendor.webhooks.statuses == [200])
    [(headers, body)] = listener.heard
    found = signatures.verify(Door(secret=SECRET.encode(), scheme=Scheme(scheme)), headers, body)
    assert abs(found.at - time.time() * 1000) < 60_000
    read = events.read(body, headers["Content-Type"])
    assert read is not None
    assert (read.kind, read.account_id) == ("user.provisioned", made)
    assert headers["X-MT-Event-Id"]


def test_it_tells_of_who_comes_or_goes_and_of_nothing_else(
    tickle: Simulator[MindTickleVendor], listener: Listener
) -> None:
    tickle.vendor.set_options({"webhook_url": listener.url, "webhook_secret": SECRET})
    made = scim(tickle, "POST", "/Users", scim_user("ann")).json["id"]
    scim(tickle, "POST", "/Users", scim_user("bo", active=False))
    scim(tickle, "POST", "/Groups", {"displayName": "Sales", "members": [{"value": made}]})
    for change in ({"title": "Engineer"}, {"active": False}, {"active": False}, {"active": True}):
        scim(tickle, "PATCH", f"/Users/{made}", patching({"op": "replace", "value": change}))
    scim(tickle, "DELETE", f"/Users/{made}")
    assert eventually(lambda: len(tickle.vendor.webhooks.statuses) == 4)
    assert listener.kinds == ["provisioned", "deprovisioned", "provisioned", "deprovisioned"]


def test_nobody_who_listens_is_no_trouble(tickle: Simulator[MindTickleVendor], listener: Listener) -> None:
    tickle.vendor.set_options({"webhook_url": listener.url.replace("127.0.0.1", "127.0.0.2"), "webhook_secret": SECRET})
    assert scim(tickle, "POST", "/Users", scim_user("ann")).status == 201
    assert eventually(lambda: tickle.vendor.webhooks.statuses == [0])


@pytest.mark.parametrize(
    "options",
    [
        {"webhook_url": "http://bridge.example.com/webhooks/acme/mt", "webhook_secret": SECRET},
        {"webhook_url": "https://127.0.0.1/webhooks/acme/mt", "webhook_secret": SECRET},
        {"webhook_url": "http://127.0.0.1:1/webhooks/acme/mt"},
        {"webhook_scheme": "C"},
    ],
)
def test_it_sends_nothing_off_this_machine(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="webhook"):
        MindTickleOptions(**options)  # type: ignore[arg-type] # wrong on purpose
