"""Damaged ONNX files. See engine.py."""

from __future__ import annotations

from pathlib import Path

from engine import instrumented, main

with instrumented():
    from uml_core.inspection import onnx

import seeds

WORDS = [
    b"\x08\x08",
    b"\x3a",
    b"\x0a",
    b"\x2a",
    b"\x6a",
    b"\x70\x01",
    b"location",
    b"../",
    b"/",
    b"If",
    b"Constant",
    b"MatMulNBits",
    b"past_key_values.0.key",
]


def check(work: Path, data: bytes) -> None:
    path = work / "input.onnx"
    path.write_bytes(data)
    (work / "input.bin").write_bytes(bytes(320))
    onnx.claims(path, data[:4096])
    onnx.read(path)


if __name__ == "__main__":
    main(check, seeds=seeds.onnx(), words=WORDS)
