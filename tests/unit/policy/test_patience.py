import pytest
from requests.structures import CaseInsensitiveDict

from workers.policy import patience

NOW = 1_700_000_000_000  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"Retry-After": "20"}, 20.0),
        ({"retry-after": "1.5"}, 1.5),  # any letter case, and fractions
        ({"Retry-After": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({"Retry-After": "Tue, 14 Nov 2023 22:13:50 -0000"}, 30.0),
        ({"Retry-After": "Tue, 14 Nov 2023 22:00:00 GMT"}, None),  # gone by
        ({"retry-after-ms": "3000"}, 3.0),
        ({"Retry-After": "2", "retry-after-ms": "5000"}, 5.0),  # the longest wins
        ({"Retry-After": "86400"}, 3600.0),  # a day is capped at an hour
        ({"Retry-After": "0"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "soon", "retry-after-ms": "1000"}, 1.0),  # garbage beside sense
        ({"X-RateLimit-Reset": "1700000012"}, 12.0),  # a time of day in Unix seconds
        ({"X-RateLimit-Reset": "12"}, 12.0),  # seconds
        ({"RateLimit-Reset": "7"}, 7.0),
        ({"Retry-After": "Tue, 99 Nov 2023 22:13:50 GMT"}, None),
    ],
)
def test_the_wait_is_read_in_every_form(headers: dict[str, str], wait_s: float | None) -> None:
    assert patience.seconds_asked(CaseInsensitiveDict(headers), now=NOW) == wait_s
