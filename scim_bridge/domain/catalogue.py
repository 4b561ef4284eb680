"""Every code that an outcome can carry, in one list: what class of trouble it is, who mends it, and how."""

from dataclasses import dataclass
from enum import StrEnum


class Trouble(StrEnum):
    """What to do next about a reply that is no success."""

    TRANSIENT = "transient"
    QUOTA = "quota"
    DATA = "data"
    CONFLICT = "conflict"
    CONFIG = "config"
    AMBIGUOUS = "ambiguous"
    UNSUPPORTED = "unsupported"
    SEATS = "seats"
    BUG = "bug"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One stable code, with what a person needs to act on it."""

    name: str
    trouble: Trouble | None
    advice: str
    owner: str = "operator"
    field: str | None = None


_CODES = (
    # Fine
    Code(name="ok", trouble=None, advice="Nothing to do."),
    Code(name="already_so", trouble=None, advice="The target already holds this state; nothing was sent."),
    Code(
        name="already_gone",
        trouble=None,
        advice="The person has no account in the target; there is nothing to take away.",
    ),
    Code(
        name="taken_over",
        trouble=None,
        advice="The account belongs to the person's new record now; there is nothing left to take away.",
    ),
    Code(name="adopted", trouble=None, advice="The account existed; it is linked to this person now."),
    Code(name="next_step", trouble=None, advice="One part is done; the next part follows by itself."),
    Code(name="linked", trouble=None, advice="The account's id was looked up; the work follows by itself."),
    Code(
        name="drift",
        trouble=None,
        advice="Somebody else changed the account in the target; it is brought back to what the directory says.",
    ),
    Code(name="newer_operation", trouble=None, advice="A newer change of the same person took its place."),
    Code(name="newer_delivered", trouble=None, advice="A newer change of the same person was delivered."),
    Code(name="out_of_scope", trouble=None, advice="The person is not in the target's scope; nothing is owed."),
    Code(name="replayed", trouble=None, advice="Put back by an operator."),
    Code(name="discarded", trouble=None, advice="Given up by an operator."),
    Code(name="hold_released", trouble=None, advice="An operator let the deactivation go through; it follows."),
    Code(
        name="takeover_released",
        trouble=None,
        advice="An operator let the account become this person's; it is brought to what the directory says.",
    ),
    Code(
        name="takeover_rejected",
        trouble=None,
        advice="An operator decided that the account stays as it is. hold release --kind takeover --rejected undoes the decision.",
    ),
    Code(name="hold_ended", trouble=None, advice="The hold ended by itself: there is nothing left to decide."),
    Code(
        name="guard_held",
        trouble=None,
        advice="Too many deactivations at once: a person must decide. See scim-bridge hold list, then hold release or hold reject.",
    ),
    Code(
        name="deactivation_rejected",
        trouble=None,
        advice="An operator decided that the account stays active. Correct the person in the source; hold release undoes the decision.",
    ),
    Code(
        name="call_failed",
        trouble=Trouble.TRANSIENT,
        advice="The call failed as a whole; the person was put back and lost no attempt.",
    ),
    # The person's data
    Code(
        name="missing_field",
        trouble=Trouble.DATA,
        owner="source",
        advice="The target needs a value that the source does not send. Fill it in the source, or give it in [mapping].",
    ),
    Code(
        name="too_long",
        trouble=Trouble.DATA,
        owner="source",
        advice="The value is longer than the target takes. Shorten it in the source, or set on_too_long = 'shorten' for the field.",
    ),
    Code(
        name="invalid_value",
        trouble=Trouble.DATA,
        owner="source",
        advice="The target does not take this value. Correct it in the source, or change [mapping].",
    ),
    Code(
        name="mapping_failed",
        trouble=Trouble.CONFIG,
        advice="The mapping expression failed for this person. Correct [mapping].",
    ),
    Code(
        name="unknown_course",
        trouble=Trouble.CONFIG,
        advice="The target has no such course. Correct courses or required_courses in [groups] of the configuration, then replay.",
    ),
    Code(
        name="group_refused",
        trouble=Trouble.CONFIG,
        advice="The target does not make this group. Correct its name, which [groups] of the configuration gives it, then replay.",
    ),
    Code(
        name="refused",
        trouble=Trouble.DATA,
        owner="source",
        advice="The target refused this person. Read the target's answer in the timeline, correct the person in the source, then replay.",
    ),
    # Rows of HR systems
    Code(
        name="row_without_id",
        trouble=Trouble.DATA,
        owner="source",
        field="externalId",
        advice="The row has no id of the person. Give it one in the source, or name the field that holds it in [mapping].",
    ),
    Code(
        name="row_without_name",
        trouble=Trouble.DATA,
        owner="source",
        advice="The row has no name of the person. Fill it in the source, or name the field that holds it in [mapping].",
    ),
    Code(
        name="impossible_date",
        trouble=Trouble.DATA,
        owner="source",
        advice="The row has a date that cannot be. Correct it in the source, or set date_format to how the source writes dates.",
    ),
    Code(
        name="unknown_status",
        trouble=Trouble.DATA,
        owner="source",
        field="active",
        advice="The row's status is neither in active_values nor in inactive_values. Add it to one of the two.",
    ),
    Code(
        name="row_not_read",
        trouble=Trouble.DATA,
        owner="source",
        advice="The row cannot be read: it has more or fewer fields than the heading, or is no JSON object. Correct it in the source.",
    ),
    Code(
        name="row_repeated",
        trouble=Trouble.DATA,
        owner="source",
        advice="Another row before it in the same file has this id, and says something else. Leave one of the two in the source.",
    ),
    Code(
        name="row_too_long",
        trouble=Trouble.DATA,
        owner="source",
        advice="The value is longer than people can be looked up by. Shorten it in the source.",
    ),
    Code(
        name="row_not_storable",
        trouble=Trouble.DATA,
        owner="source",
        advice="The value holds a character that cannot be kept. Correct it in the source.",
    ),
    Code(
        name="two_records",
        trouble=Trouble.CONFLICT,
        owner="source",
        advice="Another open record has this e-mail address or userName. Close or correct one of the two in the source.",
    ),
    Code(
        name="several_people",
        trouble=Trouble.CONFLICT,
        owner="source",
        advice="Several people have an e-mail address of this row. Correct them, so that it is known who is meant.",
    ),
    Code(
        name="name_taken",
        trouble=Trouble.CONFLICT,
        owner="source",
        advice="Another person has this userName. Correct one of the two in the source.",
    ),
    Code(
        name="older_news",
        trouble=None,
        advice="The source said something newer of this person before; nothing was changed.",
    ),
    # People whom an HR system is asked about
    Code(
        name="fetch_refused",
        trouble=Trouble.CONFIG,
        advice="The HR system refused our credential: nobody of this source is looked up. Mend it; it is tried again by itself.",
    ),
    Code(
        name="fetch_throttled",
        trouble=Trouble.QUOTA,
        advice="The HR system asks for patience; it is asked again by itself. Lower fetch.requests if that goes on.",
    ),
    Code(
        name="fetch_failed",
        trouble=Trouble.TRANSIENT,
        advice="The HR system did not answer, or with nothing that can be read; it is asked again by itself.",
    ),
    Code(
        name="fetch_missing",
        trouble=Trouble.DATA,
        owner="source",
        advice="The HR system does not show us this person. Let the credential see them, or drop the event if they are no more. Nothing was changed.",
    ),
    Code(
        name="fetch_forbidden",
        trouble=Trouble.CONFIG,
        advice="The HR system shows others, but not this person. Let the credential see them. Nothing was changed.",
    ),
    Code(
        name="other_record",
        trouble=None,
        advice="The person has another record, which speaks for them; this one is closed.",
    ),
    Code(
        name="not_here",
        trouble=None,
        advice="Nobody is known by this id, and the row says that nobody works there; nothing was changed.",
    ),
    Code(
        name="not_in_snapshot",
        trouble=None,
        advice="The snapshot does not name the person any more; the source says no more that they are active.",
    ),
    # Conflicts
    Code(
        name="conflict",
        trouble=Trouble.CONFLICT,
        advice="The target already has such an account; it is looked up before anything else.",
    ),
    Code(name="conflict_skipped", trouble=None, advice="The account existed; on_conflict = 'skip' leaves it as it is."),
    Code(
        name="conflict_held",
        trouble=Trouble.CONFLICT,
        advice="The account existed; on_conflict = 'hold' asks a person to decide: hold release or hold reject, with --kind takeover.",
    ),
    Code(
        name="protected",
        trouble=Trouble.CONFLICT,
        advice="The account is an owner or administrator; it is never adopted silently. Decide by hold release or hold reject, with --kind takeover.",
    ),
    Code(
        name="merge_needed",
        trouble=Trouble.CONFLICT,
        advice="The target says that the account exists, and does not show it. Merge or free it in the target, then replay.",
    ),
    Code(
        name="several_match",
        trouble=Trouble.CONFLICT,
        advice="Several accounts of the target match this person equally well; none was touched. Merge or correct them in the target, then replay.",
    ),
    Code(
        name="linked_elsewhere",
        trouble=Trouble.CONFLICT,
        advice="The account belongs to another person of the directory. Correct one of the two in the source, then replay.",
    ),
    # Calls
    Code(
        name="ambiguous",
        trouble=Trouble.AMBIGUOUS,
        advice="The answer was lost or does not account for this person; the target is read back first.",
    ),
    Code(
        name="late",
        trouble=Trouble.AMBIGUOUS,
        advice="A worker that had lost its lease may have sent; the target is read back first.",
    ),
    Code(
        name="unavailable",
        trouble=Trouble.TRANSIENT,
        advice="The target did not answer as it should; it is tried again.",
    ),
    Code(
        name="attempts_spent",
        trouble=Trouble.TRANSIENT,
        advice="Tried as often as the policy allows. Look at the last answer, then replay.",
    ),
    Code(
        name="too_old",
        trouble=Trouble.TRANSIENT,
        advice="Waited longer than max_age. Look at why the lane stood still, then replay.",
    ),
    Code(name="rate_limited", trouble=Trouble.QUOTA, advice="The target asks for patience; the lane waits."),
    Code(
        name="credential_refused",
        trouble=Trouble.CONFIG,
        advice="The target refuses the credential or the company. Correct it; the lane goes on by itself.",
    ),
    Code(
        name="blocked_by_group",
        trouble=Trouble.TRANSIENT,
        advice="The person's group is not in the target yet; the person follows the group.",
    ),
    Code(
        name="unsupported",
        trouble=Trouble.UNSUPPORTED,
        advice="The target offers no way to do this. Do it by hand in the target, or accept the difference.",
    ),
    Code(name="no_seats", trouble=Trouble.SEATS, advice="The target has no free seat. Free or buy one, then replay."),
    Code(name="dry_run", trouble=None, advice="mode = 'dry-run': nothing was sent."),
    Code(
        name="bug",
        trouble=Trouble.BUG,
        owner="developer",
        advice="The bridge did something that the target does not understand. Report it with the batch number.",
    ),
)

CATALOGUE: dict[str, Code] = {code.name: code for code in _CODES}
"""All codes by name."""


def code_named(name: str) -> Code:
    """Return a code of the catalogue.

    Raises:
        KeyError: for a name that the catalogue does not list.
    """
    return CATALOGUE[name]
