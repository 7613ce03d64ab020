"""What tests of plugins and of the core itself are made of; needs ``pip install 'uml-core[testing]'``."""

from uml_core.testing.fake_backend import FAKE_FORMAT, FakeBackend, FakeOptions, read_fake_model, write_fake_model

__all__ = ("FAKE_FORMAT", "FakeBackend", "FakeOptions", "read_fake_model", "write_fake_model")
