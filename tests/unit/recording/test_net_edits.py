"""What edits of a group come down to is what they would have done one after the other."""

from hypothesis import given
from hypothesis import strategies as st

from scim_bridge.recording.edits import MemberEdit, Membership, net

IDS = st.lists(st.sampled_from("abcd"), max_size=4, unique=True).map(tuple)
EDITS = st.lists(st.builds(MemberEdit, st.sampled_from(Membership), IDS), max_size=8)


def applied(members: set[str], edits: list[MemberEdit]) -> set[str]:
    for edit in edits:
        if edit.how is Membership.ADD:
            members = members | set(edit.scim_ids)
        elif edit.how is Membership.REMOVE:
            members = members - set(edit.scim_ids)
        else:
            members = set(edit.scim_ids)
    return members


@given(before=st.sets(st.sampled_from("abcd")), edits=EDITS)
def test_edits_and_what_they_come_down_to_leave_the_same_members(before: set[str], edits: list[MemberEdit]) -> None:
    assert applied(before, net(edits)) == applied(before, edits)


@given(edits=EDITS)
def test_thousands_of_edits_come_down_to_two_that_concern_different_people(edits: list[MemberEdit]) -> None:
    found = net(edits)
    assert len(found) <= 2
    named = [scim_id for edit in found for scim_id in edit.scim_ids]
    assert len(named) == len(set(named))
    assert len({edit.how for edit in found}) == len(found)
