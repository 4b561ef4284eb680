"""The options of a SCIM target, read once. config/targets/scim.toml explains each."""

import base64
from dataclasses import dataclass, field, replace

from scim_bridge.settings.models import TargetSettings
from workers.targets.options import OptionReader
from workers.targets.scim.capabilities import Bounds

_WORD = {"auto": None, "on": True, "off": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScimOptions:
    """Where a service is, how we show who we are, and what is known of it beyond its own word."""

    base_url: str
    authorization: str = field(repr=False)
    """The value of that header."""
    bounds: Bounds = field(default_factory=Bounds)
    connect_timeout_s: float = 5.0
    timeout_s: float = 10.0
    timeout_bulk_s: float = 60.0
    timeout_listing_s: float = 300.0


def read_options(settings: TargetSettings) -> ScimOptions:
    """Return a target's options, checked.

    Raises:
        OptionsRefused: naming everything that is wrong.
    """
    reader = OptionReader(settings)
    options = ScimOptions(
        base_url=reader.url("base_url"),
        authorization=_authorization(reader),
        bounds=_bounds(reader),
        connect_timeout_s=reader.number("connect_timeout_s", 5.0, least=0.1),
        timeout_s=reader.number("timeout_s", 10.0, least=0.1),
        timeout_bulk_s=reader.number("timeout_bulk_s", 60.0, least=0.1),
        timeout_listing_s=reader.number("timeout_listing_s", 300.0, least=0.1),
    )
    reader.need("base_url", options.base_url)
    reader.finish()
    return options


def _authorization(reader: OptionReader) -> str:
    if reader.choice("auth", ("bearer", "basic")) == "bearer":
        token = reader.secret("token")
        reader.need("token", token)
        return f"Bearer {token}"
    username, password = reader.secret("username"), reader.secret("password")
    reader.need("username", username)
    reader.need("password", password)
    if ":" in username:
        # RFC 7617 section 2: the first colon ends the name.
        reader.problems.append("username must not hold a colon")
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def read_bounds(reader: OptionReader) -> Bounds:
    """Return what the options say of PATCH, filters, searches and pages, over the service's own word."""
    filters = reader.choice("filter", ("auto", "joined", "single", "off"))
    return Bounds(
        page=int(reader.number("page_size", 100, least=1)),
        patches=_WORD[reader.choice("patch", ("auto", "on", "off"))],
        filters={"auto": None, "off": False}.get(filters, True),
        joins_filters=False if filters in {"single", "off"} else None,
        searches=_WORD[reader.choice("search", ("auto", "off"))],
    )


def _bounds(reader: OptionReader) -> Bounds:
    return replace(
        read_bounds(reader),
        bulk=reader.choice("bulk", ("auto", "off")) == "auto",
        bulk_operations=int(reader.number("bulk_max_operations", 100, least=1)),
        bulk_bytes=int(reader.number("bulk_max_payload_bytes", 1_048_576, least=1)),
    )
