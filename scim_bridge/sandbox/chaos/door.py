"""The front door as the product has it, save that it breaks at the point that it is ordered to."""

from scim_bridge.sandbox.chaos import points
from scim_bridge.web import wsgi


def make_app() -> wsgi.WsgiApp:
    """Return what gunicorn calls, its crash points in place."""
    points.install()
    return wsgi.make_app()
