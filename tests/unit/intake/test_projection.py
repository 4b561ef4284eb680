"""What is cut out of a document is what the library would cut out of its model."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scim2_models import Context, ResponseParameters, SCIMException
from scim2_server.utils import parametrize

from scim_bridge.domain.models import MODELS
from scim_bridge.domain.resources import CORE_USER, ENTERPRISE_USER, GROUP, USER
from scim_bridge.intake.scim import projection

DOCUMENTS: dict[str, dict[str, Any]] = {
    USER: {
        "schemas": [CORE_USER, ENTERPRISE_USER],
        "id": "2819c223",
        "externalId": "E1",
        "userName": "ann@example.com",
        "name": {"givenName": "Ann", "familyName": "Lee"},
        "displayName": "Ann Lee",
        "title": "Boss",
        "active": True,
        "emails": [{"value": "ann@example.com", "type": "work", "primary": True}, {"type": "home"}],
        "phoneNumbers": [{"value": "+49 30 1234"}],
        "addresses": [{"locality": "Berlin", "type": "work"}],
        ENTERPRISE_USER: {"department": "Sales", "manager": {"value": "M1", "displayName": "Max"}},
        "groups": [{"value": "G1", "display": "Sales", "type": "direct"}],
        "meta": {"resourceType": "User", "version": 'W/"7"'},
    },
    GROUP: {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "id": "e9e30dba",
        "displayName": "Sales",
        "members": [{"value": "2819c223", "type": "User"}],
        "meta": {"resourceType": "Group", "version": 'W/"3"'},
    },
}

NAMES = [
    "id ID schemas userName username name name.givenName name.nickName displayName title active emails emails.value",
    "EMAILS.Type emails.primary phoneNumbers.value addresses groups groups.display meta meta.version meta.location",
    "members members.value externalId nothing nothing.at.all password",
]
PATHS = [name for line in NAMES for name in line.split()] + [
    ENTERPRISE_USER,
    ENTERPRISE_USER.upper(),
    f"{ENTERPRISE_USER}:department",
    f"{ENTERPRISE_USER}:manager.displayName",
    f"{CORE_USER}:emails.type",
    f"{CORE_USER}:userName",
    CORE_USER,
]


@pytest.mark.parametrize("kind", [USER, GROUP])
@given(paths=st.lists(st.sampled_from(PATHS), min_size=1, max_size=4), are_excluded=st.booleans())
@settings(max_examples=300, deadline=None)
def test_what_is_kept_is_what_the_library_keeps(kind: str, paths: list[str], *, are_excluded: bool) -> None:
    name = "excludedAttributes" if are_excluded else "attributes"
    try:
        parameters = parametrize(ResponseParameters, MODELS[kind]).model_validate({name: ",".join(paths)})
    except (ValueError, SCIMException):
        return
    by_library = (
        MODELS[kind]
        .model_validate(DOCUMENTS[kind])
        .model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=parameters)
    )
    kept = projection.of(kind, parameters)
    assert kept is not None
    assert kept.cut(DOCUMENTS[kind]) == by_library


def test_an_attribute_of_an_extension_may_be_asked_for_without_its_urn() -> None:
    """Entra leaves the URN out; the library then shows nothing."""
    parameters = parametrize(ResponseParameters, MODELS[USER]).model_validate({"attributes": "manager.value"})
    kept = projection.of(USER, parameters)
    assert kept is not None
    assert kept.cut(DOCUMENTS[USER]) == {
        "schemas": [CORE_USER, ENTERPRISE_USER],
        "id": "2819c223",
        ENTERPRISE_USER: {"manager": {"value": "M1"}},
    }
