"""A load is a job: it is begun, then followed, whatever happens to the connection meanwhile."""

import json
import socket

import pytest

from uml_core.client import UniversalClient, connection, follow
from uml_core.errors import ConflictError, ModelLoadError, NotFoundError, UnavailableError

JOB, STREAM = "/jobs/job_1", "/jobs/job_1/events"


def loading(job_view, part):
    return job_view(progress={"stage": "loading", "part": part})


def test_a_load_is_followed_to_its_end(gateway, job_view):
    views = [job_view("queued"), loading(job_view, 0.5), job_view("committed")]
    gateway.answers["/load_model"] = gateway.view(views[0], status=202)
    gateway.answers[STREAM] = gateway.events(*views)
    seen = []
    loaded = UniversalClient(gateway.url).load("m", context_length=64, idempotency_key="k", on_progress=seen.append)
    assert seen == views
    assert loaded == views[-1]
    assert (loaded["model"], loaded["backend"], loaded["context_length"], loaded["seconds"]) == ("m", "b", 64, 1.2)
    assert json.loads(gateway.requests[0][2]) == {"model": "m", "context_length": 64}
    assert gateway.headers[0]["Idempotency-Key"] == "k"
    assert len(gateway.requests) == 2


def test_what_is_loaded_already_needs_no_following(gateway, job_view):
    gateway.answers["/load_model"] = gateway.view(job_view("committed", switched=False))
    assert UniversalClient(gateway.url).load("m")["switched"] is False
    assert len(gateway.requests) == 1


def test_without_waiting_the_job_comes_at_once(gateway, job_view):
    gateway.answers["/load_model"] = gateway.view(job_view("queued"), status=202)
    gateway.answers["/unload_model"] = gateway.view(job_view("queued", kind="unload"), status=202)
    mine = UniversalClient(gateway.url)
    assert mine.load("m", wait=False) == job_view("queued")
    assert mine.unload(wait=False)["kind"] == "unload"
    assert json.loads(gateway.requests[1][2]) == {"wait": False}


def test_a_stream_that_is_cut_is_taken_up_where_it_broke(gateway, job_view):
    views = [job_view("queued"), loading(job_view, 0.2), loading(job_view, 0.5), loading(job_view, 0.7)]
    done = job_view("committed")
    gateway.answers["/load_model"] = gateway.view(views[0], status=202)
    gateway.script(STREAM, gateway.events(views[0], views[1], cut=True), gateway.events(views[3], done))
    gateway.answers[JOB] = gateway.view(views[2])
    seen = []
    UniversalClient(gateway.url).load("m", on_progress=seen.append)
    assert seen == [*views, done]
    assert [path for _, path, _ in gateway.requests] == ["/load_model", STREAM, JOB, STREAM]
    assert "Last-Event-ID" not in gateway.headers[1]
    assert gateway.headers[3]["Last-Event-ID"] == "2"


def test_where_no_stream_comes_it_is_asked_for(gateway, job_view, monkeypatch):
    monkeypatch.setattr(follow, "FIRST_PAUSE_S", 0.001)
    gateway.answers["/load_model"] = gateway.view(job_view("queued"), status=202)
    gateway.json(STREAM, b"<html>", status=502)
    gateway.script(JOB, gateway.view(job_view("queued")), gateway.view(job_view("committed")))
    seen = []
    assert UniversalClient(gateway.url).load("m", on_progress=seen.append)["state"] == "committed"
    assert [view["state"] for view in seen] == ["queued", "committed"]


def test_events_of_others_are_passed_over(gateway, job_view):
    gateway.answers["/unload_model"] = gateway.view(job_view("queued", kind="unload"), status=202)
    gateway.answers[STREAM] = gateway.events(job_view("failed", id="job_2"), job_view("committed", kind="unload"))
    assert UniversalClient(gateway.url).unload()["kind"] == "unload"


def test_a_job_that_fails_is_the_error_of_its_cause(gateway, job_view):
    cause = {"code": "model_load_failed", "message": "the engine ended", "detail": ["its last words"], "status": 500}
    failed = job_view("rolled_back", cause=cause, previous="a", rolled_back=True)
    gateway.answers["/load_model"] = gateway.view(job_view("queued"), status=202)
    gateway.answers[STREAM] = gateway.events(failed)
    with pytest.raises(ModelLoadError, match="the engine ended") as caught:
        UniversalClient(gateway.url).load("m")
    assert caught.value.detail == ("its last words",)
    assert caught.value.job == failed


@pytest.fixture
def dead_url():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_gateway_that_ends_takes_the_job_along(dead_url, job_view):
    with pytest.raises(UnavailableError, match=r"the gateway ended during the load of 'm'.*`uml serve`"):
        UniversalClient(dead_url).follow(job_view("queued"))


def test_a_gateway_that_was_started_anew_does_not_know_it(gateway, job_view):
    body = b'{"error":{"message":"no such job","code":"not_found"}}'
    gateway.json(STREAM, body, status=404)
    gateway.json(JOB, body, status=404)
    mine = UniversalClient(gateway.url)
    with pytest.raises(UnavailableError, match=r"started anew.*`uml ps`"):
        mine.follow(job_view("queued"))
    with pytest.raises(NotFoundError, match="no such job"):
        mine.job("job_1")


def test_cancel(gateway, job_view):
    gateway.answers[JOB] = gateway.view(job_view("cancelled"))
    mine = UniversalClient(gateway.url)
    assert mine.cancel("job_1")["state"] == "cancelled"
    assert gateway.requests[0][:2] == ("DELETE", JOB)
    gateway.json("/jobs/..%2Fx", b'{"error":{"message":"it has ended","code":"conflict"}}', status=409)
    with pytest.raises(ConflictError):
        mine.cancel("../x")


def test_events_are_told_until_the_gateway_closes_them(gateway, job_view):
    gateway.answers["/events"] = gateway.events(job_view("queued"), job_view("committed"))
    events = list(UniversalClient(gateway.url).events(after=4))
    assert [(event.id, event.kind, event.data["state"]) for event in events] == [
        (5, "job", "queued"),
        (6, "job", "committed"),
    ]


def test_events_go_on_where_they_broke(gateway, job_view, monkeypatch):
    monkeypatch.setattr(connection, "RECONNECT_S", 0.001)
    gateway.script("/events", gateway.events(job_view("queued"), cut=True), gateway.events(job_view("committed")))
    assert [event.id for event in UniversalClient(gateway.url).events()] == [1, 2]
    assert [headers.get("Last-Event-ID") for headers in gateway.headers] == [None, "1"]


def test_events_of_a_gateway_that_has_gone(dead_url):
    with pytest.raises(UnavailableError, match="no gateway answers"):
        next(UniversalClient(dead_url).events())


def test_leaving_a_stream_early_closes_it(gateway, job_view):
    gateway.answers["/events"] = gateway.events(job_view("queued"), job_view("committed"))
    events = UniversalClient(gateway.url).events()
    next(events)
    events.close()
