"""The conformance kit, run on this plugin as a stranger's would be."""

import pytest

from uml_core.testing import BackendConformance
from uml_llamaserver import plugin


class TestLlamaServer(BackendConformance):
    plugin = plugin
    entry_point = "llamaserver"
    engine = "xllamacpp"
    chat_prompt = "What is the capital of France?"
    completion_prompt = "Once upon a time"
    claims = ("seed", "logprobs", "schema", "cached_tokens")  # no n beyond `parallel`, and text before forced calls

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, smollm2):
        return smollm2


class TestVectors(BackendConformance):
    plugin = plugin
    entry_point = "llamaserver"
    engine = "xllamacpp"
    embedding_text = "A cat sits on the mat."

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, minilm_gguf):
        return minilm_gguf


class TestScores(BackendConformance):
    plugin = plugin
    entry_point = "llamaserver"
    engine = "xllamacpp"
    rerank_query = "Where do cats live?"

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, judge_gguf):
        return judge_gguf
