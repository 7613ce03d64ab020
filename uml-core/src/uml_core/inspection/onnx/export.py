"""Several graphs that are one model: an encoder and a decoder, or a vision encoder, embeddings and a decoder.

The names are those that Optimum and transformers.js give: ``encoder_model.onnx``, ``decoder_model_merged_q4.onnx`` …
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from uml_core.inspection.huggingface.folder import Folder

ROLES = (
    *("decoder_model_merged", "decoder_model", "decoder_with_past_model", "encoder_model"),
    *("vision_encoder", "audio_encoder", "embed_tokens"),
)
"""Parts that can't do anything alone; a folder with one of them is a model."""

BESIDE = ("prompt_encoder_mask_decoder", "decoder_postnet_and_vocoder")
VARIANTS = ("", "_fp16", "_quantized", "_int8", "_uint8", "_q8", "_q4f16", "_q4", "_bnb4")
"""Versions of a part by how its weights are stored, the most exact one first."""

MARKS = tuple(f"{role}{variant}.onnx" for role in ROLES for variant in VARIANTS)
PART = re.compile(f"({'|'.join((*ROLES, *BESIDE))})({'|'.join(VARIANTS)})\\.onnx")


def parts_of(folder: Folder) -> dict[str, Path]:
    """The file for each role that the folder has, of one variant as far as there is one."""
    found: dict[str, dict[str, Path]] = {}
    for name in sorted(folder.names):
        part = PART.fullmatch(name)
        if part and (path := folder.file(name)):
            found.setdefault(part[1], {})[part[2]] = path
    if "decoder_model_merged" in found:  # it has both of these in it
        found = {
            role: files for role, files in found.items() if role not in ("decoder_model", "decoder_with_past_model")
        }
    order = sorted(VARIANTS, key=lambda variant: -sum(variant in files for files in found.values()))
    return {role: next(files[variant] for variant in order if variant in files) for role, files in found.items()}


def missing_parts(roles: Iterable[str], inputs: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    """The names of the parts that those of *roles* can't do without; *inputs* are the names of each one's."""
    roles = frozenset(roles)
    decoders = roles & {"decoder_model_merged", "decoder_model", "decoder_with_past_model"}
    taken = frozenset().union(*(inputs[role] for role in decoders))
    if not decoders:
        return () if "prompt_encoder_mask_decoder" in roles else ("decoder_model_merged.onnx",)
    missing = []
    if "encoder_hidden_states" in taken and "encoder_model" not in roles:
        missing.append("encoder_model.onnx")
    if "inputs_embeds" in taken and "input_ids" not in taken and "embed_tokens" not in roles:
        missing.append("embed_tokens.onnx")
    if decoders == {"decoder_with_past_model"}:  # it goes on, but can't begin
        missing.append("decoder_model.onnx")
    return tuple(missing)


def task_of_parts(inputs: Mapping[str, frozenset[str]]) -> str:
    """What parts with these *inputs* do together."""
    if "vision_encoder" in inputs:
        return "mask-generation" if "prompt_encoder_mask_decoder" in inputs else "image-text-to-text"
    if "audio_encoder" in inputs:
        return "audio-text-to-text"
    taken = inputs.get("encoder_model", frozenset())
    if taken & {"input_features", "input_values"}:
        return "automatic-speech-recognition"
    if "pixel_values" in taken:
        return "image-to-text"
    if "decoder_postnet_and_vocoder" in inputs:
        return "text-to-speech"
    return "text2text-generation" if "encoder_model" in inputs else "text-generation"
