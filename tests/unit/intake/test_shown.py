"""The text that senders get says what the document says, member by member."""

import json

import pytest

from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.intake.scim import shown
from scim_bridge.intake.scim.shown import Shown
from scim_bridge.store.directory import Stored
from scim_bridge.store.members import Membership

BASE = 'https://front"door.example/scim/v2'


def stored_as(kind: str, text: str) -> Stored:
    return Stored(
        id=1,
        scim_id="r1",
        kind=kind,
        text=text,
        version=3,
        active=True,
        created_at=1_700_000_000_000,
        modified_at=1_700_000_000_001,
    )


@pytest.mark.parametrize(
    ("kind", "ends"),
    [
        (USER, None),
        (USER, []),
        (USER, [Membership(scim_id="g1", document='{"displayName":"Sales \\"ä\\u0001 & more"}')]),
        (USER, [Membership(scim_id="g1", document="{}"), Membership(scim_id="g2", document='{"displayName":"x"}')]),
        (GROUP, None),
        (GROUP, []),
        (GROUP, [Membership(scim_id=f"u{number}", document="") for number in range(3)]),
    ],
)
def test_the_text_is_the_document(kind: str, ends: list[Membership] | None) -> None:
    text = (
        '{"schemas":["a"],"displayName":"\\"$ref\\":\\"Users/\\"","manager":{"value":"m","$ref":"https://x/Users/m"}}'
    )
    stored = stored_as(kind, text)
    resource = Shown(stored=stored, memberships=ends)
    assert json.loads(shown.text_of(resource, base_url=BASE)) == shown.document_of(resource, base_url=BASE)


def test_what_is_printed_of_a_resource_says_nothing_about_anybody() -> None:
    stored = stored_as(USER, '{"userName":"ann@example.com"}')
    ends = [Membership(scim_id="g1", document='{"displayName":"Laid off"}')]
    printed = repr(Shown(stored=stored, memberships=ends))
    assert "ann" not in printed
    assert "Laid off" not in printed
