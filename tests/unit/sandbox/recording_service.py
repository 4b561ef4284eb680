"""A SCIM service that keeps users and groups, notes every request, and answers as scripted while a script lasts."""

import json
import re
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Seen:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    document: Any

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(slots=True)
class RecordingService:
    seen: list[Seen] = field(default_factory=list)
    script: deque[tuple[int, dict[str, str]]] = field(default_factory=deque)
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = urlsplit(self.path)
                seen = Seen(
                    self.command,
                    parts.path.removeprefix("/scim/v2"),
                    parts.query,
                    dict(self.headers),
                    json.loads(raw) if raw else None,
                )
                with service.lock:
                    status, headers, document = service.decide(seen)
                body = b"" if document is None else json.dumps(document).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - the names of http.server

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_port}/scim/v2"

    @property
    def lines(self) -> list[str]:
        return [each.line for each in self.seen]

    def decide(self, seen: Seen) -> tuple[int, dict[str, str], Any]:
        self.seen.append(seen)
        if self.script:
            status, headers = self.script.popleft()
            return status, headers, {"detail": "scripted"}
        _, endpoint, *rest = seen.path.split("/")
        if seen.method == "GET" and not rest:
            return 200, {}, self.find(endpoint, seen.query)
        if seen.method == "POST":
            name = seen.document.get("userName") or seen.document["displayName"]
            identifier = f"{endpoint}-{len(self.kept) + 1}"
            if any(each["name"] == name.casefold() for each in self.kept.values()):
                return 409, {}, {"detail": "taken"}
            self.kept[identifier] = {"endpoint": endpoint, "name": name.casefold()}
            return 201, {}, {**seen.document, "id": identifier}
        if rest[0] not in self.kept:
            return 404, {}, None
        if seen.method == "DELETE":
            del self.kept[rest[0]]
            return 204, {}, None
        return (204, {}, None) if endpoint == "Groups" else (200, {}, {**(seen.document or {}), "id": rest[0]})

    def find(self, endpoint: str, query: str) -> dict[str, Any]:
        text = parse_qs(query).get("filter", [""])[0]
        comparison = re.fullmatch(r'(userName|displayName) eq "(.*)"', text)
        found = [
            {"id": identifier}
            for identifier, each in self.kept.items()
            if comparison and each["endpoint"] == endpoint and each["name"] == comparison[2].casefold()
        ]
        return {"totalResults": len(found), "itemsPerPage": len(found), "startIndex": 1, "Resources": found}
