"""The worker: one model, several requests at a time. Run by ``python -P -m uml_llamacpp.worker``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from uml_core.types import Plan
from uml_core.worker import serve
from uml_llamacpp.options import Options

if TYPE_CHECKING:
    from uml_core.worker.encode.engine import EncoderEngine
    from uml_core.worker.text import TextEngine


def load(plan: Plan, progress: Callable[[float], None]) -> TextEngine | EncoderEngine:
    """Load the model of *plan*.

    What can go wrong is in :mod:`uml_llamacpp.model`, :mod:`uml_llamacpp.sequences`, :mod:`uml_llamacpp.encoder`.
    """
    _import_engine()
    from uml_core.worker.text import TextEngine
    from uml_llamacpp.encoder import encodes, serve_texts
    from uml_llamacpp.log import EngineLog
    from uml_llamacpp.model import Model
    from uml_llamacpp.sequences import Sequences

    progress(0.0)  # what this process holds by now is no model's
    options = Options.model_construct(**plan.options)  # checked when it was planned
    log = EngineLog()
    model = Model(plan.model.path, options, log=log, progress=progress)
    if encodes(plan):
        return serve_texts(model, plan, options, log=log)
    return TextEngine(Sequences(model, plan, options, log=log), plan)


def _import_engine() -> None:
    """Import llama-cpp-python, which calls a library that is missing or can't be loaded a ``RuntimeError``."""
    try:
        import llama_cpp  # noqa: F401
    except (OSError, RuntimeError) as error:
        raise ImportError(str(error)) from error


if __name__ == "__main__":
    serve(load)
