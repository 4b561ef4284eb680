"""What gunicorn itself stumbles over is answered as SCIM, and soon."""

import json
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

UNREADABLE = (
    ("Transfer-Encoding: chunked", b'5\r\n{"use\r\nZZ\r\n', b"400"),  # no chunk length
    ("Content-Length: 99999999999", b"{", b"413"),  # announced, never sent
)


def test_a_body_that_cannot_be_read_is_refused_in_a_sentence(make_bridge: Callable[..., Any]) -> None:
    bridge = make_bridge('[[tenants]]\nid = "acme"\n')
    token = bridge.token("acme")
    address = urlsplit(bridge.url)
    for head, body, status in UNREADABLE:
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            began = time.monotonic()
            lines = ["POST /scim/v2/Users HTTP/1.1", "Host: bridge", f"Authorization: Bearer {token}", head]
            connection.sendall("\r\n".join([*lines, "Content-Type: application/scim+json", "", ""]).encode() + body)
            answer = b""
            while b"}" not in answer and (piece := connection.recv(65_536)):
                answer += piece
        assert time.monotonic() - began < 5
        assert answer.split()[1] == status
        error = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert error["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
        assert error["detail"]
