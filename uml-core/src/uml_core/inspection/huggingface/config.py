"""``config.json``: the facts of a model that its weights don't tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from uml_core.inspection.huggingface.defaults import DEFAULTS
from uml_core.inspection.huggingface.facts import Facts
from uml_core.inspection.huggingface.folder import Folder
from uml_core.inspection.json_file import read_object

NAME = "config.json"
TEXT_PARTS = ("text_config", "llm_config", "language_config", "decoder")
CONTEXT = (
    *("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "max_sequence_length", "n_ctx"),
    *("max_target_positions", "model_max_length", "max_context_length"),
)
LONGEST = 2**27
"""Tokenizers without a limit say 10**30 or so."""

PADDED = frozenset(("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet"))
"""``model_type`` of models whose first positions stand for padding and hold no token."""

METADATA_ENTRIES = 1000
METADATA_CHARACTERS = 4096
METADATA_DEPTH = 4


@frozen
class Config:
    """``top`` is the whole file, ``text`` its part about the model that writes."""

    top: Facts
    text: Facts

    @property
    def architecture(self) -> str | None:
        """The class that transformers loads, else the model's type; timm's and diffusers' words for it too."""
        classes = [name for name in self.top.entries("architectures") or () if isinstance(name, str)]
        return Facts(NAME, {"class": classes[0]}).text("class") if classes else self._type()

    def _type(self) -> str | None:
        return self.top.text("model_type", "architecture", "_class_name")

    @property
    def is_part(self) -> bool:
        """Whether it is about a part of a diffusion pipeline, which is no model by itself."""
        return self.top.has("_diffusers_version", "_class_name") and not self.top.has("model_type")

    @property
    def runs_code(self) -> bool:
        """Whether loading it as its author meant it runs Python files of its folder."""
        return bool(self.top.values.get("auto_map"))

    @property
    def ties(self) -> bool:
        """Whether a model without an output matrix uses its embedding for it, as is usual where nothing is said."""
        said = self.text.flag("tie_word_embeddings")
        return (self.top.flag("tie_word_embeddings") if said is None else said) is not False

    def context_length(self, tokenizer: Mapping[str, Any]) -> int | None:
        """The tokens of context, by the model's own positions, else by its tokenizer's limit."""
        own = self.text.count(*CONTEXT) or self.top.count(*CONTEXT)
        if own and self.top.text("model_type") in PADDED and own % 64 == 2:
            own -= 2
        told = tokenizer.get("model_max_length")
        return own or (told if type(told) is int and 0 < told <= LONGEST else None)

    def metadata(self) -> dict[str, object]:
        """The scalars of the file, the nested ones by ``outer.inner``."""
        found: dict[str, object] = {}
        for key, value in _scalars("", self.top.values, 0):
            found[key] = value[:METADATA_CHARACTERS] if isinstance(value, str) else value
            if len(found) == METADATA_ENTRIES:
                break
        return found


def read_config(folder: Folder) -> Config | None:
    """Read the folder's ``config.json``; None if it has none.

    :raises InvalidModelFileError: it is broken, or beyond the bounds
    """
    path = folder.file(NAME)
    return make_config(read_object(path)) if path else None


def make_config(values: Mapping[str, Any]) -> Config:
    top = Facts(NAME, values)
    text = (top.part("thinker_config") or top).part(*TEXT_PARTS) or top
    usual = DEFAULTS.get(text.text("model_type") or "", {})
    return Config(top, Facts(NAME, {**usual, **text.values}))


def _scalars(prefix: str, values: Mapping[str, Any], depth: int) -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        if isinstance(value, dict):
            if depth < METADATA_DEPTH:
                yield from _scalars(f"{prefix}{key}.", value, depth + 1)
        elif isinstance(value, (str, int, float)):
            yield prefix + key, value
