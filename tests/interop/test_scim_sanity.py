"""scim-sanity, a prober for SCIM servers, fails nothing but what we chose, with and without Entra's extra fields."""

import pytest
from running.door import FrontDoor
from scim_sanity.probe.runner import run_probe_api

CHOICES = {
    # A group's PATCH answers 204, as Microsoft advises: nobody wants 50,000 members back for one that was added.
    # RFC 7644 section 3.5.2 allows it, and asks for 200 only if the sender names attributes; the prober takes only 200.
    "PATCH /Groups/{id}": "Expected HTTP 200, got 204",
    "PATCH /Groups/{id} remove members": "Expected 200, got 204",
    # It adds a member called "fake-member-id". We say that there is no such user, and change nothing.
    "PATCH /Groups/{id} add member": "Expected 200, got 400",
}


@pytest.mark.parametrize("profile", [None, "entra"])
def test_scim_sanity_fails_nothing_but_what_we_chose(front_door: FrontDoor, profile: str | None) -> None:
    report = run_probe_api(front_door.url, token=front_door.token, strict=True, profile=profile)
    objections = {each["name"]: each["message"] for each in report["results"] if each["status"] not in ("pass", "skip")}
    assert set(objections) == set(CHOICES), objections
    assert all(reason in objections[name] for name, reason in CHOICES.items()), objections
    # The kinds of resources that it skips are those that we do not have.
    skipped = [each["name"] for each in report["results"] if each["status"] == "skip"]
    assert all(name.startswith("Agent") for name in skipped), skipped
    assert report["summary"]["passed"] >= 25
