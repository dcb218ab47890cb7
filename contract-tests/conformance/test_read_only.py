"""Our server conforms; it is only read, and nothing is sent outside the address that was given."""

import pytest
import requests
from conformance.command import SMALL, Ended, ended, in_a_thread, including, token_of
from conformance.spoiler import Proxy

from harness import Person, Server
from unpuzzle_cli.conformance.laws.exchange import OPERATIONS, Request, send
from unpuzzle_cli.conformance.laws.ownership import readable_address
from unpuzzle_cli.conformance.wire import EndedError, OutsideError, UnsafeRequestError, Wire

CLEAN = {"system.info", "auth.get_profile", "subscriptions.list_plans", "courses.get"}


@pytest.fixture(scope="module")
def clean(server: Server, caller: Person, tmp_path_factory: pytest.TempPathFactory) -> tuple[Proxy, Ended]:
    """Our server as it is, only read, and what it was asked."""
    with Proxy(server.base_url).running() as proxy:
        asked = ["--base-url", proxy.url, *SMALL, *including(*CLEAN)]
        return proxy, ended(tmp_path_factory.mktemp("clean"), *asked, UNPUZZLE_TOKEN=token_of(caller))


class TestReadOnly:
    def test_our_server_conforms(self, clean: tuple[Proxy, Ended]) -> None:
        _, end = clean
        assert end.code == 0, end.out
        assert end.report["conforms"]
        assert {outcome["id"] for outcome in end.report["operations"]} == CLEAN

    def test_no_unsafe_request_is_sent(self, clean: tuple[Proxy, Ended]) -> None:
        proxy, _ = clean
        assert {*proxy.methods} == {"GET", "HEAD", "OPTIONS"}
        assert len(proxy.methods) > 100

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY"])
    def test_the_wire_refuses_to_send_one_whoever_asks(self, method: str) -> None:
        wire = Wire("http://127.0.0.1:1", may_write=False)
        with wire.connected():
            for attempt in (requests.request, requests.Session().request):
                with pytest.raises(UnsafeRequestError):
                    attempt(method, "http://127.0.0.1:1/api/v1/")
            with pytest.raises(UnsafeRequestError):
                send(Request(method, "http://127.0.0.1:1/api/v1/"))
        assert wire.sent == 0

    @pytest.mark.parametrize("elsewhere", ["http://127.0.0.1:1", "https://example.invalid"])
    def test_the_wire_carries_no_token_to_another_server(self, server: Server, elsewhere: str) -> None:
        with Proxy(server.base_url).running() as proxy, Wire(proxy.url, may_write=False).connected():
            assert send(Request("GET", f"{elsewhere}/api/v1/", {"Authorization": "Bearer one"})).status == 401
            assert proxy.methods == ["GET"]

    def test_nothing_more_is_made_while_what_was_made_is_deleted(self) -> None:
        wire = Wire("http://127.0.0.1:1", may_write=True, cleaning=True)
        raised: list[BaseException] = []

        def make() -> None:
            with pytest.raises(EndedError) as info:
                send(Request("POST", "http://127.0.0.1:1/api/v1/"))
            raised.append(info.value)

        with wire.connected():
            in_a_thread(make)
        assert (wire.sent, len(raised)) == (0, 1)

    def test_what_the_wire_lets_pass_ends_with_the_run(self) -> None:
        usual = requests.adapters.HTTPAdapter.send
        with Wire("http://127.0.0.1:1", may_write=False).connected():
            assert requests.adapters.HTTPAdapter.send is not usual
        assert requests.adapters.HTTPAdapter.send is usual

    def test_statuses_that_were_seen_and_that_were_not_are_told(self, clean: tuple[Proxy, Ended]) -> None:
        (profile,) = [outcome for outcome in clean[1].report["operations"] if outcome["id"] == "auth.get_profile"]
        assert {"200", "304", "401"} <= profile["seen"].keys()
        assert 503 in profile["unseen"]
        assert sorted([*map(int, profile["seen"]), *profile["unseen"]]) == profile["documented"]


class TestBaseUrl:
    """A server below a path: what is beside it may be somebody else's."""

    @pytest.mark.parametrize("beside", ["/api/v1/", "/education/", "/edu/../api/v1/", "/"])
    def test_nothing_is_sent_outside_it(self, beside: str) -> None:
        wire = Wire("http://127.0.0.1:1/edu", may_write=True)
        with wire.connected(), pytest.raises(OutsideError):
            send(Request("POST", f"http://127.0.0.1:1{beside}"))
        assert wire.sent == 0

    def test_what_is_read_again_is_below_it(self) -> None:
        operation = OPERATIONS["DELETE", "/api/v1/instructor/courses/{course_id}/"]
        assert readable_address(operation, "http://host/edu/api/v1/instructor/courses/1/") == "/edu/api/v1/instructor/courses/1/"
        assert readable_address(operation, "http://host/api/v1/instructor/courses/1/") == "/api/v1/instructor/courses/1/"
