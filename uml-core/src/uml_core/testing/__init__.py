"""What tests of plugins and of the core itself are made of; needs ``pip install 'uml-core[testing]'``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uml_core.testing.fake_backend import FAKE_FORMAT, FakeBackend, read_fake_model, write_fake_model
from uml_core.testing.fake_options import FakeOptions
from uml_core.testing.fake_store import FakeStore

if TYPE_CHECKING:
    from uml_core.testing.conformance import BackendConformance

__all__ = (
    "FAKE_FORMAT",
    "BackendConformance",
    "FakeBackend",
    "FakeOptions",
    "FakeStore",
    "read_fake_model",
    "write_fake_model",
)


def __getattr__(name: str) -> Any:
    """Import the kit when it is asked for: it needs pytest, which has to rewrite its assertions first."""
    if name != "BackendConformance":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import pytest

    pytest.register_assert_rewrite(f"{__name__}.conformance")
    from uml_core.testing.conformance import BackendConformance

    return BackendConformance
