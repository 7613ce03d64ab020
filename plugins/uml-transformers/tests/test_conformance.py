"""The conformance kit, run on this plugin as a stranger's would be."""

import pytest

from uml_core.testing import BackendConformance
from uml_transformers import plugin


class TransformersConformance(BackendConformance):
    plugin = plugin
    entry_point = "transformers"
    engine = "transformers"


class TestWriting(TransformersConformance):
    chat_prompt = "What is the capital of France?"
    completion_prompt = "Once upon a time"
    claims = ("n", "seed", "logprobs", "schema", "tools", "cached_tokens")

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, tiny):
        return tiny


class TestEmbedding(TransformersConformance):
    embedding_text = "The cat sits on the mat."

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, minilm):
        return minilm


@pytest.mark.proof  # much as embedding, and half a minute
class TestRanking(TransformersConformance):
    rerank_query = "What is the capital of France?"

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, judge):
        return judge


@pytest.mark.proof
class TestClassifying(TransformersConformance):
    classify_text = "The cat sits on the mat."

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, moods):
        return moods
