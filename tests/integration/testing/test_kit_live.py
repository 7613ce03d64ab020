"""The live half of the conformance kit finds what it is there to find, over real worker processes."""

import re
import textwrap

import pytest

pytest_plugins = ["pytester"]
CASE = """
    import pytest
    from uml_core import hookimpl
    from uml_core.testing import BackendConformance, FakeBackend, write_fake_model


    class Backend(FakeBackend):
        pass


    class TestIt(BackendConformance):
        plugin = Backend(ready_timeout_s=4.0, stop_grace_s=1.0)
        completion_prompt = "nonce=abc hello"

        @pytest.fixture(scope="class")
        @classmethod
        def sample(cls, tmp_path_factory):
            return write_fake_model(tmp_path_factory.mktemp("models") / "a.fake")
"""
LIVE = "answer or stream or refused or token_is or behind or gets_ready or term or left or cleanup or gone"


@pytest.fixture
def failing(pytester):
    """Run the live half on a fake backend with a script; which tests failed, and which had no worker."""

    def run(*, chat=False, methods="pass", only=LIVE, **options):
        source = textwrap.dedent(CASE).replace("    pass", textwrap.indent(textwrap.dedent(methods), "    "))
        source += f"    options = {options!r}\n" + ("    chat_prompt = 'hi'\n" if chat else "")
        pytester.makepyfile(test_it=source)
        ran = pytester.runpytest_inprocess("-p", "no:asyncio", "-k", only, "-rfE")
        lines = "\n".join(ran.outlines)
        return tuple(
            sorted(set(re.findall(rf"^{kind} .*::(test_\w+)", lines, re.MULTILINE))) for kind in ("FAILED", "ERROR")
        )

    return run


def test_a_good_backend_passes(failing):
    assert failing(chat=True) == ([], [])


FAULTS = [
    ({"token": "any"}, ["test_tasks_are_behind_the_token", "test_token_is_asked_for"]),
    ({"quirk": "other_name"}, ["test_answers"]),
    ({"quirk": "no_max_tokens"}, ["test_answer_keeps_to_max_tokens"]),
    ({"quirk": "no_role", "chat": True}, ["test_stream_of_a_chat_begins_with_the_role"]),
    ({"quirk": "no_done"}, ["test_stream_has_its_shape"]),
    ({"quirk": "two_finishes"}, ["test_stream_has_its_shape"]),
    ({"quirk": "no_usage"}, ["test_stream_has_usage_when_asked"]),
    ({"quirk": "lost_text"}, ["test_stream_and_answer_agree"]),
    ({"quirk": "no_context_limit"}, ["test_too_long_prompt_is_refused"]),
    (
        {"quirk": "bare_errors"},
        ["test_bad_request_is_refused", "test_too_long_prompt_is_refused"],
    ),
    ({"quirk": "dies_of_errors"}, ["test_bad_request_is_refused", "test_too_long_prompt_is_refused"]),
    ({"ignore_term": True}, ["test_term_ends_the_worker"]),
]
EACH_TIME = 4  # the rest, seconds each, is for `nox -s proof`


@pytest.mark.parametrize(
    ("options", "found"),
    [*FAULTS[:EACH_TIME], *(pytest.param(*fault, marks=pytest.mark.proof) for fault in FAULTS[EACH_TIME:])],
    ids=str,
)
def test_a_fault_is_found_by_its_tests_alone(failing, options, found):
    assert failing(**options) == (found, [])


def test_an_engine_that_goes_on_for_nobody_is_found(failing):
    found, _ = failing(deaf=True, tokens=400, token_s=0.05, only="leaving")
    assert found == ["test_leaving_a_stream_stops_the_engine"]


def test_an_engine_that_cuts_its_stream_is_found(failing):
    found, _ = failing(stream_fault="close", chunked=False, only="shape or agree")
    assert found == ["test_stream_and_answer_agree", "test_stream_has_its_shape"]


@pytest.mark.parametrize("options", [{"never_ready": True}, {"load_exit": 3}, {"token": "wrong"}], ids=str)
def test_an_engine_that_does_not_get_ready_is_found(failing, options):
    _, errors = failing(only="gets_ready or test_answers", **options)
    assert errors == ["test_answers", "test_gets_ready"]


def test_a_cleanup_that_raises_is_found(failing):
    methods = """
    @hookimpl
    def uml_cleanup_worker(self, plan, exit):
        raise FileNotFoundError(plan.model_id)
    """
    assert failing(methods=methods, only="cleanup or gone or left") == (["test_cleanup_is_called_once"], [])


def test_a_missing_sample_is_said(pytester):
    pytester.makepyfile(
        test_it="""
        from uml_core.testing import BackendConformance, FakeBackend

        class TestIt(BackendConformance):
            plugin = FakeBackend()
        """
    )
    ran = pytester.runpytest_inprocess("-p", "no:asyncio", "-k", "accepts_its_sample")
    ran.stdout.fnmatch_lines(["*TestIt gives no fixture `sample`*"])
