import pytest

from uml_core import errors
from uml_core.client.failure import cause_of, error_of


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("model_not_found", 404, errors.ModelNotFoundError),
        ("model_load_failed", 500, errors.ModelLoadError),
        ("port_in_use", 409, errors.PortInUseError),
        ("a_plugins_own", 409, errors.ConflictError),
        (None, 503, errors.UnavailableError),
        (None, 418, errors.UMLError),
    ],
)
def test_the_code_decides_then_the_status(code, status, kind):
    error = error_of({"error": {"message": "no", "code": code}}, status=status)
    assert type(error) is kind
    assert error.code == (code or kind.code)


def test_lines_after_the_first_are_detail():
    error = error_of({"error": {"message": "no\nwhy", "detail": ["last words"]}}, status=500)
    assert (error.message, error.detail) == ("no", ("why", "last words"))


@pytest.mark.parametrize("body", [None, [], {"error": "no"}, {"detail": "x"}, {"error": {}}])
def test_a_body_that_is_no_error_body_still_gives_a_sentence(body):
    assert "404" in error_of(body, status=404).message


def test_a_number_is_no_code():
    error = error_of({"error": {"message": "too long", "code": 400}}, status=400)
    assert (type(error), error.code) == (errors.BadRequestError, "invalid_request")


def test_an_error_may_tell_of_its_job():
    assert error_of({"error": {"message": "no"}, "job": {"id": "job_1"}}, status=500).job == {"id": "job_1"}
    assert error_of({"error": {"message": "no"}}, status=500).job is None


@pytest.mark.parametrize(
    ("state", "cause", "kind", "code"),
    [
        ("failed", {"code": "missing_engine", "status": 422}, errors.UnprocessableEntityError, "missing_engine"),
        ("failed", {"code": "insufficient_memory", "status": 507}, errors.InsufficientMemoryError, None),
        ("rolled_back", {"code": "worker_killed"}, errors.ModelLoadError, "worker_killed"),
        ("cancelled", {"code": "superseded", "status": 409}, errors.SupersededError, None),
        ("cancelled", None, errors.RequestCancelledError, None),
        ("failed", None, errors.ModelLoadError, None),
    ],
)
def test_the_cause_of_a_job_is_an_error_that_has_the_job(job_view, state, cause, kind, code):
    said = cause and {"message": "no", "detail": ["last words"], **cause}
    job = job_view(state, cause=said)
    error = cause_of(job)
    assert (type(error), error.code, error.job) == (kind, code or kind.code, job)
    assert (error.message, error.detail) == ("no", ("last words",)) if said else "the load of 'm'" in error.message
