"""The settings of one receiver of notices, as checked values. `notice_tables` makes them from files."""

from pydantic import Field, SecretStr

from scim_bridge.domain.notices import Kind
from scim_bridge.settings.checked import Checked


class NoticeSettings(Checked):
    """One who is told at once what a person must know: by a signed call of theirs."""

    name: str
    url: str
    # None in processes that send no notices.
    secret: SecretStr | None
    kinds: list[Kind] = Field(default_factory=lambda: list(Kind), min_length=1)
    # Empty: of all.
    tenants: list[str] = Field(default_factory=list)
    # Where a person looks; may hold {tenant}, {target} and {kind}.
    link: str | None = None
