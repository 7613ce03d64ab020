"""The kit itself: no standard test may be left out quietly."""

from __future__ import annotations

from typing import Any

import pytest

from uml_core.testing.conformance.subject import Subject

KIT = "uml_core.testing.conformance"


class HonestyTests(Subject):
    """That a class which claims conformance runs all of it."""

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if not cls.__module__.startswith(KIT) and "test_no_silent_override" in vars(cls):
            raise TypeError(f"{cls.__name__} must not override test_no_silent_override")

    def test_no_silent_override(self) -> None:
        """Every standard test is as the kit has it, or says why it can't pass.

        A failure means that the class deleted or replaced standard tests. Take the override away, or, if the engine
        really can't do it, keep it and mark it ``@pytest.mark.xfail(reason="…")``: the reason is then in the report.
        """
        replaced = [name for name in standard_tests() if _is_replaced(type(self), name)]
        assert not replaced, f"overridden without @pytest.mark.xfail(reason=…): {', '.join(replaced)}"


def standard_tests() -> list[str]:
    """The names of all tests of the kit."""
    from uml_core.testing.conformance import BackendConformance

    return sorted(name for name in dir(BackendConformance) if name.startswith("test_"))


def _is_replaced(case: type, name: str) -> bool:
    from uml_core.testing.conformance import BackendConformance

    mine = getattr(case, name, None)
    return mine is not getattr(BackendConformance, name) and not any(
        mark.name == "xfail" and mark.kwargs.get("reason") for mark in _marks(mine)
    )


def _marks(test: object) -> list[pytest.Mark]:
    marks: list[pytest.Mark] = getattr(test, "pytestmark", [])
    return marks
