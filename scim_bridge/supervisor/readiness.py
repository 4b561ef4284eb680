"""Asking the front door whether it can accept."""

import http.client

from scim_bridge.supervisor.ports import Address

PROBE_S = 1.0


def is_ready(address: Address, *, timeout_s: float = PROBE_S) -> bool:
    """Tell whether /readyz answers 200. Never raises: a door that is not there yet is not ready."""
    host = address.url.removeprefix("http://").rpartition(":")[0].strip("[]")
    connection = http.client.HTTPConnection(host, address.port, timeout=timeout_s)
    try:
        connection.request("GET", "/readyz", headers={"Connection": "close"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
