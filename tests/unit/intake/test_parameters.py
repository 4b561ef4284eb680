"""What requests ask of their answers is read as senders mean it."""

from typing import Any

import pytest
from scim2_models import InvalidValueException

from scim_bridge.intake.scim import parameters

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


@pytest.mark.parametrize(
    ("asked", "read"),
    [
        ({"attributes": "userName,emails"}, {"attributes": "userName,emails"}),
        # Microsoft's reference collection
        ({"attributes": 'emails[type eq "work"]'}, {"attributes": "emails"}),
        ({"attributes": 'emails[type eq "a,b"].value, name'}, {"attributes": "emails.value,name"}),
        ({"attributes": ['emails[type eq "work"]', "title"]}, {"attributes": ["emails", "title"]}),
        # names of the extension without its URN, as in a filter
        (
            {"excludedAttributes": "department,manager.value"},
            {"excludedAttributes": f"{ENTERPRISE}:department,{ENTERPRISE}:manager.value"},
        ),
        ({"sortBy": "employeenumber"}, {"sortBy": f"{ENTERPRISE}:employeeNumber"}),
        ({"sortBy": f"{ENTERPRISE}:department"}, {"sortBy": f"{ENTERPRISE}:department"}),
        ({"sortBy": "userName", "sortOrder": "Descending"}, {"sortBy": "userName", "sortOrder": "descending"}),
        ({"filter": "userName eq ann", "count": "2"}, {"filter": 'userName eq "ann"', "count": "2"}),
        # left for the models to refuse
        ({"attributes": 7, "sortBy": [1], "sortOrder": None}, {"attributes": 7, "sortBy": [1], "sortOrder": None}),
        ({"attributes": [7]}, {"attributes": [7]}),
    ],
)
def test_parameters_are_read_as_they_are_meant(asked: dict[str, Any], read: dict[str, Any]) -> None:
    assert parameters.tolerate(["User"], asked) == read


def test_names_are_qualified_only_where_one_kind_is_searched() -> None:
    assert parameters.tolerate(["User", "Group"], {"sortBy": "department"}) == {"sortBy": "department"}
    assert parameters.tolerate(["Group"], {"sortBy": "department"}) == {"sortBy": "department"}


def test_asking_for_attributes_while_excluding_others_is_refused() -> None:
    with pytest.raises(InvalidValueException, match="not both"):
        parameters.tolerate(["User"], {"attributes": "title", "excludedAttributes": "emails"})
    assert parameters.tolerate(["User"], {"attributes": "", "excludedAttributes": "emails"})
