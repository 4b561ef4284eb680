"""Reads any number of slashes in a row as one: whoever ends the base URL with a slash asks for `/scim/v2//Users`.

Flask would answer with a redirection, which few senders follow for anything but a GET.
"""

import re
from typing import Any

from flask import Flask

_SLASHES = re.compile("/{2,}")


def install(app: Flask) -> None:
    """Let the application see paths with single slashes."""
    answer = app.wsgi_app

    def call(environ: dict[str, Any], start_response: Any) -> Any:
        environ["PATH_INFO"] = _SLASHES.sub("/", environ.get("PATH_INFO", ""))
        return answer(environ, start_response)

    app.wsgi_app = call  # type: ignore[method-assign] # Flask's own way of putting something in front of it
