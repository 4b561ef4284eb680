"""What the proxies in front of us say of a request: from which address it came, and by which URL.

Anybody can write these headers, so they are only heard where the configuration says how many proxies there are, and
then only what those proxies wrote: each appends to X-Forwarded-For the address that it saw.
"""

import re
from typing import Any

from flask import Flask

_HOST = re.compile(r"([A-Za-z0-9]([A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")


def install(app: Flask, *, trusted_proxies: int) -> None:
    """Let the application see requests as the outermost of so many proxies saw them; without any, as they come."""
    if not trusted_proxies:
        return
    answer = app.wsgi_app

    def call(environ: dict[str, Any], start_response: Any) -> Any:
        _tell(environ, trusted_proxies)
        return answer(environ, start_response)

    app.wsgi_app = call  # type: ignore[method-assign] # Flask's own way of putting something in front of it


def _tell(environ: dict[str, Any], trusted_proxies: int) -> None:
    environ["REMOTE_ADDR"] = sender_of(environ.get("HTTP_X_FORWARDED_FOR"), trusted_proxies)
    scheme = _said(environ.get("HTTP_X_FORWARDED_PROTO"), trusted_proxies).lower()
    if scheme in {"http", "https"}:
        environ["wsgi.url_scheme"] = scheme
    host = _said(environ.get("HTTP_X_FORWARDED_HOST"), trusted_proxies)
    if _HOST.fullmatch(host):
        environ["HTTP_HOST"] = host


def sender_of(forwarded_for: str | None, trusted_proxies: int) -> str:
    """Return the sender's address as the outermost trusted proxy saw it: that many entries from the right.

    With fewer entries the request passed by a proxy, or one of them tells nothing. The sender is unknown then (an empty
    text): to take the nearest proxy for it would let everybody into a network that only the proxy is in.
    """
    entries = (forwarded_for or "").rsplit(",", trusted_proxies)[-trusted_proxies:]
    return entries[0].strip() if len(entries) == trusted_proxies else ""


def _said(header: str | None, trusted_proxies: int) -> str:
    """Return what the outermost trusted proxy said. Most proxies set these headers anew instead of appending."""
    return (header or "").rsplit(",", trusted_proxies)[-trusted_proxies:][0].strip()
