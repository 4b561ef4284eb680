"""Builds the web application from its parts; knows no rule."""

import random
import secrets
import time
from collections.abc import Callable

from flask import Blueprint, Flask, Response, g, request

from scim_bridge import logs
from scim_bridge.dispatch import Dispatcher
from scim_bridge.domain.instants import Clock
from scim_bridge.intake.hr.imports.door import ImportDoor
from scim_bridge.intake.hr.receiving import EventReceiver
from scim_bridge.intake.scim import acknowledging
from scim_bridge.intake.scim.acknowledging import WaitingRoom
from scim_bridge.intake.scim.keeping import Keys
from scim_bridge.intake.scim.service import BridgeService
from scim_bridge.intake.webhooks.receiving import Receiver
from scim_bridge.recording.scopes import scopes_of
from scim_bridge.recording.voices import voices_among
from scim_bridge.settings.models import Settings
from scim_bridge.store.engine import Store
from scim_bridge.web import errors, proxies, slashes
from scim_bridge.web.api.doors import api_endpoints
from scim_bridge.web.api.operations import Desk
from scim_bridge.web.auth import Doorkeeper
from scim_bridge.web.console.doors import console_endpoints
from scim_bridge.web.correlation import HEADER, correlation_id_of
from scim_bridge.web.description import description_endpoint
from scim_bridge.web.health import health_endpoints
from scim_bridge.web.hr import import_endpoints
from scim_bridge.web.hr_events import event_endpoint
from scim_bridge.web.pace import Pace
from scim_bridge.web.scim import ScimEndpoints
from scim_bridge.web.webhooks import webhook_endpoint


def create_app(
    settings: Settings,
    store: Store,
    dispatcher: Dispatcher,
    *,
    clock: Clock,
    secret: bytes,
    pace: Pace | None = None,
    queue_url: str = "",
    sleep: Callable[[float], None] = time.sleep,
    monotonic_s: Callable[[], float] = time.monotonic,
) -> Flask:
    """Return the web application over an open store.

    `secret` seals what is handed out and taken back (cursors) and makes digests; every web process needs the same.
    `pace` holds each token to so many requests; without one it may make any number. At `queue_url` it is asked which
    processes are alive. `sleep` and `monotonic_s` are for requests that wait until their change is settled.

    Raises:
        ValueError: a target's `scope` is no SCIM filter.
        UsageError: a source's secret is no key of its kind.
    """
    app = _bare_app(settings)
    doorkeeper = Doorkeeper(store, clock, pace)
    service = BridgeService(settings.web, secret=secret)
    places = acknowledging.places_among(settings.web.threads)

    def step_aside() -> None:
        # Of two requests that were in each other's way, none comes back in step with the other.
        sleep(random.uniform(0.02, 0.2))  # noqa: S311 - no secret

    scopes = {tenant.id: scopes_of(tenant) for tenant in settings.tenants}
    ScimEndpoints(
        service,
        store,
        dispatcher,
        doorkeeper,
        scopes=scopes,
        voices=voices_among(settings.tenants, store),
        confirm_s={tenant.id: tenant.confirm_s for tenant in settings.tenants if tenant.ack == "confirm"},
        keys=Keys(store, service, secret=secret, new_owner=lambda: secrets.token_hex(16)),
        room=WaitingRoom(store, places=places, monotonic_s=monotonic_s, sleep=sleep),
        settings=settings.web,
        step_aside=step_aside,
    ).init_app(app)
    receiver = Receiver(settings.tenants, store, dispatcher, step_aside=step_aside)
    app.register_blueprint(webhook_endpoint(receiver, most_bytes=settings.web.max_body_bytes))
    events = EventReceiver(settings.tenants, store, dispatcher, scopes=scopes, step_aside=step_aside)
    app.register_blueprint(event_endpoint(events, most_bytes=settings.web.max_body_bytes))
    app.register_blueprint(_imports(settings, store, doorkeeper, secret=secret))
    app.register_blueprint(description_endpoint(settings.web))
    app.register_blueprint(health_endpoints(store))
    desk = Desk(settings=settings, store=store, dispatcher=dispatcher, clock=clock, queue_url=queue_url)
    app.register_blueprint(api_endpoints(desk, doorkeeper))
    app.register_blueprint(console_endpoints(desk, doorkeeper, secret=secret))
    return app


def _bare_app(settings: Settings) -> Flask:
    """Return an application without endpoints: how it answers errors, names requests and reads addresses."""
    app = Flask(__name__, static_folder=None)
    app.url_map.strict_slashes = False
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False  # SCIM has no OPTIONS; it is refused with what there is
    errors.install(app)
    app.before_request(_follow)
    app.after_request(_name_the_request)
    slashes.install(app)
    proxies.install(app, trusted_proxies=settings.web.trusted_proxies)
    return app


def _imports(settings: Settings, store: Store, doorkeeper: Doorkeeper, *, secret: bytes) -> Blueprint:
    door = ImportDoor(settings.tenants, store, secret=secret, new_owner=lambda: secrets.token_hex(16))
    return import_endpoints(door, store, doorkeeper, most_bytes=settings.web.import_max_bytes)


def _follow() -> None:
    g.correlation_id = correlation_id_of(request.headers.get(HEADER))
    logs.follow(g.correlation_id)


def _name_the_request(response: Response) -> Response:
    response.headers[HEADER] = g.get("correlation_id", "")
    return response
