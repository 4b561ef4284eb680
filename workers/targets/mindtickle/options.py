"""The options of a MindTickle target, read once. config/targets/mindtickle.toml explains each."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from scim_bridge.settings.models import TargetSettings
from workers.targets.options import OptionReader
from workers.targets.scim.capabilities import Bounds
from workers.targets.scim.options import read_bounds

COMPANY_HEADERS = {
    "X-Company-Id": ("X-Company-Id",),
    "Company-Id": ("Company-Id",),
    "both": ("X-Company-Id", "Company-Id"),
    "none": (),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MindTickleOptions:
    """What may be one way or the other, because the documents contradict each other or say nothing."""

    scim_base_url: str
    rest_base_url: str
    scim_token: str = field(repr=False)
    api_key: str = field(repr=False)
    company_headers: Mapping[str, str] = field(repr=False)
    bulk_mode: str = "scim"
    bounds: Bounds = field(default_factory=Bounds)
    rest_bulk_path: str = "/users/bulk"
    rest_bulk_users: int = 50
    rest_fields: Mapping[str, str] = field(default_factory=dict)
    """Names of the REST side by our attribute names."""
    connect_timeout_s: float = 5.0
    timeout_s: float = 10.0
    timeout_bulk_s: float = 60.0
    timeout_listing_s: float = 300.0


def read_options(settings: TargetSettings) -> MindTickleOptions:
    """Return a target's options, checked.

    Raises:
        OptionsRefused: naming everything that is wrong.
    """
    reader = OptionReader(settings)
    names = COMPANY_HEADERS[reader.choice("company_header", COMPANY_HEADERS)]
    company_id = reader.secret("company_id")
    if names:
        reader.need("company_id", company_id)
    api_key = reader.secret("api_key")
    bulk_mode = reader.choice("bulk_mode", ("scim", "rest", "none"))
    options = MindTickleOptions(
        scim_base_url=reader.url("scim_base_url"),
        rest_base_url=reader.url("rest_base_url"),
        scim_token=reader.secret("scim_token") or api_key,
        api_key=api_key,
        company_headers=dict.fromkeys(names, company_id),
        bulk_mode=bulk_mode,
        bounds=replace(read_bounds(reader), bulk=bulk_mode == "scim"),
        rest_bulk_path=reader.text("rest_bulk_path", "/users/bulk"),
        rest_bulk_users=int(reader.number("rest_bulk_users", 50, least=1)),
        rest_fields={name: str(rest) for name, rest in reader.table("rest_fields").items()},
        connect_timeout_s=reader.number("connect_timeout_s", 5.0, least=0.1),
        timeout_s=reader.number("timeout_s", 10.0, least=0.1),
        timeout_bulk_s=reader.number("timeout_bulk_s", 60.0, least=0.1),
        timeout_listing_s=reader.number("timeout_listing_s", 300.0, least=0.1),
    )
    reader.need("scim_base_url", options.scim_base_url)
    reader.need("api_key", options.api_key)
    if options.bulk_mode == "rest":
        reader.need("rest_base_url", options.rest_base_url)
    reader.finish()
    return options
