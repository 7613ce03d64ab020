"""The worker: one model of transformers, for text or for vectors. Run by ``python -P -m uml_transformers.worker``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from uml_core.types import Plan
from uml_core.worker import serve
from uml_transformers.options import Options

BATCH, BATCH_ON_GPU = 512, 2048


def load(plan: Plan, progress: Callable[[float], None]) -> Any:
    """Load the model of *plan*, and give the engine for the first of its tasks; see :mod:`uml_transformers.loading`."""
    from uml_transformers.quiet import quiet

    quiet(plan)
    from uml_transformers.loading import WRITING, load_model

    progress(0.0)  # what this process holds by now is no model's
    options = Options.model_construct(**plan.options)  # checked when it was planned
    model = load_model(plan, options, progress)
    return _writer(plan, options, model) if plan.tasks[0] in WRITING else _encoder(plan, model)


def _writer(plan: Plan, options: Options, model: Any) -> Any:
    from uml_core.worker.text import TextEngine
    from uml_transformers.sampler import TorchSampler
    from uml_transformers.tokens import tokenizer_of

    decoder, why = decoder_of(
        model,
        tokenizer_of(plan.model.path, model),
        slots=plan.parallel,
        context_length=plan.context_length,
        batch=options.max_batch_tokens or (BATCH if model.device.type == "cpu" else BATCH_ON_GPU),
        asked=options.attn_implementation,
    )
    if why:
        print(f"uml: '{plan.model_id}' computes one sequence after the other: {why}", file=sys.stderr, flush=True)
        return TextEngine(decoder, plan)
    if decoder.device.type != "cuda":
        return TextEngine(decoder, plan)
    if options.cuda_graphs:
        decoder.capture()
    return TextEngine(decoder, plan, sampler=TorchSampler())


def decoder_of(
    model: Any, tokenizer: Any, *, slots: int, context_length: int, batch: int, asked: str | None = None
) -> tuple[Any, str]:
    """All sequences in one pass if that gives what the model gives by itself, else one after the other, and why.

    :param asked: an implementation of attention that somebody wants
    """
    from uml_transformers.decoder import SlotDecoder
    from uml_transformers.single import CacheDecoder
    from uml_transformers.slots import Unsupported, is_standard

    why = f"it is to use {asked} attention" if asked else "it keeps more than the keys and values of all its layers"
    if is_standard(model) and not asked:
        try:
            return SlotDecoder(model, tokenizer, slots=slots, context_length=context_length, batch=batch), ""
        except Unsupported as error:
            why = str(error)
    return CacheDecoder(model, tokenizer, slots=slots, context_length=context_length, batch=batch), why


def _encoder(plan: Plan, model: Any) -> Any:
    from uml_core.worker.encode.engine import EncoderEngine
    from uml_transformers.encoder import TorchEncoder
    from uml_transformers.tokens import read_tokenizer

    encoder = TorchEncoder(model, read_tokenizer(plan.model.path), context_length=plan.context_length)
    return EncoderEngine(encoder, plan)


if __name__ == "__main__":
    serve(load)
