"""What senders write as a filter is read as they mean it, or refused; never as something else."""

import contextlib
import time

import pytest
from scim2_models import InvalidFilterException

from scim_bridge.intake.scim import filter_text


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        # Microsoft's reference collection leaves the quotes out.
        ("userName sw O", 'userName sw "O"'),
        ("meta.Created gt 2015-10-10T14:38:21.86-07:00", 'meta.Created gt "2015-10-10T14:38:21.86-07:00"'),
        ("(emails.Value co a.example or emails.Value co b)", '(emails.Value co "a.example" or emails.Value co "b")'),
        ("emails[type eq work]", 'emails[type eq "work"]'),
        ("name.familyName eq O'Brien", 'name.familyName eq "O\'Brien"'),
        ("externalId EQ 701984", 'externalId EQ "701984"'),
        # Literals of the grammar stay what they are.
        ("active eq true", "active eq true"),
        ("active eq False", "active eq False"),
        ("title eq null", "title eq null"),
        # Nothing within quotes is touched.
        ('displayName eq "a eq b"', 'displayName eq "a eq b"'),
        (r'displayName eq "a \" eq b" or title eq c', r'displayName eq "a \" eq b" or title eq "c"'),
    ],
)
def test_a_bare_value_is_read_as_a_text(sent: str, read: str) -> None:
    assert filter_text.tolerate(["Group"], sent) == read


@pytest.mark.parametrize("broken", ["userName eq", "userName eq 'ann'", 'userName eq "ann', "eq"])
def test_what_is_broken_is_left_for_the_parser_to_refuse(broken: str) -> None:
    assert filter_text.tolerate(["Group"], broken) == broken


def test_names_of_the_extension_may_stand_alone() -> None:
    urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    assert filter_text.tolerate(["User"], "id eq U1 and manager eq U2") == f'id eq "U1" and {urn}:manager.value eq "U2"'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("userName eq " + "a" * 8000, "longer than 8000 characters"),
        ("(" * 41 + "title pr" + ")" * 41, "deeper than 40"),
        ("emails[" * 41 + "type pr" + "]" * 41, "deeper than 40"),
    ],
)
def test_a_limit_says_which_and_what_to_do(text: str, told: str) -> None:
    with pytest.raises(InvalidFilterException) as refused:
        filter_text.tolerate(["User"], text)
    assert told in str(refused.value)
    assert "ask in several requests" in str(refused.value)


def test_only_what_is_nested_counts_as_nesting() -> None:
    for text in (" or ".join(['emails[type eq "a"]'] * 60), 'title eq "' + "(" * 60 + '"'):
        assert filter_text.tolerate(["User"], text) == text


@pytest.mark.parametrize("evil", ['"' * 8000, '"\\' * 4000, "eq " * 2666, "a eq " + " " * 7990, "(" * 41, "a" * 8001])
def test_no_text_keeps_it_busy(evil: str) -> None:
    began = time.perf_counter()
    with contextlib.suppress(InvalidFilterException):
        filter_text.tolerate(["Group"], evil)
    assert time.perf_counter() - began < 0.5
