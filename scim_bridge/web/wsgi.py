"""The front door as gunicorn serves it: the application, and /metrics on the address that only operators reach."""

from collections.abc import Callable, Iterable
from typing import Any

from scim_bridge import logs, metrics, secrets, wiring
from scim_bridge.store import tokens
from scim_bridge.store.engine import Store, StoreUnavailable
from scim_bridge.web import inbound, measures
from scim_bridge.web.app import create_app
from scim_bridge.web.pace import Pace, shared_counts

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_DAY_MS = 86_400_000

_COUNTS = shared_counts()
"""Made where this module is read first: in gunicorn's master, so that all processes that it forks count together."""


def make_app() -> WsgiApp:
    """Return what gunicorn calls, with settings, store and dispatcher of this process.

    Raises:
        SettingsRefused: with every problem of the configuration.
    """
    settings = wiring.load_settings("web")
    logs.configure(settings.log_level, process="web")
    store = wiring.open_store(settings)
    wiring.note_loaded(store, settings, who="web")
    app = create_app(
        settings,
        store,
        wiring.open_dispatcher(settings),
        clock=wiring.now_ms,
        secret=secrets.installation_key(settings.data_dir),
        pace=Pace(settings.web.requests_per_s, counts=_COUNTS),
        queue_url=wiring.queue_url(settings),
    )
    measures.install(app)
    inbound.install(app, store, settings, clock=wiring.now_ms)
    admin_port = int(settings.web.admin_bind.rpartition(":")[2])
    return with_admin_door(app.wsgi_app, admin_port=admin_port, days_left=lambda: tokens_days_left(store))


def tokens_days_left(store: Store) -> list[metrics.DaysLeft]:
    """Return how long each token will be good that expires; nothing when the store cannot be read just now."""
    try:
        with store.across_tenants("tell how long tokens will be good") as tx:
            return [(each.tenant, each.token_id, (each.ends_at - tx.now) / _DAY_MS) for each in tokens.ending(tx)]
    except StoreUnavailable:
        return []


def with_admin_door(
    app: WsgiApp, *, admin_port: int, days_left: Callable[[], Iterable[metrics.DaysLeft]] = lambda: ()
) -> WsgiApp:
    """Answer what arrives at the admin port with /metrics and nothing else; all the rest is the application's.

    Told apart by the socket that gunicorn accepted on, which no header can forge.
    """

    def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if local_port(environ) != admin_port:
            return app(environ, start_response)
        if environ.get("PATH_INFO") != "/metrics":
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"only /metrics is here\n"]
        body, content_type = metrics.exposition(days_left())
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
