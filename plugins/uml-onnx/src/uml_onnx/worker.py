"""The worker: one model. Run by ``python -P -m uml_onnx.worker``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uml_core.types import Plan
from uml_core.worker import serve
from uml_onnx.files import Files, files_of
from uml_onnx.options import Options

if TYPE_CHECKING:
    from uml_onnx.session import Session

SCORES = frozenset({"text-classification", "text-ranking"})


def load(plan: Plan, progress: Callable[[float], None]) -> Any:
    """Load the model of *plan*.

    :raises UMLError: as :class:`uml_onnx.session.Session`
    """
    from uml_onnx.session import Session

    progress(0.0)  # what this process holds by now is no model's
    options = Options.model_construct(**plan.options)  # checked when it was planned
    files = files_of(plan.model)
    if "text-generation" in plan.tasks:
        return _writer(files, plan, options, lambda graph: Session(graph, plan, options))
    return _reader(files, plan, lambda graph: Session(graph, plan, options))


def _writer(files: Files, plan: Plan, options: Options, session: Callable[[Path], Session]) -> Any:
    from uml_core.worker.text import TextEngine
    from uml_core.worker.text.hf_tokenizer import HuggingFaceTokenizer
    from uml_onnx.decoder import Decoder
    from uml_onnx.graph import read_graph

    graph = read_graph(files)
    tokenizer = HuggingFaceTokenizer.from_folder(files.folder, n_vocab=graph.n_vocab)
    decoder = Decoder(
        session(files.graph),
        graph,
        tokenizer,
        slots=plan.parallel,
        length=plan.context_length,
        batch=min(options.batch, plan.context_length),
    )
    return TextEngine(decoder, plan)


def _reader(files: Files, plan: Plan, session: Callable[[Path], Session]) -> Any:
    from uml_core.worker.encode.engine import EncoderEngine
    from uml_onnx.encoder import Encoder

    pools = SCORES.isdisjoint(plan.tasks)
    return EncoderEngine(Encoder(session(files.graph), files, pools=pools), plan)


if __name__ == "__main__":
    serve(load)
