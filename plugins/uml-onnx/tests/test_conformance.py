"""The conformance kit, run on this plugin as a stranger's would be."""

import pytest

from uml_core.testing import BackendConformance
from uml_onnx import plugin


class TestOnnx(BackendConformance):
    plugin = plugin
    entry_point = "onnx"
    engine = "onnxruntime"
    chat_prompt = "What is the capital of France?"
    completion_prompt = "Once upon a time"

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, smollm2_genai_int4):
        return smollm2_genai_int4
