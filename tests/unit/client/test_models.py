"""The models of a gateway's machine, as the client asks for them."""

import json

import pytest

from uml_core.client import UniversalClient
from uml_core.errors import (
    ConflictError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RequestCancelledError,
    UnavailableError,
)


@pytest.fixture
def client(gateway):
    return UniversalClient(gateway.url)


@pytest.fixture
def scan_view(job_view):
    def view(state="scanning", **said):
        return job_view(state, kind="scan", model=None, switched=False, report=None, **said)

    return view


def refusal(code, status, gateway):
    body = json.dumps({"error": {"message": "no", "code": code}}).encode()
    return lambda handler: gateway.reply(handler, body, status=status)


def test_wishes_go_into_the_query(gateway, client):
    body = b'{"data":[{"id":"a"}],"problems":[{"reason":"r"}]}'
    gateway.json("/models", body)
    gateway.json("/models?task=text-generation&format=gguf&store=folder&q=a+b%26c", body)
    assert client.models() == [{"id": "a"}]
    assert client.models(task="text-generation", format="gguf", store="folder", query="a b&c") == [{"id": "a"}]
    assert client.listing()["problems"] == [{"reason": "r"}]


def test_names_are_quoted_but_for_their_slashes(gateway, client):
    view = b'{"id":"x"}'
    for path in ("/models/org/name%3AQ4_K_M", "/models/a%20b%3F%23%25", "/pins/org/name", "/aliases/a%20b"):
        gateway.json(path, view)
    assert client.model("org/name:Q4_K_M") == {"id": "x"}
    assert client.remove("a b?#%") == {"id": "x"}
    client.pin("org/name")
    client.pin("org/name", False)
    client.set_alias("a b", "org/name")
    client.remove_alias("a b")
    assert [(method, body) for method, _, body in gateway.requests] == [
        ("GET", b""),
        ("DELETE", b""),
        ("PUT", b"{}"),
        ("DELETE", b""),
        ("PUT", b'{"model": "org/name"}'),
        ("DELETE", b""),
    ]


def test_lists(gateway, client):
    gateway.json("/aliases", b'{"data":[{"alias":"a"}]}')
    gateway.json("/profiles", b'{"data":[{"model_id":"m"}]}')
    gateway.json("/profiles?model=org%2Fname", b'{"data":[]}')
    gateway.json("/recommendations?task=chat", b'{"data":[{"model":"m"}],"left_out":[],"budget_bytes":1}')
    gateway.json("/recommendations", b'{"data":[],"left_out":[],"budget_bytes":1}')
    assert client.aliases() == [{"alias": "a"}]
    assert client.profiles() == [{"model_id": "m"}]
    assert client.profiles("org/name") == []
    assert client.recommendations("chat") == [{"model": "m"}]
    assert client.advice()["budget_bytes"] == 1
    assert client.put_profile({"model_id": "m"}) == {"data": [{"model_id": "m"}]}
    assert gateway.requests[-1][0::2] == ("POST", b'{"model_id": "m"}')


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("conflict", 409, ConflictError),
        ("forbidden", 403, PermissionDeniedError),
        ("not_found", 404, NotFoundError),
    ],
)
def test_refusals_are_typed(gateway, client, code, status, kind):
    gateway.answers["/models/m"] = refusal(code, status, gateway)
    with pytest.raises(kind):
        client.remove("m")


def test_a_scan_is_followed_by_its_own_events(gateway, client, scan_view):
    views = [scan_view(), scan_view(progress={"done": 1, "total": 2}), scan_view("committed")]
    gateway.answers["/models/scan"] = gateway.view(views[0], status=202)
    gateway.answers["/jobs/job_1/events"] = gateway.events(*views, kind="scan")
    seen = []
    assert client.scan(idempotency_key="k", on_progress=seen.append) == views[-1]
    assert seen == views
    assert gateway.headers[0]["Idempotency-Key"] == "k"
    assert client.scan(wait=False) == views[0]


@pytest.mark.parametrize(
    ("state", "cause", "kind"),
    [
        ("cancelled", {"code": "cancelled", "message": "m", "status": 503}, RequestCancelledError),
        ("failed", {"code": "internal_error", "message": "m", "status": 500}, InternalServerError),
        ("failed", None, InternalServerError),
    ],
)
def test_a_scan_that_ended_badly_is_the_error_of_its_cause(gateway, client, scan_view, state, cause, kind):
    gateway.answers["/models/scan"] = gateway.view(scan_view(state, cause=cause))
    with pytest.raises(kind) as caught:
        client.scan()
    assert type(caught.value) is kind
    assert caught.value.job["state"] == state
    if cause is None:
        assert "the scan of the models ended as 'failed'" in caught.value.message


def test_a_gateway_that_ends_in_a_scan_is_told(gateway, client, scan_view):
    gateway.answers["/models/scan"] = gateway.view(scan_view(), status=202)
    with pytest.raises(UnavailableError, match="scan of the models"):
        client.scan()


def test_a_plan_is_asked_for_with_what_was_said(gateway, client):
    gateway.json("/plan", b'{"fits":true,"load":{"model":"m"}}')
    assert client.plan("m", context_length=9, device="cuda", cache_type="q8_0", spin=False, options={"a": 1}) == {
        "fits": True,
        "load": {"model": "m"},
    }
    client.plan("m", force=True)
    assert [(method, path, json.loads(body)) for method, path, body in gateway.requests] == [
        (
            "POST",
            "/plan",
            {
                "model": "m",
                "context_length": 9,
                "spin": False,
                "device": "cuda",
                "cache_type": "q8_0",
                "options": {"a": 1},
            },
        ),
        ("POST", "/plan", {"model": "m", "force": True}),
    ]
