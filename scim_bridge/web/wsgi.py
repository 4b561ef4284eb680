"""The front door as gunicorn serves it: the application, and /metrics on the address that only operators reach."""

from collections.abc import Callable, Iterable
from typing import Any

from scim_bridge import logs, metrics, secrets, wiring
from scim_bridge.web import measures
from scim_bridge.web.app import create_app

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def make_app() -> WsgiApp:
    """Return what gunicorn calls, with settings, store and dispatcher of this process.

    Raises:
        SettingsRefused: with every problem of the configuration.
    """
    settings = wiring.load_settings("web")
    logs.configure(settings.log_level, process="web")
    app = create_app(
        settings,
        wiring.open_store(settings),
        wiring.open_dispatcher(settings),
        clock=wiring.now_ms,
        secret=secrets.installation_key(settings.data_dir),
    )
    measures.install(app)
    return with_admin_door(app.wsgi_app, admin_port=int(settings.web.admin_bind.rpartition(":")[2]))


def with_admin_door(app: WsgiApp, *, admin_port: int) -> WsgiApp:
    """Answer what arrives at the admin port with /metrics and nothing else; all the rest is the application's.

    Told apart by the socket that gunicorn accepted on, which no header can forge.
    """

    def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if local_port(environ) != admin_port:
            return app(environ, start_response)
        if environ.get("PATH_INFO") != "/metrics":
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"only /metrics is here\n"]
        body, content_type = metrics.exposition()
        start_response("200 OK", [("Content-Type", content_type), ("Content-Length", str(len(body)))])
        return [body]

    return call


def local_port(environ: dict[str, Any]) -> int | None:
    """Return the port that a request came in by, None where the server does not tell."""
    accepted = environ.get("gunicorn.socket")
    if accepted is None:
        return None
    name = accepted.getsockname()
    return name[1] if isinstance(name, tuple) else None
