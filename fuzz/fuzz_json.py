"""Damaged JSON (and a README) beside whole weights: a folder is read by every format that claims it. See engine.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine import instrumented, main

with instrumented():
    from uml_core.errors import InvalidModelFileError
    from uml_core.inspection.plugin import uml_model_formats
    from uml_core.types import ModelFormat

import seeds

WORDS = [
    *(b'"model_type":"deepseek_v3"', b'"layer_types":["full_attention"]', b'"text_config":{', b'"quant_method":"exl3"'),
    *(b"[[[[", b"{}", b'":', b"null", b"1e308", b"../", b'"filename":"/etc/passwd"', b"\\u0000", b"\\ud800", b"\xff"),
]
FORMATS = tuple(uml_model_formats())
NAMES = [name for name, _ in seeds.json_files()]
WHOLE = {
    "config.json": b'{"model_type": "llama"}',
    "model.safetensors": seeds.safetensors()[0],
    "adapter_model.safetensors": seeds.safetensors()[4],
    "model.onnx": seeds.onnx()[1],
}


def check(work: Path, data: bytes) -> None:
    """The first byte says which file the others are."""
    name = NAMES[data[0] % len(NAMES)] if data else NAMES[0]
    _prepare(work)
    (work / name).write_bytes(data[1:])
    try:
        _read_all(work)
    finally:
        (work / name).unlink()


def _prepare(work: Path) -> None:
    for name, whole in WHOLE.items():
        if not (work / name).exists():
            (work / name).write_bytes(whole)


def _read_all(work: Path) -> None:
    refusals = [refusal for format in FORMATS for refusal in _refusals(format, work)]
    if refusals:
        raise refusals[0]


def _refusals(format: ModelFormat, work: Path) -> Iterator[InvalidModelFileError]:
    file = work / f"model.{format.name}"
    for path in (work, file):
        if file.name in WHOLE if path == file else format.claims(work, b""):
            try:
                format.read(path)
            except InvalidModelFileError as refusal:
                yield refusal


if __name__ == "__main__":
    texts = [bytes((NAMES.index(name),)) + text for name, text in seeds.json_files()]
    main(check, seeds=texts, words=WORDS)
