"""MindTickle as a target: a SCIM service that wants to know the company, with a REST call for many new users."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from scim_bridge.domain.instants import Clock
from scim_bridge.domain.people import Person, Problem, Record, Step
from scim_bridge.domain.replies import Answer
from scim_bridge.planning.calls import Abilities, Call, Item
from scim_bridge.settings.models import TargetSettings
from workers.http import HttpClient
from workers.targets import port, reading
from workers.targets.mindtickle import rest
from workers.targets.mindtickle.options import MindTickleOptions, read_options
from workers.targets.scim import replies
from workers.targets.scim.connection import Connection
from workers.targets.scim.finding import ABSENT
from workers.targets.scim.service import ScimService


class MindTickleTarget:
    """One tenant's MindTickle company. Thread-safe."""

    def __init__(self, settings: TargetSettings, *, clock: Clock) -> None:
        """Read the options and compile the mapping.

        Raises:
            OptionsRefused: naming every option that is wrong.
            ExpressionRefused: when an expression of [mapping] cannot be read.
        """
        self._options = read_options(settings)
        self._clock = clock
        self._http = _http_client(self._options)
        connection = Connection(
            base_url=self._options.scim_base_url,
            http=self._http,
            timeout_s=self._options.timeout_s,
            timeout_bulk_s=self._options.timeout_bulk_s,
            timeout_listing_s=self._options.timeout_listing_s,
        )
        self._scim = ScimService(settings, connection, clock=clock, bounds=self._options.bounds)

    def abilities(self) -> Abilities:
        """Return what MindTickle can do, as far as is known now; before the first probe, single calls."""
        offered = self._scim.abilities()
        if self._options.bulk_mode != "rest":
            return offered
        return replace(offered, sizes={**offered.sizes, Step.CREATE: self._options.rest_bulk_users})

    def needs_probe(self) -> bool:
        """Tell whether the ServiceProviderConfig must be read: at first, hourly, and when a limit did not hold."""
        return self._scim.needs_probe()

    def doubt(self) -> None:
        """Have the ServiceProviderConfig read by the next probe."""
        self._scim.doubt()

    def desired(self, person: Person) -> Record | Problem:
        """Return the record that MindTickle should hold of a person, or why none can be made."""
        return self._scim.desired(person)

    def matching(self, person: Person) -> Mapping[str, str]:
        """Return the folded values by which the account can be recognised."""
        return self._scim.matching(person)

    def describe(self, call: Call) -> tuple[str, str, Mapping[str, object]]:
        """Return method, path and the redacted request of a call; a group's id is not known yet."""
        method, path, redacted = self._scim.describe(call)
        return method, self._options.rest_bulk_path if self._goes_by_rest(call) else path, redacted

    def deadline_s(self, call: Call) -> float:
        """Return the longer deadline for calls that write for many, else the one for reads and single calls."""
        return self._scim.deadline_s(call)

    def reads_beside(self, call: Call) -> int:
        """Return how many reads a call may need beside its main request, as far as that can be known before."""
        return 0 if self._goes_by_rest(call) else self._scim.reads_beside(call)

    def submit(
        self,
        call: Call,
        *,
        group_ids: Mapping[str, str],
        batch_number: int,
        deadline_s: float,
        count: Callable[[], None] = port.uncounted,
    ) -> Answer:
        """Make a call and return what MindTickle said of each of its operations.

        Raises:
            CallFailed: one of its children, when the call failed as a whole.
        """
        if self._goes_by_rest(call):
            return self._create_by_rest(call.items, deadline_s)
        return self._scim.submit(
            call, group_ids=group_ids, batch_number=batch_number, deadline_s=deadline_s, count=count
        )

    def probe(self) -> None:
        """Read the ServiceProviderConfig when it is due, else one user, which needs a good token and company.

        Raises:
            CallFailed: one of its children, when credential, company or target is not well.
        """
        self._scim.probe()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _goes_by_rest(self, call: Call) -> bool:
        return call.step is Step.CREATE and self._options.bulk_mode == "rest"

    def _create_by_rest(self, items: Sequence[Item], deadline_s: float) -> Answer:
        response = self._http.send(
            "POST",
            self._options.rest_base_url + self._options.rest_bulk_path,
            body=json.dumps(rest.request_of(items, self._options)).encode(),
            headers={"Authorization": f"Bearer {self._options.api_key}", "Content-Type": "application/json"},
            deadline_s=deadline_s,
        )
        where = f"POST {self._options.rest_bulk_path}"
        if response.status in ABSENT:
            raise port.CredentialRefused(
                f"{where} answered {response.status}: check rest_base_url and bulk_mode", status=response.status
            )
        replies.require_success(response, where=where, now=self._clock())
        return replies.answer_of(rest.read_replies(items, reading.json_of(response, where=where)))


def _http_client(options: MindTickleOptions) -> HttpClient:
    bases = tuple(base for base in (options.scim_base_url, options.rest_base_url) if base)
    headers = {
        "Authorization": f"Bearer {options.scim_token}",
        "Accept": "application/scim+json, application/json",
        "Content-Type": "application/scim+json",
        **options.company_headers,
    }
    return HttpClient(bases, headers=headers, connect_timeout_s=options.connect_timeout_s)
