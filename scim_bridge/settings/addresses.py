"""What may stand where an address is asked for: of targets, of the queue, of the store, of our own doors."""

import ipaddress
from urllib.parse import urlsplit

EMBEDDED = "embedded:"


def is_loopback(host: str | None) -> bool:
    """Tell whether a host name means this machine."""
    if host is None:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_loopback_url(url: str) -> bool:
    """Tell whether a URL leads to this machine."""
    try:
        return is_loopback(urlsplit(url).hostname)
    except ValueError:
        return False


def problem_with_target(url: str) -> str | None:
    """Return why a URL cannot be a target's address, None when it can.

    Every call carries the credential: off this machine it must not travel in clear text.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is no address"
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        return "must be an address like https://host/path"
    if parts.username or parts.password:
        return "must hold no user name or password; credentials are options of their own"
    if parts.query or parts.fragment:
        return "must end with its path, without ? or #"
    if parts.scheme == "http" and not is_loopback(host):
        return "must use https unless it is on this machine"
    return None


def problem_with_public_url(url: str) -> str | None:
    """Return why a URL cannot be what senders call us, None when it can."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.username or parts.query or parts.fragment:
        return "must be an address like https://bridge.example.com"
    return None


def problem_with_link(url: str) -> str | None:
    """Return why a URL cannot be one that a person follows, None when it can."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    return None if usable and not parts.username else "must be an address like https://bridge.example.com/page"


def problem_with_queue(url: str) -> str | None:
    """Return why a URL cannot be the queue's, None when it can.

    Whoever can write to the queue can make workers do work: off this machine it needs a password or TLS.
    """
    if url == EMBEDDED:
        return None
    try:
        parts = urlsplit(url)
        host, password = parts.hostname, parts.password
    except ValueError:
        return "is no address"
    if parts.scheme == "unix":
        return None if parts.path else "must name a socket, like unix:///run/valkey.sock"
    if parts.scheme not in {"redis", "rediss"} or not host:
        return "must be embedded:, redis://..., rediss://... or unix://..."
    if parts.scheme == "redis" and not password and not is_loopback(host):
        return "needs a password or TLS (rediss://) unless it is on this machine"
    return None


def problem_with_store(url: str) -> str | None:
    """Return why a URL cannot be the store's, None when it can."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "sqlite":
        return None if rest.strip("/") else "must name a file, like sqlite:///var/bridge.db"
    if separator and scheme in {"postgresql", "postgresql+psycopg"}:
        return None
    return "must be sqlite:///file or postgresql+psycopg://..."


def problem_with_bind(bind: str) -> str | None:
    """Return why a text cannot be an address to listen on, None when it can."""
    host, separator, port = bind.rpartition(":")
    if separator and host and port.isdigit() and int(port) <= 65_535:
        return None
    return "must be HOST:PORT, like 127.0.0.1:8080"
