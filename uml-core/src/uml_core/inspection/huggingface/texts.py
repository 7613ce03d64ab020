"""What lies beside a model's weights: tokenizer, chat template, and what its author says of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from attrs import frozen

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import read_start, shown
from uml_core.inspection.huggingface.folder import Folder
from uml_core.inspection.json_file import read_object

README_BYTES = 64 * 2**10
TOKENIZERS = (
    *("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model"),
    *("tekken.json", "source.spm", "tokenizer.model.v3", "vocab.bpe", "encoder.json"),
)
BESIDE = (
    *("config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *(
        "merges.txt",
        "target.spm",
        "preprocessor_config.json",
        "processor_config.json",
        "video_preprocessor_config.json",
    ),
    *("chat_template.jinja", "chat_template.json", "modules.json", "sentence_bert_config.json", "adapter_config.json"),
    *("config_sentence_transformers.json", "video_preprocessor_config.json"),
)
"""Files that loading may read, apart from the weights and the tokenizer."""

FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
FIELD = r"^{}:[ \t]*(?:\r?\n[ \t]*-[ \t]*)?['\"]?([^\s'\"#\[\]]+)"


@frozen(kw_only=True)
class Author:
    """What the front of ``README.md`` says."""

    license: str | None = None
    tag: str | None = None


def read_author(folder: Folder) -> Author:
    """Read the licence and the task that the author wrote down, if they can be read."""
    path = folder.optional("README.md")
    try:
        text = read_start(path, most_bytes=README_BYTES).decode("utf-8", "replace") if path else ""
    except InvalidModelFileError:
        return Author()
    front = FRONT.match(text)
    if front is None:
        return Author()
    license = _field(front[1], "license")
    if license == "other":
        license = _field(front[1], "license_name") or license
    return Author(license=license, tag=_field(front[1], "pipeline_tag"))


def _field(front: str, key: str) -> str | None:
    found = re.search(FIELD.format(key), front, re.MULTILINE)
    return shown(found[1]) if found else None


def read_tokenizer(folder: Folder) -> dict[str, Any]:
    """What ``tokenizer_config.json`` says; nothing if it can't be read, for the weights are what they are."""
    path = folder.optional("tokenizer_config.json")
    try:
        return read_object(path) if path else {}
    except InvalidModelFileError:
        return {}


def has_tokenizer(folder: Folder) -> bool:
    return folder.optional(*TOKENIZERS) is not None or any(name.endswith(".tiktoken") for name in folder.names)


def has_chat_template(folder: Folder, tokenizer: dict[str, Any]) -> bool:
    """Whether there is a template, or a list of named ones, in the tokenizer's file or in one of its own."""
    told = tokenizer.get("chat_template")
    return (isinstance(told, (str, list)) and bool(told)) or bool(
        folder.optional("chat_template.jinja", "chat_template.json")
    )


def embeds(folder: Folder) -> bool:
    """Whether sentence-transformers made the folder to turn sentences into vectors."""
    return "1_Pooling" in folder.names or (
        "modules.json" in folder.names and "config_sentence_transformers.json" in folder.names
    )


def files_beside(folder: Folder) -> list[Path]:
    """The files that loading reads besides the weights."""
    found = [folder.optional(name) for name in (*BESIDE, *TOKENIZERS) if name in folder.names]
    return [path for path in found if path]
