"""Errors on the wire."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from uml_core import errors
from uml_core.errors import ModelLoadError, ModelLoadingError, ShuttingDownError, UMLError
from uml_core.server.errors import body_of, frame_of, invalid_body, response_of
from uml_core.server.failure import error_of
from uml_core.supervisor.views import job_view
from uml_core.types import JobStatus, LoadProgress, SwitchState

TREE = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, UMLError)]


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_every_error_has_openais_body_and_survives_the_way_back(kind):
    error = kind("what, why, way out", param="p", detail=["last words"])
    status, headers, body = response_of(error)
    assert json.loads(body) == {
        "error": {
            "message": "what, why, way out",
            "type": kind.type,
            "param": "p",
            "code": kind.code,
            "detail": ["last words"],
        }
    }
    assert (status, dict(headers)[b"content-length"]) == (kind.status, b"%d" % len(body))
    assert ((b"x-should-retry", b"false") in headers) == kind.permanent
    if kind is not UMLError:
        assert error_of(body, status=status, codes={}).code == kind.code


def test_details_only_if_there_are_any():
    assert "detail" not in body_of(UMLError("m"))["error"]
    assert body_of(ModelLoadError("m", detail=["x"]))["error"]["detail"] == ["x"]


def test_retry_after():
    _, headers, _ = response_of(ModelLoadingError("m", retry_after_s=5))
    assert (b"retry-after", b"5") in headers


def test_a_load_is_told_in_short_and_to_who_asked_for_it_in_full():
    job = JobStatus(
        id="job_1",
        kind="load",
        state=SwitchState.STARTING,
        request=None,
        reason="",
        created=datetime.now(UTC),
        progress=LoadProgress(stage="loading"),
    )
    error = ModelLoadingError("m")
    error.job = job
    assert list(body_of(error)) == ["error", "job"]
    assert list(body_of(error)["job"]) == ["id", "state", "progress"]
    assert body_of(UMLError("m"), job=job)["job"] == job_view(job)
    assert json.loads(frame_of(error)[6:])["job"]["progress"]["stage"] == "loading"


def test_the_servers_end_has_one_sentence():
    assert ShuttingDownError().message.startswith("the gateway is going down")
    assert (ShuttingDownError().retry_after_s, ShuttingDownError("m", retry_after_s=None).retry_after_s) == (5, None)


def test_a_frame_is_one_line_whatever_the_message_holds():
    frame = frame_of(ShuttingDownError("a\n\nb\r\ndata: [DONE]\u2028"))
    assert frame.count(b"\n") == 2
    assert b"\r" not in frame
    said = json.loads(frame[6:])["error"]
    assert (said["type"], said["code"], said["param"]) == ("server_error", "server_shutdown", None)


def test_long_messages_of_engines_are_cut():
    assert (
        len(error_of(json.dumps({"error": {"message": "x" * 10_000}}).encode(), status=500, codes={}).message) == 2000
    )


@pytest.mark.parametrize("data", [b"", b"oops", b"[]", b'{"error": null}', b'{"error": 3}', b'{"error": []}'])
def test_no_error_body_at_all(data):
    error = error_of(data, status=502, codes={})
    assert (error.status, error.message) == (502, "the engine answered with status 502 and gave no reason")


def test_a_problem_with_the_body_as_a_whole():
    error = invalid_body([{"type": "model_type", "loc": (), "msg": "Input should be an object"}])
    assert (error.message, error.param) == ("'the body': should be an object", None)
