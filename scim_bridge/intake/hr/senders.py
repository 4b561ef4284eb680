"""Every kind of source that sends events, by the name that the configuration has for it."""

from collections.abc import Mapping

from scim_bridge.intake.hr import bamboohr, dataless, generic, hibob, merge
from scim_bridge.intake.hr.deliveries import Sender

BY_KIND: Mapping[str, Sender] = {
    "bamboohr": bamboohr.SENDER,
    "finch": dataless.FINCH,
    "generic": generic.SENDER,
    "gusto": dataless.GUSTO,
    "hibob": hibob.SENDER,
    "merge": merge.SENDER,
    "paylocity": dataless.PAYLOCITY,
    "personio": dataless.PERSONIO,
}

HEADERS = tuple(dict.fromkeys(name for sender in BY_KIND.values() for name in sender.headers))
"""What is read of a request's headers, whoever sends."""
