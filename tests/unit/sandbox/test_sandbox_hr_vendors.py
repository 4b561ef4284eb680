"""The command that plays an HR system: what it refuses in a line."""

import pytest

from scim_bridge.sandbox.sources import __main__ as command

GOOD = ("--kind", "bamboohr", "--secret", "k")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--kind", "workday", "--secret", "k"), "invalid choice: 'workday'"),
        (("--kind", "hibob"), "--secret"),
        ((*GOOD, "--people", "{"), "Expecting property name"),
        ((*GOOD, "--people", "[]"), "--people takes a JSON object of objects"),
        ((*GOOD, "--host", "0.0.0.0"), "serves loopback addresses only"),
        ((*GOOD, "--limits", "many"), "many"),
    ],
)
def test_arguments_that_make_no_sense_end_with_2(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert (ended.value.code, sentence in capsys.readouterr().err) == (2, True)
