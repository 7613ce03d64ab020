"""What a measurement needs of whoever loads and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from attrs import field, frozen

if TYPE_CHECKING:
    from uml_core.client import Answer
    from uml_core.types import LoadRequest, Profile


@frozen(kw_only=True)
class Running:
    """What is loaded, and how; ``pid`` is the engine's. ``generation`` changes with every load, whoever wanted it."""

    model: str
    backend: str
    generation: int
    pid: int | None
    context_length: int
    parallel: int = 1
    threads: int = 1
    spin: bool | None = None
    options: Mapping[str, Any] = field(factory=dict)


class Rig(Protocol):
    """Loads a model and talks to it. Every method may raise a :class:`~uml_core.errors.UMLError`."""

    def load(self, request: LoadRequest) -> object:
        """Have that model ready; an interrupt cancels the load."""

    def unload(self) -> object:
        """Have nothing loaded."""

    def running(self) -> Running | None:
        """What is loaded now."""

    def chat(self, messages: Sequence[Mapping[str, Any]], parameters: Mapping[str, Any]) -> Answer:
        """Ask the loaded model."""

    def keep(self, profile: Profile) -> object:
        """Remember a measurement."""
