"""scim2-tester, a strict client of the RFCs, reports no error against the running server."""

from running.door import FrontDoor
from scim2_tester import Status, check_server
from strict_client import RequestsSCIMClient


def test_scim2_tester_finds_no_error(front_door: FrontDoor) -> None:
    client = RequestsSCIMClient(front_door.url, front_door.token)
    results = check_server(client)
    client.close()
    failed = [each for each in results if each.status not in (Status.SUCCESS, Status.SKIPPED)]
    bad = [f"{each.title}: {each.reason}" for each in failed]
    assert not bad, "\n".join(bad)
    assert sum(each.status == Status.SUCCESS for each in results) > 100
