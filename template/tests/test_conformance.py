"""The conformance kit. Set what your backend is, give it a sample, and every test must pass."""

from pathlib import Path

import pytest

from uml_core.testing import BackendConformance
from uml_template import plugin


class TestTemplate(BackendConformance):
    plugin = plugin
    entry_point = "template"
    chat_prompt = "What does the parrot say?"
    completion_prompt = "The parrot"
    claims = ("seed",)

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        path = tmp_path_factory.mktemp("models") / "sample.markov"
        path.write_text("MARKOV1\none two three one two four one three two one\n")
        return path
