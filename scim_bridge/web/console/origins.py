"""How a browser reaches the console, and from whose page: whether that is encrypted, and whether the page is ours."""

from urllib.parse import urlsplit

from flask import request

_DEFAULT_PORTS = {"http": 80, "https": 443}

_OWN_SITES = frozenset({"same-origin", "none"})
"""Of Sec-Fetch-Site: a page of this very address, or no page at all, as when somebody types it."""


def is_encrypted(public_url: str | None) -> bool:
    """Tell whether browsers come by https: to us, or to the proxy in front that `web.public_url` names."""
    return request.is_secure or urlsplit(public_url or "").scheme == "https"


def is_of_another_site(public_url: str | None) -> bool:
    """Tell whether a form is from a page that is not ours, as far as the browser says.

    Sec-Fetch-Site is the browser's own verdict (Fetch Metadata); those that know it not, or reach us unencrypted,
    send Origin (RFC 6454), which is "null" where they keep it to themselves.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in _OWN_SITES
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    asked = _host_of(origin)
    return asked is None or asked not in {_host_of(f"{urlsplit(origin).scheme}://{request.host}"), _host_of(public_url)}


def _host_of(url: str | None) -> tuple[str, int | None] | None:
    """Return the host and port of an address, None when it has none."""
    try:
        parts = urlsplit(url or "")
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    return None if parts.hostname is None else (parts.hostname, port)
