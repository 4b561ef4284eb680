"""A target of kind `scim`: any service that speaks SCIM 2.0, with a bearer token or HTTP Basic."""

from scim_bridge.domain.instants import Clock
from scim_bridge.settings.models import TargetSettings
from workers.http import HttpClient
from workers.targets.scim.connection import Connection
from workers.targets.scim.options import read_options
from workers.targets.scim.service import ScimService


def scim_target(settings: TargetSettings, *, clock: Clock) -> ScimService:
    """Return the target that settings describe. Calls nobody.

    Raises:
        OptionsRefused: naming every option that is wrong.
        ExpressionRefused: when an expression of [mapping] cannot be read.
    """
    options = read_options(settings)
    http = HttpClient(
        (options.base_url,),
        headers={
            "Authorization": options.authorization,
            "Accept": "application/scim+json, application/json",
            "Content-Type": "application/scim+json",
        },
        connect_timeout_s=options.connect_timeout_s,
    )
    connection = Connection(
        base_url=options.base_url,
        http=http,
        timeout_s=options.timeout_s,
        timeout_bulk_s=options.timeout_bulk_s,
        timeout_listing_s=options.timeout_listing_s,
    )
    return ScimService(settings, connection, clock=clock, bounds=options.bounds)
