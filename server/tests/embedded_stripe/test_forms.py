"""What is sent is read as Stripe reads it, or refused in its envelope: nothing of it is an error of ours."""

import pytest

from stripe_world import Embedded
from unpuzzle_server.embedded_stripe.forms import parse


def test_brackets_nest() -> None:
    sent = "items[0][price]=a&items[1][price]=b&metadata[x.y]=1&expand[]=one&expand[]=two&plain=%26"
    items = {"0": {"price": "a"}, "1": {"price": "b"}}
    assert parse(sent) == {"items": items, "metadata": {"x.y": "1"}, "expand": {"0": "one", "1": "two"}, "plain": "&"}


@pytest.mark.parametrize(
    "body",
    [
        "a=1&a[b]=2",
        "metadata=x",
        "metadata[" + "k" * 41 + "]=v",
        "metadata[k]=" + "v" * 501,
        "&".join(f"metadata[k{number}]=v" for number in range(51)),
        "expand=latest_charge",
        "expand[]=nothing",
        "expand[]=a.b.c.d.e",
        "expand[]=a.data.b.data.c",
        "name[first]=Ada",
        "name=%00",
        "name=%ff",
        "[[[]]]]=x",
        "a[b][c][d][e][f][g][h][i][j][k]=x",
        "email=nobody",
        "&".join(f"a{number}=" for number in range(1001)),
    ],
)
def test_a_form_that_is_wrong_is_refused(embedded: Embedded, body: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = embedded.send("POST", "/v1/customers", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/customers/%00", 400),
        ("/v1/customers/%ff", 404),
        ("/v1/customers?limit=0", 400),
        ("/v1/customers?limit=1000000000000000000000", 400),
        ("/v1/customers?created[gte]=999999999999999", 200),
        ("/v1/customers?created[around]=1", 400),
        ("/v1/accounts", 404),
        ("/v2/core", 404),
    ],
)
def test_an_address_that_is_wrong_is_refused(embedded: Embedded, path: str, status: int) -> None:
    answer = embedded.send("GET", path)
    assert (answer.status_code, "error" in answer.json()) == (status, status != 200)
    assert embedded.send("PATCH", "/v1/customers").status_code == 405


def test_a_form_that_is_too_large_is_refused(embedded: Embedded) -> None:
    for path in ("/v1/customers", "/authenticate/anything"):
        assert embedded.send("POST", path, content=b"a" * 300_000).status_code == 413
