"""A model's tokenizer: the one of the text layer, and the bare one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from uml_core.errors import InvalidModelFileError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from uml_core.worker.text.hf_tokenizer import HuggingFaceTokenizer


def tokenizer_of(path: Path, model: Any) -> HuggingFaceTokenizer:
    """The tokenizer of the model at *path*, for as many tokens as *model* gives logits."""
    from uml_core.worker.text.hf_tokenizer import HuggingFaceTokenizer
    from uml_core.worker.text.tokenizer_files import read_config, read_generation

    folder = folder_of(path)
    return HuggingFaceTokenizer(
        read_tokenizer(path), config=read_config(folder), generation=read_generation(folder), n_vocab=_logits(model)
    )


def read_tokenizer(path: Path) -> Tokenizer:
    """The bare tokenizer, made a fast one if it is none yet.

    :raises InvalidModelFileError: there is none, or it can't be read
    """
    from tokenizers import Tokenizer

    folder = folder_of(path)
    if (file := folder / "tokenizer.json").is_file():
        try:
            return Tokenizer.from_file(str(file))
        except Exception as error:  # tokenizers has no class of its own for it
            raise InvalidModelFileError(f"'{file}' can't be read: {error}") from error
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, ImportError) as error:
        raise InvalidModelFileError(f"'{folder.name}' has no tokenizer that can be read; fetch it again") from error
    found: Tokenizer | None = getattr(tokenizer, "_tokenizer", None)
    if found is None:
        raise InvalidModelFileError(
            f"'{folder.name}' has a tokenizer of a kind without a tokenizer.json; add that file"
        )
    return found


def folder_of(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _logits(model: Any) -> int:
    head = model.get_output_embeddings()
    width = getattr(head, "out_features", None) or model.config.get_text_config().vocab_size
    return int(width)
