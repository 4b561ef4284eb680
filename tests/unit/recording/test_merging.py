"""What several sources say of one person comes down to one user."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scim_bridge.domain.resources import CORE_USER, ENTERPRISE_USER
from scim_bridge.recording import merging
from scim_bridge.recording.merging import Word, merged

NOBODY_OWNS: dict[str, list[str]] = {}


def said(at: int, *, active: bool | None = None, is_ended: bool = False, **attributes: Any) -> Word:
    return Word(document={"userName": "ann", **attributes}, said_at=at, active=active, is_ended=is_ended)


def test_an_unowned_attribute_is_what_the_last_word_says() -> None:
    words = {"hr": said(2, title="Engineer"), "okta": said(1, title="Dev")}
    assert merged(words, NOBODY_OWNS).document["title"] == "Engineer"


def test_an_owner_wins_over_a_later_word() -> None:
    words = {"hr": said(1, title="Engineer"), "okta": said(2, title="Dev")}
    assert merged(words, {"hr": ["title"]}).document["title"] == "Engineer"


def test_an_owner_who_says_nothing_leaves_the_attribute_to_others() -> None:
    words = {"hr": said(1), "okta": said(2, title="Dev")}
    assert merged(words, {"hr": ["title"]}).document["title"] == "Dev"


@pytest.mark.parametrize("blank", ["", [], {}])
def test_a_blank_is_left_to_others_who_spoke_earlier(blank: Any) -> None:
    words = {"hr": said(2, roles=blank), "okta": said(1, roles=[{"value": "admin"}])}
    assert merged(words, NOBODY_OWNS).document["roles"] == [{"value": "admin"}]


def test_a_source_that_is_not_configured_any_more_gives_way() -> None:
    words = {"old": said(9, title="Lead", nickName="A", externalId="o"), "hr": said(1, title="Dev", externalId="h")}
    document = merged(words, {"hr": []}).document
    assert (document["title"], document["nickName"], document["externalId"]) == ("Dev", "A", "h")


def test_the_first_external_id_stays_whoever_goes() -> None:
    words = {"old": said(1, externalId="o"), "hr": said(2, externalId="h")}
    assert merged(words, {"hr": []}).document["externalId"] == "o"


@pytest.mark.parametrize("owns", [{"hr": []}, {"hr": ["active"]}])
def test_whom_a_source_holds_inactive_stays_so_when_it_goes(owns: dict[str, list[str]]) -> None:
    words = {"old": said(1, active=False), "hr": said(2, active=True)}
    assert merged(words, owns).held_inactive_by == ("old",)


def test_a_source_that_goes_makes_nobody_inactive_over_whom_it_had_no_say() -> None:
    words = {"old": said(1, active=False), "hr": said(2, active=True)}
    assert merged(words, {"hr": ["active"]}, was_active=True).active


def test_an_attribute_said_to_be_none_has_no_value() -> None:
    words = {"okta": said(2, title=None), "hr": said(1, title="Engineer")}
    assert "title" not in merged(words, NOBODY_OWNS).document


def test_nobody_can_take_the_user_name_away() -> None:
    words = {"okta": Word(document={"userName": None}, said_at=2), "hr": said(1)}
    assert merged(words, NOBODY_OWNS).document["userName"] == "ann"


@pytest.mark.parametrize("owned", ["department", "DEPARTMENT", f"{ENTERPRISE_USER}:department"])
def test_an_attribute_of_the_extension_is_owned_by_either_name(owned: str) -> None:
    words = {
        "hr": said(1, **{ENTERPRISE_USER: {"department": "R&D", "costCenter": "1"}}),
        "okta": said(2, **{ENTERPRISE_USER: {"department": "Dev", "costCenter": "2"}}),
    }
    document = merged(words, {"hr": [owned], "okta": []}).document
    assert document[ENTERPRISE_USER] == {"department": "R&D", "costCenter": "2"}
    assert document["schemas"] == [CORE_USER, ENTERPRISE_USER]


def test_who_owns_a_part_of_a_name_owns_the_name() -> None:
    words = {"hr": said(1, name={"givenName": "Ann"}), "okta": said(2, name={"givenName": "Annie", "formatted": "A"})}
    assert merged(words, {"hr": ["name.givenName"]}).document["name"] == {"givenName": "Ann"}


def test_the_first_external_id_stays() -> None:
    words = {"okta": said(1, externalId="00u1"), "hr": said(2, externalId="4711")}
    assert merged(words, NOBODY_OWNS).document["externalId"] == "00u1"
    assert merged(words, {"hr": ["externalId"]}).document["externalId"] == "4711"


@pytest.mark.parametrize(
    ("hr", "okta", "owns", "holders"),
    [
        (True, True, {}, ()),
        (False, True, {}, ("hr",)),
        (False, False, {}, ("hr", "okta")),
        (None, True, {}, ()),
        (None, None, {}, ()),
        (None, False, {}, ("okta",)),
        # Who does not own it is not asked,
        (True, False, {"hr": ["active"]}, ()),
        (False, True, {"okta": ["Active"]}, ()),
        (False, False, {"hr": ["active"]}, ("hr",)),
        # unless no owner says anything.
        (None, False, {"hr": ["active"]}, ("okta",)),
    ],
)
def test_active_is_the_and_over_those_who_own_it(
    *, hr: bool | None, okta: bool | None, owns: dict[str, list[str]], holders: tuple[str, ...]
) -> None:
    found = merged({"hr": said(1, active=hr), "okta": said(2, active=okta)}, {"hr": [], "okta": [], **owns})
    assert found.held_inactive_by == holders
    assert found.active is (not holders)
    assert found.document["active"] is found.active


def test_a_source_that_deleted_the_person_holds_them_inactive() -> None:
    words = {"okta": said(2, active=True, is_ended=True), "hr": said(1, active=True)}
    assert merged(words, NOBODY_OWNS).held_inactive_by == ("okta",)


def test_what_a_source_said_before_it_deleted_the_person_yields_to_what_others_say() -> None:
    words = {"okta": said(2, title="Dev", nickName="A", is_ended=True), "hr": said(1, title="Engineer")}
    document = merged(words, {"okta": ["title"]}).document
    assert (document["title"], document["nickName"]) == ("Engineer", "A")


def test_saying_the_same_again_is_no_new_word() -> None:
    okta = merging.spoken(None, {"userName": "ann", "title": "Dev"}, active=True, at=1)
    hr = merging.spoken(None, {"userName": "ann", "title": "Engineer"}, active=True, at=2)
    again = merging.spoken(okta, {"userName": "ann", "title": "Dev"}, active=True, at=3)
    assert again.said_at == 3
    assert merged({"okta": again, "hr": hr}, NOBODY_OWNS).document["title"] == "Engineer"


def test_a_change_of_mind_is_a_new_word_of_that_attribute_alone() -> None:
    okta = merging.spoken(None, {"userName": "ann", "title": "Dev", "nickName": "A"}, active=True, at=1)
    hr = merging.spoken(None, {"userName": "ann", "title": "Engineer", "nickName": "B"}, active=True, at=2)
    changed = merging.spoken(okta, {"userName": "ann", "title": "Lead", "nickName": "A"}, active=True, at=3)
    kept = merging.spoken(changed, {"userName": "ann", "title": "Lead", "nickName": "A"}, active=True, at=4)
    document = merged({"okta": kept, "hr": hr}, NOBODY_OWNS).document
    assert (document["title"], document["nickName"]) == ("Lead", "B")
    assert kept.changed == {"title": 3}


def test_what_is_no_longer_said_is_left_to_others() -> None:
    okta = merging.spoken(None, {"userName": "ann", "title": "Dev"}, active=True, at=2)
    hr = said(1, title="Engineer")
    withdrawn = merging.spoken(okta, {"userName": "ann"}, active=True, at=3)
    assert merged({"okta": withdrawn, "hr": hr}, NOBODY_OWNS).document["title"] == "Engineer"


def test_a_source_that_comes_back_starts_anew() -> None:
    okta = merging.ended(merging.spoken(None, {"userName": "ann", "title": "Dev"}, active=True, at=1), at=5)
    back = merging.spoken(okta, {"userName": "ann", "title": "Dev"}, active=True, at=6)
    words = {"okta": back, "hr": said(4, title="Engineer", active=True)}
    assert merged(words, NOBODY_OWNS).document["title"] == "Dev"
    assert merged(words, NOBODY_OWNS).active


def test_a_source_reads_back_its_own_words() -> None:
    document = merged({"okta": said(1, active=True, title="Dev"), "hr": said(2, active=False, title="E")}, {}).document
    assert merging.overlaid(document, said(1, active=True, title="Dev")) == {
        "schemas": [CORE_USER],
        "userName": "ann",
        "title": "Dev",
        "active": True,
    }


def test_a_source_reads_what_others_say_where_it_says_nothing() -> None:
    document = {"schemas": [CORE_USER], "userName": "ann", "title": "E", "active": False}
    assert merging.overlaid(document, None) == document
    assert merging.overlaid(document, Word(document={"title": None}, said_at=1)) == {
        "schemas": [CORE_USER],
        "userName": "ann",
        "active": False,
    }


_VALUES = st.sampled_from(["a", "b", "", None])
_WORDS = st.dictionaries(
    st.sampled_from(["hr", "okta", "entra"]),
    st.builds(
        Word,
        document=st.fixed_dictionaries(
            {"userName": st.sampled_from(["ann", "bob"])},
            optional={
                "title": _VALUES,
                "externalId": _VALUES,
                ENTERPRISE_USER: st.dictionaries(st.sampled_from(["department", "division"]), _VALUES),
            },
        ),
        said_at=st.integers(0, 3),
        active=st.sampled_from([True, False, None]),
        changed=st.dictionaries(st.sampled_from(["title", "externalId"]), st.integers(0, 5)),
        is_ended=st.booleans(),
    ),
    min_size=1,
)
_OWNS = st.dictionaries(
    st.sampled_from(["hr", "okta"]), st.sets(st.sampled_from(["title", "department", "active", "externalId"]))
)


@given(words=_WORDS, owns=_OWNS, data=st.data())
def test_in_which_order_words_are_given_does_not_matter(words: Any, owns: Any, data: st.DataObject) -> None:
    shuffled = dict(data.draw(st.permutations(list(words.items()))))
    assert merged(shuffled, owns) == merged(words, owns)


@given(words=_WORDS, owns=_OWNS)
def test_every_value_of_the_user_is_somebodys_word(words: Any, owns: Any) -> None:
    found = merged(words, owns)
    for name, value in merging.attributes_of(found.document).items():
        assert any(merging.attributes_of(word.document).get(name) == value for word in words.values())
    assert found.document["userName"]
    assert set(found.held_inactive_by) <= set(words)


@given(words=_WORDS, owns=_OWNS, source=st.sampled_from(["hr", "okta", "entra"]))
def test_saying_the_same_again_changes_nothing(words: Any, owns: Any, source: str) -> None:
    word = words.get(source)
    if word is None or word.is_ended:
        return
    again = merging.spoken(word, word.document, active=word.active, at=9)
    assert merged({**words, source: again}, owns) == merged(words, owns)
