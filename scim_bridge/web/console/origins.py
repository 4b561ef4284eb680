"""How a browser reaches the console, and from whose page: whether that is encrypted, and whether the page is ours."""

from urllib.parse import urlsplit

from flask import request


def is_encrypted(public_url: str | None) -> bool:
    """Tell whether browsers come by https: to us, or to the proxy in front that `web.public_url` names."""
    return request.is_secure or urlsplit(public_url or "").scheme == "https"
