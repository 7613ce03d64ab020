"""The conformance kit, run on this plugin as a stranger's would be."""

import pytest

from uml_core.testing import BackendConformance
from uml_transformers import plugin


class TestTransformers(BackendConformance):
    plugin = plugin
    entry_point = "transformers"
    engine = "transformers"
    chat_prompt = "What is the capital of France?"
    completion_prompt = "Once upon a time"

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, smollm2_hf):
        return smollm2_hf
