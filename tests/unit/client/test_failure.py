import pytest

from uml_core import errors
from uml_core.client.failure import error_of


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
