"""One reply for a person for whom one request did several things, of which some may have failed."""

from collections.abc import Sequence
from dataclasses import replace

from scim_bridge.domain.people import Link, Step
from scim_bridge.domain.replies import Reply, Verdict
from scim_bridge.planning import needs
from scim_bridge.planning.calls import Abilities, Item

_RULES = needs.Rules(abilities=Abilities(sizes={}), mapped=frozenset())


def combine(parts: Sequence[tuple[Item, Reply]]) -> Reply:
    """Return what all the replies mean together, the first of them being that of the first thing needed.

    Where anything is unknown, all is read back. Where something was done, that is noted, and what was not is tried once
    more, alone: then it says for itself what is wrong. Nobody is put into a group who was not made.
    """
    (first, reply), *others = parts
    if not others:
        return reply
    if first.step is Step.CREATE and reply.verdict is not Verdict.DONE:
        return reply
    told = [each for _, each in parts]
    unclear = next((each for each in told if each.verdict is Verdict.UNKNOWN), None)
    if unclear is not None:
        return unclear
    gone = next((each for each in told if each.verdict is Verdict.GONE), None)
    if gone is not None and first.step is not Step.CREATE:
        return gone
    done = [item for item, each in parts if each.verdict is Verdict.DONE]
    if not done:
        return reply
    link: Link = first.person.link
    for item in done:
        link = replace(link, known=needs.after(item, link, rules=_RULES))
    return Reply(verdict=Verdict.DONE, account_id=reply.account_id, known=link.known)
