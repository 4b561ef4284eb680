"""The SCIM resources that we keep: User with Enterprise User, and Group. Bound to RFC 7643 where it does not hurt.

Three of the library's types are narrower than what real senders send, and are widened here: an e-mail address need not
satisfy a validator (`ann@corp.local`), a URL may be any text, and a manager is known by its `value` alone.

To read this module takes half of the time that a process takes to start. Whoever need not look into a document by its
schema goes without: the names of the resources stand in `resources`.
"""

from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, ClassVar

import scim2_models
from pydantic import AfterValidator, Field
from scim2_models import (
    URN,
    CaseExact,
    ComplexAttribute,
    ExtensibleStringEnum,
    Extension,
    InvalidValueException,
    Mutability,
    Reference,
    Required,
    Returned,
    Uniqueness,
)

from scim_bridge.domain.resources import DELIVERY, GROUP, USER
from scim_bridge.domain.states import State


def _refuse_blank(value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise InvalidValueException(
            detail="userName of a User and displayName of a Group must not be empty"
        ).as_pydantic_error()
    return value


NotBlank = AfterValidator(_refuse_blank)


class Email(ComplexAttribute):
    """An e-mail address, any text: directories hold addresses of internal domains."""

    class Type(ExtensibleStringEnum):
        """What the address is for."""

        work = "work"
        home = "home"
        other = "other"

    value: str | None = None
    """Email address of the user."""

    display: str | None = None
    """A human-readable name, primarily used for display purposes."""

    type: Type | None = None
    """A label indicating the attribute's function, e.g., 'work' or 'home'."""

    primary: bool | None = None
    """Whether this is the preferred address."""


class Photo(ComplexAttribute):
    """A link to a photo, any text."""

    class Type(ExtensibleStringEnum):
        """How large the photo is."""

        photo = "photo"
        thumbnail = "thumbnail"

    value: Annotated[str | None, CaseExact.true] = None
    """URL of a photo of the User."""

    display: str | None = None
    """A human-readable name, primarily used for display purposes."""

    type: Type | None = None
    """A label indicating the attribute's function, i.e., 'photo' or 'thumbnail'."""

    primary: bool | None = None
    """Whether this is the preferred photo."""


class Manager(ComplexAttribute):
    """A user's manager, known by `value`; a sender need not give `$ref`."""

    value: Annotated[str | None, CaseExact.true] = None
    """The id of the SCIM resource representing the User's manager."""

    ref: Annotated[Reference["User"] | None, CaseExact.true] = Field(  # type: ignore[type-arg]
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    """The URI of the SCIM resource representing the User's manager."""

    display_name: Annotated[str | None, Mutability.read_only] = None
    """The displayName of the User's manager."""


class EnterpriseUser(scim2_models.EnterpriseUser):
    """Enterprise User"""  # noqa: D415 - the name that /Schemas publishes

    manager: Manager | None = None  # type: ignore[assignment]
    """The User's manager."""


class User(scim2_models.User[scim2_models.AnyExtension]):
    """User Account"""  # noqa: D415 - the name that /Schemas publishes

    user_name: Annotated[str | None, Uniqueness.server, Required.true, NotBlank] = None
    """Unique identifier for the User, typically used by the user to directly authenticate to the service provider."""

    profile_url: Annotated[str | None, CaseExact.true] = None  # type: ignore[assignment]
    """A URL pointing to a page representing the User's online profile."""

    emails: list[Email] | None = None  # type: ignore[assignment]
    """Email addresses for the user."""

    Emails: ClassVar[type[ComplexAttribute]] = Email

    photos: list[Photo] | None = None  # type: ignore[assignment]
    """URLs of photos of the User."""

    Photos: ClassVar[type[ComplexAttribute]] = Photo


class Member(ComplexAttribute):
    """A member of a group. Its display name is the user's to say, not the sender's of the group."""

    value: Annotated[str | None, Mutability.immutable, CaseExact.true] = None
    """Identifier of the member of this Group."""

    ref: Annotated[Reference["User"] | None, Mutability.immutable] = Field(  # type: ignore[type-arg]
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    """The URI of the member."""

    type: Annotated[str | None, Mutability.immutable] = Field(None, examples=["User"])
    """The type of the member."""

    display: Annotated[str | None, Mutability.read_only] = None
    """A human-readable name, primarily used for display purposes."""


class Group(scim2_models.Group):
    """Group"""  # noqa: D415 - the name that /Schemas publishes

    display_name: Annotated[str | None, Required.true, NotBlank] = None
    """A human-readable name for the Group."""

    members: list[Member] | None = None  # type: ignore[assignment]
    """A list of members of the Group."""

    Members: ClassVar[type[ComplexAttribute]] = Member


class Standing(ComplexAttribute):
    """Where the newest change of a resource stands in one target."""

    target: Annotated[str | None, Mutability.read_only, Returned.always, CaseExact.true] = None
    """The target's name."""

    state: Annotated[str | None, Mutability.read_only] = Field(
        None, examples=[str(state) for state in State if state is not State.SUPERSEDED]
    )
    """What has become of the change."""

    code: Annotated[str | None, Mutability.read_only] = None
    """What the last step ended with, as the bridge's catalogue of codes explains; absent before the first."""

    time: Annotated[datetime | None, Mutability.read_only] = None
    """When the last step was."""


class Delivery(Extension):
    """Delivery"""  # noqa: D415 - the name that /Schemas publishes

    __schema__ = URN(DELIVERY)

    targets: Annotated[list[Standing] | None, Mutability.read_only, Returned.request] = None
    """Where the newest change of the resource stands in each target. Shown only when asked for, never stored."""

    Targets: ClassVar[type[ComplexAttribute]] = Standing


MODELS: dict[str, type[scim2_models.Resource[Any]]] = {USER: User[EnterpriseUser], GROUP: Group}
"""What a document is read and stored as, by the name of its resource type; a User's extension is included."""

SHOWN_MODELS: dict[str, type[scim2_models.Resource[Any]]] = {
    USER: User[EnterpriseUser | Delivery],
    GROUP: Group[Delivery],  # type: ignore[misc]
}
"""What an answer may show, by the name of its resource type: what is stored, and what is made for the answer."""

RESOURCE_TYPES = tuple(scim2_models.ResourceType.from_resource(model) for model in MODELS.values())
"""What is announced. Strict clients write every extension that a resource type names, so Delivery is only a schema."""


class BridgeProvider(scim2_models.ScimProvider):
    """Reads requests as what is stored, and tells the schema of what answers may show besides."""

    @cached_property
    def schemas(self) -> tuple[scim2_models.Schema, ...]:
        """Return what /Schemas says."""
        return (*super().schemas, Delivery.to_schema())


def describe_service(
    config: scim2_models.ServiceProviderConfig | None = None, policy: scim2_models.ScimPolicy | None = None
) -> scim2_models.ScimProvider:
    """Return the description of a service that serves these resources."""
    return BridgeProvider(
        models=[User, EnterpriseUser, Group],
        resource_types=list(RESOURCE_TYPES),
        config=config,
        policy=policy,
    )
