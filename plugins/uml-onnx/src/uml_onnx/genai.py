"""A model through onnxruntime-genai, for graphs that onnxruntime alone can't go on with.

It is no faster (its own loop was as fast as :mod:`uml_onnx.decoder`'s within the noise), computes one sequence at a
time, and keeps the interpreter for itself meanwhile; but it knows how to hand the past back of more kinds of models.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read once, by the import below; later is too late

import onnxruntime_genai as og

from uml_core.errors import ModelLoadError
from uml_core.types import Plan
from uml_core.worker.text import Row, Tokenizer
from uml_onnx.files import Files
from uml_onnx.options import Options

BATCH = 64
"""Tokens of a step: no other thread runs while they are computed, and nobody can leave."""


class GenaiDecoder:
    """A generator for each slot; its sequence is added to and cut off as the text layer says."""

    def __init__(self, files: Files, plan: Plan, options: Options, tokenizer: Tokenizer) -> None:
        """Load it.

        :raises ModelLoadError: onnxruntime-genai can't
        """
        self.tokenizer, self.slots, self.context_length = tokenizer, plan.parallel, plan.context_length
        self.batch = min(options.batch or BATCH, BATCH, plan.context_length)
        try:
            self._model = og.Model(_config(files, plan, options))
        except Exception as error:
            raise ModelLoadError(f"onnxruntime-genai can't load '{files.folder.name}': {error}") from error
        self._generators: dict[int, Any] = {}

    def forward(self, rows: Sequence[Row], cancelled: Callable[[], bool]) -> NDArray[np.float32] | None:
        found = []
        for row in rows:
            if cancelled():
                return None
            generator = self._at(row.slot, row.start)
            generator.append_tokens(np.array(row.tokens, np.int32))
            if row.wanted:
                found.append(generator.get_logits()[0, -1])
        return np.array(found, np.float32).reshape(len(found), self.tokenizer.n_vocab)

    def keep(self, slot: int, length: int) -> int:
        generator = self._generators.get(slot)
        return min(length, generator.token_count()) if generator else 0

    def copy(self, source: int, target: int, length: int) -> int:  # noqa: ARG002 - it can't
        return 0

    def close(self) -> None:
        self._generators.clear()
        del self._model

    def _at(self, slot: int, start: int) -> Any:
        """The generator of *slot*, holding *start* tokens."""
        if slot not in self._generators:
            said = og.GeneratorParams(self._model)
            said.set_search_options(max_length=self.context_length, batch_size=1, num_beams=1)
            self._generators[slot] = og.Generator(self._model, said)
        if self._generators[slot].token_count() != start:
            self._generators[slot].rewind_to(start)
        return self._generators[slot]


def _config(files: Files, plan: Plan, options: Options) -> Any:
    said: dict[str, Any] = {"intra_op_num_threads": options.intra_op_num_threads or plan.threads}
    if plan.spin is not None:
        said["session.intra_op.allow_spinning"] = str(int(plan.spin))
    config = og.Config(str(files.folder))
    config.overlay(json.dumps({"model": {"decoder": {"session_options": said}}}))
    config.clear_providers()
    if any(device.startswith("cuda") for device in plan.placement.devices):
        config.append_provider("cuda")
    return config
