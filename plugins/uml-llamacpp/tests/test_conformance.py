"""The conformance kit, run on this plugin as a stranger's would be."""

import pytest

from uml_core.testing import BackendConformance
from uml_llamacpp import plugin


class TestLlamaCpp(BackendConformance):
    plugin = plugin
    entry_point = "llamacpp"
    engine = "llama_cpp"
    chat_prompt = "What is the capital of France?"
    completion_prompt = "Once upon a time"
    claims = ("n", "seed", "logprobs", "schema", "tools", "cached_tokens")

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, smollm2):
        return smollm2


class TestVectors(BackendConformance):
    plugin = plugin
    entry_point = "llamacpp"
    engine = "llama_cpp"
    embedding_text = "A cat sits on the mat."

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, minilm_gguf):
        return minilm_gguf


class TestScores(BackendConformance):
    plugin = plugin
    entry_point = "llamacpp"
    engine = "llama_cpp"
    rerank_query = "Where do cats live?"

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, judge_gguf):
        return judge_gguf
