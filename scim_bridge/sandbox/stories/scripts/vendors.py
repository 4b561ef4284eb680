"""What the vendors' documents say one way and the other way: the bridge works with both, told or not."""

from dataclasses import asdict

from scim_bridge.sandbox.senders.people import generate_people
from scim_bridge.sandbox.stories.play import Play
from scim_bridge.sandbox.stories.setting import MINDTICKLE, SHORTENED_NAMES, TRAKSTAR, Setting, Simulated
from scim_bridge.sandbox.targets.trakstar import TrakstarOptions

_VENDOR = asdict(TrakstarOptions.vendor())

_TOLD = """\
create_semantics = "upsert"
edit_answer = "empty"
custom_field_style = "camel"
invite_path = "vendor"
bulk_archive = "on"
bulk_groups = "on"
unarchive = "on"
"""

SETTING = Setting(
    targets=(
        TRAKSTAR,
        Simulated(name="trakstar-vendor", kind="trakstar", options=_VENDOR, keys=_TOLD, tables=SHORTENED_NAMES),
        Simulated(name="trakstar-untold", kind="trakstar", options=_VENDOR, tables=SHORTENED_NAMES),
        MINDTICKLE,
        Simulated(
            name="mindtickle-other",
            kind="mindtickle",
            options={
                "company_header": "Company-Id",
                "bulk": "none",
                "filters": "eq",
                "search": False,
                "patch": False,
                "scim_errors": "text",
                "scim_path": "/scim",
                "retry_after": "milliseconds",
            },
            keys='company_header = "both"\n',
        ),
    ),
    groups=("Sales",),
)


def contradictions(played: Play) -> None:
    """The daily life of a few people, against five targets that follow different documents."""
    people = generate_people(16, seed=71)
    played.act = "16 people and a group, in Trakstar by its document and by the vendor's pages, and two MindTickles"
    played.stage.pause_lanes()
    played.push(people)
    played.okta.push_group("Sales", [person.user_name for person in people[:5]])
    played.stage.resume_lanes()
    played.await_done()
    played.act = "two are renamed, three leave, one of them returns, one changes groups"
    played.stage.pause_lanes()
    played.each(lambda person: played.okta.update_user(person.evolve(family_name="Married")), people[:2])
    played.each(lambda person: played.okta.deactivate(person.user_name), people[10:13])
    played.okta.push_group("Sales", [person.user_name for person in people[1:6]])
    played.stage.resume_lanes()
    played.await_done()
    returning = people[10]
    played.okta.reactivate(returning.user_name)
    # Where the document knows no way back, that is told, and not said to be delivered.
    for target in ("trakstar", "trakstar-untold"):
        played.excuse(target, [returning], "unsupported")
    played.await_done()
    bulk = [
        len(played.calls("trakstar-vendor", method="POST", ending=path)) for path in ("/user/archive", "/unarchive")
    ]
    single = len(played.calls("trakstar", method="POST", ending="/archive"))
    played.claim(
        f"three leavers: {bulk[0]} call where the vendor's pages are believed, {single} where the document is",
        holds=(bulk[0], single) == (1, 3),
    )
    played.claim(
        f"who returns comes back by {bulk[1]} call where that is known, and elsewhere ends as a visible failure",
        holds=bulk[1] == 1,
    )
    played.claim(
        f"MindTickle by Bulk took {len(played.calls('mindtickle'))} calls, one that has neither Bulk nor PATCH "
        f"{len(played.calls('mindtickle-other'))}; both hold the same",
        holds=len(played.calls("mindtickle")) < len(played.calls("mindtickle-other")),
    )
