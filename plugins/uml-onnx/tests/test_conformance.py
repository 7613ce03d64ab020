"""The conformance kit, run on this plugin as a stranger's would be."""

import pytest

from uml_core.testing import BackendConformance
from uml_onnx import plugin


class OnnxConformance(BackendConformance):
    plugin = plugin
    entry_point = "onnx"
    engine = "onnxruntime"


class TestWriting(OnnxConformance):
    chat_prompt = "What is the capital of France?"
    completion_prompt = "Once upon a time"
    claims = ("n", "seed", "logprobs", "schema", "cached_tokens")

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, smollm2_genai_int4):
        return smollm2_genai_int4


class TestEmbedding(OnnxConformance):
    embedding_text = "The cat sits on the mat."

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, minilm_onnx):
        return minilm_onnx / "model.onnx"


@pytest.mark.proof  # much as embedding
class TestRanking(OnnxConformance):
    rerank_query = "What is the capital of France?"

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, judge_onnx):
        return judge_onnx / "model.onnx"
