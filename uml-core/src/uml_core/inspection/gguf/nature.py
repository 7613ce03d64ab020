"""What a GGUF file is for: a model, or something that belongs to one, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Collection

from uml_core.inspection.gguf.architectures import DIFFUSION, DRAFTERS, EMBEDDERS, OTHER_TASKS
from uml_core.inspection.gguf.facts import Facts
from uml_core.types import FileKind

RANKING = 4
"""``pooling_type`` of a model that says how well two texts fit (llama.cpp's ``LLAMA_POOLING_TYPE_RANK``)."""

FROM_MEDIA = {"image": "image-text-to-text", "audio": "audio-text-to-text"}


def kind_of(facts: Facts, *, has_tensors: bool) -> FileKind:
    type = facts.text("general.type")
    if facts.architecture == "clip" or type in ("mmproj", "projector"):
        return "projector"
    if type == "adapter" or facts.architecture == "controlvector" or "adapter.type" in facts.metadata:
        return "adapter"
    if type == "imatrix" or "imatrix.chunk_count" in facts.metadata:
        return "imatrix"
    if facts.architecture is None or facts.architecture in DRAFTERS or not has_tensors:
        return "other"  # a vocabulary, or a model that only guesses for another one
    return "model"


def media_of(facts: Facts) -> tuple[str, ...]:
    """What a projector takes."""
    takes = {"image": facts.flag("clip.has_vision_encoder"), "audio": facts.flag("clip.has_audio_encoder")}
    found = tuple(medium for medium, it_does in takes.items() if it_does)
    return found or (() if any(answer is False for answer in takes.values()) else ("image",))


def tasks_of(facts: Facts, media: Collection[str]) -> tuple[str, ...]:
    """The tasks of a model that takes text and *media*."""
    pooling, architecture = facts.own_count("pooling_type"), facts.architecture or ""
    if architecture in OTHER_TASKS:
        task = OTHER_TASKS[architecture]
        return (task,) if task else ()
    if pooling == RANKING:
        return ("text-ranking",)
    causal = facts.own_flag("attention.causal") is not False or architecture in DIFFUSION
    if pooling or not causal or architecture in EMBEDDERS:
        return ("feature-extraction",)
    return (*(FROM_MEDIA[medium] for medium in media), "text-generation")


def has_tokenizer(facts: Facts) -> bool:
    return facts.metadata.get("tokenizer.ggml.model") not in (None, "", "none") or (
        "tokenizer.huggingface.json" in facts.metadata
    )


def has_chat_template(facts: Facts) -> bool:
    return any(value and key.startswith("tokenizer.chat_template") for key, value in facts.metadata.items())
