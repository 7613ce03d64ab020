"""The worker: one model. Run by ``python -P -m uml_onnx.worker``."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from uml_core.errors import ModelLoadError
from uml_core.types import Plan
from uml_core.worker import serve
from uml_onnx.files import Files, files_of
from uml_onnx.options import BATCH, Options

if TYPE_CHECKING:
    from uml_core.worker.text import TokenModel

SCORES = frozenset({"text-classification", "text-ranking"})


def load(plan: Plan, progress: Callable[[float], None]) -> Any:
    """Load the model of *plan*.

    :raises UMLError: as :class:`uml_onnx.session.Session`
    """
    _import(writes="text-generation" in plan.tasks)
    progress(0.0)  # what this process holds by now is no model's
    options = Options.model_construct(**plan.options)  # checked when it was planned
    files = files_of(plan.model)
    if "text-generation" in plan.tasks:
        return _writer(files, plan, options)
    return _reader(files, plan, options)


def _writer(files: Files, plan: Plan, options: Options) -> Any:
    from uml_core.worker.text import TextEngine

    return TextEngine(_by_genai(files, plan, options) or _by_onnxruntime(files, plan, options), plan)


def _by_onnxruntime(files: Files, plan: Plan, options: Options) -> TokenModel:
    from uml_core.worker.text.hf_tokenizer import HuggingFaceTokenizer
    from uml_onnx.decoder import Decoder
    from uml_onnx.graph import read_graph
    from uml_onnx.session import Session

    graph = read_graph(files)
    tokenizer = HuggingFaceTokenizer.from_folder(files.folder, n_vocab=graph.n_vocab)
    return Decoder(Session(files.graph, plan, options), graph, tokenizer, plan=plan, batch=options.batch or BATCH)


def _by_genai(files: Files, plan: Plan, options: Options) -> TokenModel | None:
    """The model through onnxruntime-genai, where that was asked for, or is there and alone knows the graph."""
    if options.engine == "onnxruntime" or not files.genai or (options.engine is None and not _only_genai(files)):
        return None
    from uml_core.worker.text.hf_tokenizer import HuggingFaceTokenizer
    from uml_onnx.genai import GenaiDecoder

    tokenizer = HuggingFaceTokenizer.from_folder(files.folder, n_vocab=int(files.genai["vocab_size"]))
    return GenaiDecoder(files, plan, options, tokenizer)


def _only_genai(files: Files) -> bool:
    from uml_onnx.graph import read_graph

    try:
        read_graph(files)
    except ModelLoadError:
        return find_spec("onnxruntime_genai") is not None
    return False


def _reader(files: Files, plan: Plan, options: Options) -> Any:
    from uml_core.worker.encode.engine import EncoderEngine
    from uml_onnx.encoder import Encoder
    from uml_onnx.session import Session

    encoder = Encoder(Session(files.graph, plan, options), files, pools=SCORES.isdisjoint(plan.tasks))
    return EncoderEngine(encoder, plan)


def _import(*, writes: bool) -> None:
    """Import onnxruntime and the layer around it, before the model is what takes the memory.

    :raises ImportError: one of them is not there, or can't be loaded
    """
    import uml_onnx.session  # noqa: F401

    if writes:
        import uml_core.worker.text
    else:
        import uml_core.worker.encode.engine  # noqa: F401


if __name__ == "__main__":
    serve(load)
