"""scim2-client, strict in what it takes, discovers the service and then does everything that it found there."""

from collections.abc import Iterator

import pytest
from running.door import FrontDoor
from scim2_models import (
    BulkOperation,
    BulkRequest,
    Error,
    PatchOp,
    PatchOperation,
    PreconditionFailedException,
    ScimProvider,
    SearchRequest,
    UniquenessException,
)
from strict_client import RequestsSCIMClient

from scim_bridge.store import tokens
from scim_bridge.store.engine import Store


@pytest.fixture(scope="module")
def described(shared_door: tuple[str, Store]) -> ScimProvider:
    """What the service told when it was discovered, once for each database."""
    url, store = shared_door
    with store.begin("discovered") as tx:
        token = tokens.issue(tx, scopes=["scim"], source="idp").value
    discovering = RequestsSCIMClient(url, token, raise_scim_errors=True)
    discovering.discover()
    discovering.close()
    return discovering.provider


@pytest.fixture
def client(front_door: FrontDoor, described: ScimProvider) -> Iterator[RequestsSCIMClient]:
    opened = RequestsSCIMClient(front_door.url, front_door.token, provider=described, raise_scim_errors=True)
    yield opened
    opened.close()


def test_discovery_tells_the_client_what_there_is(client: RequestsSCIMClient) -> None:
    config = client.provider.config
    assert config.bulk.max_operations > 0
    assert all((config.patch.supported, config.filter.supported, config.sort.supported, config.etag.supported))
    assert {each.name for each in client.provider.resource_types} == {"User", "Group"}
    user = client.get_resource_model("User")
    assert [str(urn) for urn in user.get_extension_models()] == [
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    ]


def test_a_user_lives_and_dies(client: RequestsSCIMClient) -> None:
    model = client.get_resource_model("User")
    made = client.create(model(user_name="ann@example.com", display_name="Ann"))
    assert made.meta.location.endswith(f"/scim/v2/Users/{made.id}")
    read = client.query(model, made.id)
    assert read == made
    read.display_name = "Ann Doe"
    replaced = client.replace(read)
    assert (replaced.display_name, replaced.meta.version != made.meta.version) == ("Ann Doe", True)
    change = PatchOperation(op=PatchOperation.Op.replace_, path="active", value=False)
    modified = client.modify(replaced, PatchOp[model](operations=[change]))
    assert modified.active is False
    with pytest.raises(PreconditionFailedException):
        client.replace(made)
    client.delete(modified)
    gone = client.query(model, made.id, raise_scim_errors=False)
    assert isinstance(gone, Error)
    assert gone.status == 404


def test_a_taken_name_is_a_uniqueness_error(client: RequestsSCIMClient) -> None:
    model = client.get_resource_model("User")
    client.create(model(user_name="ann@example.com"))
    with pytest.raises(UniquenessException):
        client.create(model(user_name="ANN@example.com"))


def test_a_group_takes_members_by_patch(client: RequestsSCIMClient) -> None:
    user, group = client.get_resource_model("User"), client.get_resource_model("Group")
    ann = client.create(user(user_name="ann@example.com"))
    sales = client.create(group(display_name="Sales"))
    joining = PatchOperation(op=PatchOperation.Op.add, path="members", value=[{"value": ann.id}])
    assert client.modify(sales, PatchOp[group](operations=[joining])) is None
    read = client.query(group, sales.id)
    assert [each.value for each in read.members] == [ann.id]
    assert [each.value for each in client.query(user, ann.id).groups] == [sales.id]


def test_lists_are_searched_with_get_as_with_post(client: RequestsSCIMClient) -> None:
    model = client.get_resource_model("User")
    names = [f"{name}@example.com" for name in ("ann", "bob", "cid")]
    for name in names:
        client.create(model(user_name=name))
    wanted = SearchRequest[model](
        filter='userName co "example.com"', sort_by="userName", sort_order="descending", start_index=2, count=2
    )
    for found in (client.query(model, query_parameters=wanted), client.search(model, wanted)):
        assert (found.total_results, found.start_index, found.items_per_page) == (3, 2, 2)
        assert [each.user_name for each in found.resources] == names[1::-1]
    everything = client.search(search_request=SearchRequest(count=10))
    assert everything.total_results == 3


def test_a_bulk_request_makes_a_group_of_a_user_that_it_makes(client: RequestsSCIMClient) -> None:
    user, group = client.get_resource_model("User"), client.get_resource_model("Group")
    request = BulkRequest[user | group](
        operations=[
            BulkOperation[group](
                method=BulkOperation.Method.post,
                path="/Groups",
                bulk_id="g",
                data=group(display_name="Sales", members=[{"value": "bulkId:u"}]),
            ),
            BulkOperation[user](
                method=BulkOperation.Method.post, path="/Users", bulk_id="u", data=user(user_name="ann@example.com")
            ),
        ]
    )
    answer = client.bulk(request)
    assert [each.status for each in answer.operations] == [201, 201]
    members = client.query(group, query_parameters={"filter": 'displayName eq "Sales"'}).resources[0].members
    assert [each.value for each in members] == [client.query(user).resources[0].id]
