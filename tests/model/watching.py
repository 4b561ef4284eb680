"""What a target sees of the bridge's manners, whatever becomes of its people in the end."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from scim_bridge.domain.people import Step
from scim_bridge.domain.replies import Answer, Verdict
from scim_bridge.planning.calls import Call
from workers.targets import port

NOT_ABOUT_PEOPLE = (Step.LOOK_UP, Step.CREATE_GROUP)


@dataclass
class Watch:
    """Remembers of whom the bridge cannot know what became, whom a refusal was about, and what went badly how often."""

    untold: dict[int, int] = field(default_factory=dict)
    """By resource, the operation whose call had no answer, or one that says nothing certain, and no look-up since."""
    blamed: set[int] = field(default_factory=set)
    """Resources that were refused by name, or alone."""
    troubles: Counter[int] = field(default_factory=Counter)
    """How often a call ended otherwise than well for a resource, or looked it up."""
    wrongs: list[str] = field(default_factory=list)

    def comes(self, call: Call, states: Mapping[int, str]) -> None:
        """See a call before it is applied; `states` are those of its operations by now."""
        # A comparison of everybody looks people up for nobody's operation.
        overtaken = sorted(each for each in call.operation_ids if each and states.get(each) != "sending")
        if overtaken:
            self.wrongs.append(f"{call.step} for the operations {overtaken}, which are not being sent")
        if call.step in NOT_ABOUT_PEOPLE:
            return
        unread = sorted({i.person.resource_id for i in call.items if i.person.resource_id in self.untold})
        if unread:
            self.wrongs.append(f"{call.step} for {unread} whose last call nobody has read back")

    def ends(self, call: Call, answer: Answer | port.CallFailed | None) -> None:
        """See how a call ended for whoever made it; None: with a fault in the bridge's own code."""
        if isinstance(answer, (port.Unreachable, port.RateLimited, port.CredentialRefused)):
            return
        if isinstance(answer, port.BatchRefused):
            if len({item.person.resource_id for item in call.items}) == 1 or call.step in NOT_ABOUT_PEOPLE:
                self.blamed |= {item.person.resource_id for item in call.items}
                self.troubles.update({item.person.resource_id for item in call.items})
            return
        replies = answer.replies if isinstance(answer, Answer) else {}
        for item in call.items:
            number, operation = item.person.resource_id, item.person.operation_id
            reply = replies.get(operation)
            self.troubles[number] += int(
                call.step is Step.LOOK_UP or reply is None or reply.verdict is not Verdict.DONE
            )
            if call.step is Step.LOOK_UP:
                if isinstance(answer, Answer):
                    self.untold.pop(number, None)
            elif call.step is Step.CREATE_GROUP:
                self.blamed |= {number} if isinstance(answer, port.CallFailed) else set()
            elif reply is None or reply.verdict in (Verdict.UNKNOWN, Verdict.GONE):
                self.untold[number] = operation
            elif reply.verdict is Verdict.REFUSED:
                self.blamed.add(number)
