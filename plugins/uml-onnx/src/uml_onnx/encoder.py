"""A model that reads whole texts, as the embedding layer wants it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from uml_core.errors import ModelLoadError
from uml_core.worker.encode import Outputs
from uml_core.worker.encode.encoding import HuggingFaceEncoding
from uml_onnx.files import Files
from uml_onnx.session import Session

TYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_}
HIDDEN = ("last_hidden_state", "token_embeddings", "hidden_states")
POOLED = ("sentence_embedding", "sentence_embeddings")
LATE_POSITIONS = ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer")
"""Kinds of models whose positions begin after the number of the padding token."""
Tokens: TypeAlias = "NDArray[np.int64]"


class Encoder:
    """One graph; what it gives is told by the names and the dimensions of its outputs."""

    def __init__(self, session: Session, files: Files, *, pools: bool) -> None:
        """Look at the graph.

        :param pools: what is wanted are vectors, not scores
        :raises ModelLoadError: it wants or gives what nobody here knows
        """
        self._session = session
        self._inputs, outputs = session.names()
        known = {"input_ids", "attention_mask", "token_type_ids", "position_ids", "task_id"}
        if unknown := sorted(self._inputs.keys() - known):
            raise ModelLoadError(
                f"'{files.graph.name}' wants {', '.join(unknown[:4])}, which this backend doesn't know"
            )
        self._kind, self._output = _output(outputs, pools=pools, files=files)
        encoding = HuggingFaceEncoding.from_folder(files.folder)
        self.encode, self.padding = encoding.encode, encoding.padding
        self._batch, self._length = (_fixed(self._inputs["input_ids"].shape, axis) for axis in (0, 1))
        self.longest = self._length or _longest(files.config)
        self.labels = _labels(files.config)

    def forward(self, tokens: Tokens, mask: Tokens, types: Tokens) -> Outputs:
        size = self._batch or len(tokens)
        parts = [
            self._run(*(one[at : at + size] for one in (tokens, mask, types))) for at in range(0, len(tokens), size)
        ]
        return Outputs(**{self._kind: np.concatenate(parts).astype(np.float32, copy=False)})

    def close(self) -> None:
        del self._session

    def _run(self, tokens: Tokens, mask: Tokens, types: Tokens) -> NDArray[Any]:
        batch, length = tokens.shape
        room = ((0, (self._batch or batch) - batch), (0, (self._length or length) - length))
        fed = {
            "input_ids": np.pad(tokens, room, constant_values=self.padding),
            "attention_mask": np.pad(mask, room),
            "token_type_ids": np.pad(types, room),
            "position_ids": np.maximum(np.pad(mask, room).cumsum(axis=1) - 1, 0),
            "task_id": np.array(0),
        }
        given = {name: fed[name].astype(TYPES[value.type]) for name, value in self._inputs.items()}
        found = self._session.infer(self._output, given)[:batch]
        return found[:, :length] if self._kind == "hidden" else found


def _output(outputs: Mapping[str, Any], *, pools: bool, files: Files) -> tuple[str, str]:
    """What of :class:`Outputs` the graph gives, and under which name."""
    logits = [name for name, value in outputs.items() if name == "logits" or (len(value.shape) == 2 and not pools)]
    hidden = [name for name in HIDDEN if name in outputs]
    hidden = hidden or [name for name, value in outputs.items() if len(value.shape) == 3 and name != "logits"]
    pooled = [name for name in POOLED if name in outputs]
    told = (files.folder / "modules.json").is_file()  # then the layer pools, as the files say
    order = (("hidden", hidden), ("pooled", pooled)) if told else (("pooled", pooled), ("hidden", hidden))
    found = [(kind, names[0]) for kind, names in (order if pools else (("logits", logits),)) if names]
    if not found:
        wanted = "vectors of a text" if pools else "scores of a text"
        raise ModelLoadError(f"'{files.graph.name}' gives {', '.join(list(outputs)[:4])}, but no {wanted}")
    return found[0]


def _longest(config: Mapping[str, Any]) -> int:
    said = config.get("max_position_embeddings") or config.get("n_positions")
    unused = int(config.get("pad_token_id") or 0) + 1 if config.get("model_type") in LATE_POSITIONS else 0
    return int(said) - unused if isinstance(said, int) and said > unused else 512


def _labels(config: Mapping[str, Any]) -> Sequence[str]:
    names = config.get("id2label")
    if not isinstance(names, dict):
        return ()
    return tuple(str(names[key]) for key in sorted(names, key=int))


def _fixed(shape: Sequence[Any], axis: int) -> int:
    """The length of an axis that the graph fixes, else 0."""
    return shape[axis] if len(shape) > axis and isinstance(shape[axis], int) and shape[axis] > 0 else 0
