"""The conformance kit: what every backend must do, as tests that a plugin's author runs on it.

Subclass :class:`BackendConformance`, name the plugin, give a sample, and run pytest::

    class TestMine(BackendConformance):
        plugin = uml_mine.plugin
        entry_point = "mine"
        engine = "my_engine"
        chat_prompt = "Say hi"

        @pytest.fixture(scope="class")
        @classmethod
        def sample(cls):
            return Path(__file__).with_name("tiny.gguf")

Each test's docstring says what its failure means and where to fix it.
"""

import pytest

from uml_core.testing.conformance.answering import AnsweringTests
from uml_core.testing.conformance.calling import CallingTests
from uml_core.testing.conformance.card import CardTests
from uml_core.testing.conformance.claiming import ClaimingTests
from uml_core.testing.conformance.detection import DetectionTests
from uml_core.testing.conformance.encoding import EncodingTests
from uml_core.testing.conformance.ending import EndingTests
from uml_core.testing.conformance.honesty import HonestyTests
from uml_core.testing.conformance.launching import LaunchingTests
from uml_core.testing.conformance.memory import MemoryTests
from uml_core.testing.conformance.options import OptionsTests
from uml_core.testing.conformance.refusing import RefusingTests
from uml_core.testing.conformance.streaming import StreamingTests


@pytest.mark.timeout(300)
class BackendConformance(
    HonestyTests,
    CardTests,
    OptionsTests,
    DetectionTests,
    LaunchingTests,
    MemoryTests,
    AnsweringTests,
    StreamingTests,
    RefusingTests,
    ClaimingTests,
    CallingTests,
    EncodingTests,
    EndingTests,
):
    """All tests of a backend. See :class:`~uml_core.testing.conformance.subject.Subject` for what to set."""


__all__ = ("BackendConformance",)
