"""The settings of a bridge, as checked values. `loading` makes them from files and the environment."""

from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator

from scim_bridge.domain import spans
from scim_bridge.domain.instants import Millis
from scim_bridge.settings.checked import Checked
from scim_bridge.settings.notices import NoticeSettings
from scim_bridge.settings.sources import SourceSettings

LEAST_BETWEEN_COMPARISONS_MS = 600_000
"""Listing all accounts takes calls that delivery could have."""

Recogniser = Literal["externalId", "email", "userName"]
"""What an account that is met for the first time can be recognised by."""


class StoreSettings(Checked):
    """Where the truth is kept."""

    # May hold a password, so it is never shown.
    url: str = Field(default="sqlite:///var/bridge.db", repr=False)
    pool_size: int = Field(default=10, ge=1)


class QueueSettings(Checked):
    """Where wake-ups are queued. `embedded:` is a Valkey of our own on a unix socket under the data folder."""

    # May hold a password, so it is never shown.
    url: str = Field(default="embedded:", repr=False)


class WebSettings(Checked):
    """The front door."""

    bind: str = "127.0.0.1:8080"
    workers: int = Field(default=2, ge=1)
    threads: int = Field(default=8, ge=1)
    admin_bind: str = "127.0.0.1:9090"
    public_url: str | None = None
    trusted_proxies: int = Field(default=0, ge=0, le=16)
    # Per token, and in a burst as many again; 0: any number.
    requests_per_s: int = Field(default=1000, ge=0, le=1_000_000)
    max_body_bytes: int = Field(default=1_048_576, ge=1)
    bulk_max_operations: int = Field(default=1000, ge=1)
    bulk_max_payload_bytes: int = Field(default=5_242_880, ge=1)
    # 200,000 rows of 160 bytes.
    import_max_bytes: int = Field(default=33_554_432, ge=1)
    max_results: int = Field(default=200, ge=1)
    statement_timeout_s: float = Field(default=2.0, gt=0, allow_inf_nan=False)
    receive_timeout_s: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    receive_buffer_bytes: int = Field(default=67_108_864, ge=1)
    max_connections: int = Field(default=500, ge=1)


class WorkerSettings(Checked):
    """How many delivering processes `up` starts."""

    processes: int = Field(default=2, ge=0)


class GuardSettings(Checked):
    """The threshold on deactivations: number, share of active users, window, and from how many on it applies."""

    max: int = Field(default=50, ge=0, le=1_000_000_000)
    share: float = Field(default=0.1, ge=0, le=1, allow_inf_nan=False)
    window_s: int = Field(default=3600, ge=1, le=2_678_400)
    min: int = Field(default=10, ge=0, le=1_000_000_000)


class LimitSettings(Checked):
    """At most `requests` calls in any `per_s` seconds; of all classes, or of one."""

    requests: int = Field(ge=1)
    per_s: float = Field(gt=0, allow_inf_nan=False)
    class_: str | None = Field(default=None, alias="class")


class FieldSettings(Checked):
    """What a target asks of one of its fields."""

    required: bool = False
    max_length: int | None = Field(default=None, ge=1)
    pattern: str | None = None
    on_too_long: Literal["refuse", "shorten"] = "refuse"


class GroupSettings(Checked):
    """What being in a SCIM group means in the target."""

    group: str | None = None
    courses: list[str] = Field(default_factory=list)
    required_courses: list[str] = Field(default_factory=list)


class TargetSettings(Checked):
    """One system that we provision into. `options` are the kind's own keys, defaults filled in, secrets resolved."""

    name: str
    kind: str
    mode: Literal["live", "dry-run"] = "live"
    on_conflict: Literal["update", "skip", "hold"] = "update"
    on_delete: Literal["deactivate"] = "deactivate"
    on_unscope: Literal["deactivate", "keep"] = "deactivate"
    scope: str | None = None
    quota: str | None = None
    concurrency: int = Field(default=4, ge=1)
    max_age_days: int = Field(default=28, ge=1)
    max_attempts: int = Field(default=8, ge=1)
    match_by: list[Recogniser] = Field(default_factory=lambda: list[Recogniser](("externalId", "email", "userName")))
    guard: GuardSettings = GuardSettings()
    limits: list[LimitSettings] = Field(default_factory=list)
    mapping: dict[str, str] = Field(default_factory=dict)
    fields: dict[str, FieldSettings] = Field(default_factory=dict)
    groups: dict[str, GroupSettings] = Field(default_factory=dict)
    protect: list[str] = Field(default_factory=list)
    reconcile_every: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, SecretStr] = Field(default_factory=dict)

    @field_validator("reconcile_every")
    @classmethod
    def _is_a_span(cls, text: str | None) -> str | None:
        try:
            is_sound = text is None or spans.read_span(text) >= LEAST_BETWEEN_COMPARISONS_MS
        except ValueError:
            is_sound = False
        if not is_sound:
            raise ValueError("must be a length of time from 10m to 365d, such as 24h")
        return text

    @property
    def reconcile_every_ms(self) -> Millis | None:
        """Return after how long the target is compared with the directory again; None: only when somebody asks."""
        return None if self.reconcile_every is None else spans.read_span(self.reconcile_every)


class TenantSettings(Checked):
    """One customer: what sends to us, and what we provision."""

    id: str
    ack: Literal["accept", "confirm"] = "accept"
    # Less than an identity provider waits, and than a key is left to a request that may have died.
    confirm_s: float = Field(default=5.0, gt=0, le=50, allow_inf_nan=False)
    sources: list[SourceSettings] = Field(default_factory=lambda: [SourceSettings(name="idp")])
    targets: list[TargetSettings] = Field(default_factory=list)


class Settings(Checked):
    """Everything that a process of the bridge is told, read once at its entry."""

    store: StoreSettings = StoreSettings()
    queue: QueueSettings = QueueSettings()
    web: WebSettings = WebSettings()
    worker: WorkerSettings = WorkerSettings()
    data_dir: str = "var"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    retention_days: int = Field(default=365, ge=1)
    evidence_days: int = Field(default=30, ge=1)
    tenants: list[TenantSettings] = Field(default_factory=list)
    notices: list[NoticeSettings] = Field(default_factory=list)

    def tenant(self, tenant_id: str) -> TenantSettings | None:
        """Return a tenant's settings, None for a tenant that the configuration does not name."""
        return next((tenant for tenant in self.tenants if tenant.id == tenant_id), None)
