"""BambooHR: one employee a call.

https://documentation.bamboohr.com/reference/get-employee: `fields` names at most 400; those that the key may not see
are left out without a word; the id is always told. The key is the user of HTTP Basic, with any password.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from scim_bridge.domain.instants import Clock
from scim_bridge.mapping.rows import RowMapping
from scim_bridge.settings.sources import FetchSettings, SourceSettings
from workers.fetchers import answers
from workers.fetchers.port import Fields
from workers.http import HttpClient
from workers.targets.port import AnswerLost

MOST_FIELDS = 400

WHOEVER_ASKS = "0"
"""The id that stands for the owner of the key; nobody's own."""


class BambooHr:
    """One company's employees."""

    at_once = 1

    def __init__(self, source: SourceSettings, settings: FetchSettings, *, clock: Clock) -> None:
        secret = "" if settings.secret is None else settings.secret.get_secret_value()
        headers = {**answers.basic(secret, "x"), "Accept": "application/json"}
        self._http = HttpClient((settings.base_url,), headers=headers, max_body_bytes=answers.MOST_BYTES)
        self._url = settings.base_url.rstrip("/")
        self._fields = ",".join(sorted(RowMapping(source).fields - {"id"})[:MOST_FIELDS])
        self._clock = clock

    def fetch(self, ids: Sequence[str], *, deadline_s: float) -> Mapping[str, Fields]:
        """Return the employee with the one id that is given, if there is one; raises as the port says."""
        [asked] = ids
        if not asked.isascii() or not asked.isdigit() or asked == WHOEVER_ASKS:
            return {}
        answer = self._http.send(
            "GET",
            f"{self._url}/employees/{quote(asked, safe='')}",
            deadline_s=deadline_s,
            query={"fields": self._fields},
        )
        if answer.status == 404:
            return {}
        found: Mapping[str, Any] = answers.document_of(answer, now=self._clock())
        if str(found.get("id")) != asked:
            raise AnswerLost("the answer is about somebody else", status=200)
        return {asked: found}

    def close(self) -> None:
        """Close its connections."""
        self._http.close()
