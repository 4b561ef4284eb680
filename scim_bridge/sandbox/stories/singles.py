"""Trakstar's calls about one person: each is one of ten in ten seconds."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

_SINGLE = {
    "updates": ("POST", re.compile(r"/api/v3/user/\d+")),
    "archives": ("POST", re.compile(r"/api/v3/user/\d+/archive")),
    "joins": ("POST", re.compile(r"/api/v3/group/\d+/user/\d+")),
    "leaves": ("DELETE", re.compile(r"/api/v3/group/\d+/user/\d+")),
}


def count(calls: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Count the calls to Trakstar that were about one person, by what they did."""
    counted: Counter[str] = Counter()
    for call in calls:
        for name, (method, path) in _SINGLE.items():
            if call["method"] == method and path.fullmatch(call["path"]):
                counted[name] += 1
    return {name: counted[name] for name in _SINGLE}
