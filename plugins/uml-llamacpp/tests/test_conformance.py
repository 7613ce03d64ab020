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
