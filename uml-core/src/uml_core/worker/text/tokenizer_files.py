"""What lies beside a model's weights about its tokens, its chats and its sampling."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from uml_core.errors import InvalidModelFileError


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, empty where there's no such file.

    :raises InvalidModelFileError: it can't be read
    """
    try:
        said = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InvalidModelFileError(f"'{path}' can't be read: {error}") from error
    if not isinstance(said, dict):
        raise InvalidModelFileError(f"'{path}' can't be read: it holds no JSON object")
    return said


def read_config(folder: Path) -> dict[str, Any]:
    """``tokenizer_config.json``, completed by the files that say some of it elsewhere."""
    config = {**read_json(folder / "special_tokens_map.json"), **read_json(folder / "tokenizer_config.json")}
    templates = {**_listed(config.get("chat_template")), **dict(_lying(folder))}
    return config | {"chat_template": templates.pop("default", None), "chat_templates": templates}


def read_generation(folder: Path) -> dict[str, Any]:
    """``generation_config.json``, with the end tokens of ``config.json`` where it has none."""
    ends = {name: value for name, value in read_json(folder / "config.json").items() if name == "eos_token_id"}
    return ends | read_json(folder / "generation_config.json")


def find_vocabulary_size(folder: Path) -> int | None:
    """How many logits ``config.json`` promises."""
    config = read_json(folder / "config.json")
    for place in (config, config.get("text_config")):
        if isinstance(place, Mapping) and isinstance(size := place.get("vocab_size"), int):
            return size
    return None


def _listed(said: Any) -> dict[str, str]:
    """One template, or several with names, as ``tokenizer_config.json`` may have them."""
    if isinstance(said, str):
        return {"default": said}
    return {entry["name"]: entry["template"] for entry in said or () if {"name", "template"} <= entry.keys()}


def _lying(folder: Path) -> Iterator[tuple[str, str]]:
    """Templates in files of their own, which win."""
    if isinstance(said := read_json(folder / "chat_template.json").get("chat_template"), str):
        yield "default", said
    if (path := folder / "chat_template.jinja").is_file():
        yield "default", path.read_text("utf-8")
    for path in sorted((folder / "additional_chat_templates").glob("*.jinja")):
        yield path.stem, path.read_text("utf-8")
