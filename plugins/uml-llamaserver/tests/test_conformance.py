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

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, smollm2):
        return smollm2
