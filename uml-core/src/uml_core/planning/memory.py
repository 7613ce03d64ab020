"""Whether a model fits into memory, roughly: by the size of its files. The exact plan is made of the header."""

from __future__ import annotations

from uml_core.errors import InsufficientMemoryError
from uml_core.inspection.file import shown
from uml_core.types import HostInfo, ModelSource


def require_memory(model_id: str, model: ModelSource, *, host: HostInfo, freed_bytes: int) -> None:
    """Refuse a model whose files alone are larger than the free memory.

    :param freed_bytes: what the switch itself will free before the load
    :raises InsufficientMemoryError: with what is needed and what is there
    """
    have = min(host.free_memory_bytes + freed_bytes, host.memory_bytes)
    if model.size_bytes > have:
        raise InsufficientMemoryError(
            f"'{shown(model_id)}' needs {_gb(model.size_bytes)} GB of memory and {_gb(have)} GB are free; "
            "close other programs, or load a smaller model or a smaller quantization of it"
        )


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f}"
