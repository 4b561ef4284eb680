"""The words that a kind's file allows are those that its code understands."""

import pytest
from fakes.shipped import shipped_settings

from scim_bridge.settings import files, kinds
from scim_bridge.settings.problems import Findings
from workers.targets import registry

PLACE = files.find(None, {})
SECRETS = dict.fromkeys(("api_key", "scim_token", "company_id", "token", "username", "password"), "s")
NO_DEFAULT = {"scim": {"base_url": "https://learn.example.com/scim"}}

WORDS = [
    (kind, option, word)
    for kind in kinds.names()
    for option, words in kinds.read(kind, PLACE, Findings()).choices.items()
    for word in words
]


@pytest.mark.parametrize(("kind", "option", "word"), WORDS)
def test_every_word_of_a_kinds_file_is_understood(kind: str, option: str, word: str) -> None:
    registry.build(shipped_settings(kind, SECRETS, **NO_DEFAULT.get(kind, {}), **{option: word}), clock=lambda: 0)
