"""The fake backend passes the conformance kit, as anybody's backend must: over both kinds of endpoint."""

from types import MappingProxyType

import pytest

from uml_core.testing import BackendConformance, FakeBackend, write_fake_model


class FakeConformance(BackendConformance):
    plugin = FakeBackend()
    chat_prompt = "nonce=abc hello"
    completion_prompt = "nonce=abc hello"

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, tmp_path_factory):
        return write_fake_model(tmp_path_factory.mktemp("models") / "sample.fake", load_s=0.1)


class TestFakeByDescriptor(FakeConformance):
    options = MappingProxyType({"accepts": "fd", "token_s": 0.01, "tokens": 100})


class TestFakeByPort(FakeConformance):
    options = MappingProxyType({"accepts": "port", "foreign_errors": True, "chunked": False})
