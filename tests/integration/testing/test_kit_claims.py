"""The kit's tests of what a backend claims, and of numbers, find what they are there to find."""

import re
import sys
import textwrap
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
ENGINE = Path(__file__).with_name("claiming_engine.py")
CASE = """
    import pytest
    from pydantic import BaseModel
    from uml_core import hookimpl
    from uml_core.testing import BackendConformance, FakeBackend, write_fake_model
    from uml_core.types import BackendInfo, WorkerCommand

    TASKS = ("text-generation", "feature-extraction", "text-ranking", "text-classification")


    class Options(BaseModel):
        quirk: str = ""


    class Backend(FakeBackend):
        @hookimpl
        def uml_backend_info(self):
            return BackendInfo(name="fake", formats=("fake",), tasks=TASKS, options=Options, engine="uml-core")

        @hookimpl
        def uml_launch_worker(self, plan, launch):
            return WorkerCommand(argv=({python!r}, "-P", {engine!r}))


    class TestIt(BackendConformance):
        plugin = Backend()
        chat_prompt = completion_prompt = "hello there"
        embedding_text = "a text"
        rerank_query = "a query"
        classify_text = "good"
        claims = ("n", "seed", "logprobs", "schema", "tools", "cached_tokens")
        options = {{"quirk": {quirk!r}}}

        @pytest.fixture(scope="class")
        @classmethod
        def sample(cls, tmp_path_factory):
            return write_fake_model(tmp_path_factory.mktemp("models") / "a.fake")
"""
CLAIMS = (
    "n_answers or seed or logprobs or cached or schema or call or tool or embedding or input or text or rank or class"
)


@pytest.fixture
def failing(pytester):
    """Run these tests of the kit on an engine with a quirk, and say which failed."""

    def run(quirk="", only=CLAIMS):
        pytester.makepyfile(
            test_it=textwrap.dedent(CASE).format(python=sys.executable, engine=str(ENGINE), quirk=quirk)
        )
        ran = pytester.runpytest_inprocess("-p", "no:asyncio", "-k", only, "-rfE")
        lines = "\n".join(ran.outlines)
        assert not re.findall(r"^ERROR .*", lines, re.MULTILINE), lines
        return ran.parseoutcomes(), sorted(set(re.findall(r"^FAILED .*::(test_\w+)", lines, re.MULTILINE)))

    return run


def test_an_engine_that_does_what_it_claims_passes(failing):
    outcomes, found = failing()
    assert found == []
    assert outcomes["passed"] > 25
    assert "skipped" not in outcomes


CALLS = ["test_call_in_a_stream", "test_named_tool_is_called", "test_required_tool_is_called"]
FAULTS = {
    "mixes": ["test_n_answers_in_a_stream"],
    "any_seed": ["test_a_seed_gives_the_same_answer_again"],
    "probabilities": ["test_logprobs"],
    "forgets": ["test_cached_tokens"],
    "talks": [*CALLS, "test_schema"],
    "anything": ["test_named_tool_is_called", "test_required_tool_is_called", "test_schema"],
    "repeats": ["test_call_in_a_stream"],
    "sees_padding": ["test_embeddings_of_a_list"],
    "sorts": ["test_embeddings_of_a_list"],
    "overflows": ["test_embedding", "test_embeddings_of_a_list"],
    "worst_first": ["test_ranking"],
    "logits": ["test_classes"],
}


@pytest.mark.parametrize(
    ("quirk", "found"),
    [
        pytest.param(*fault, marks=() if number % 4 == 0 else pytest.mark.proof)
        for number, fault in enumerate(FAULTS.items())
    ],
    ids=FAULTS,
)
def test_a_fault_is_found_by_its_tests_alone(failing, quirk, found):
    assert failing(quirk)[1] == found


def test_what_is_not_claimed_is_skipped_with_a_sentence(pytester):
    pytester.makepyfile(
        test_it="""
        from uml_core.testing import BackendConformance, FakeBackend, write_fake_model
        import pytest

        class TestIt(BackendConformance):
            plugin = FakeBackend()
            chat_prompt = "hi"

            @pytest.fixture(scope="class")
            @classmethod
            def sample(cls, tmp_path_factory):
                return write_fake_model(tmp_path_factory.mktemp("models") / "a.fake")
        """
    )
    ran = pytester.runpytest_inprocess("-p", "no:asyncio", "-k", "required_tool or test_ranking", "-rs")
    ran.stdout.fnmatch_lines_random(["*TestIt doesn't claim 'tools'*", "*TestIt declares no `rerank_query`*"])
