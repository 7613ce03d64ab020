"""Damaged safetensors files. See engine.py."""

from __future__ import annotations

from pathlib import Path

from engine import instrumented, main

with instrumented():
    from uml_core.inspection import safetensors

import seeds

WORDS = [b'"__metadata__":', b'"data_offsets":[', b'"dtype":"F8_E4M3"', b'"shape":[', b"[[[[", b"\xff\xfe", b"\\ud800"]


def check(work: Path, data: bytes) -> None:
    path = work / "input.safetensors"
    path.write_bytes(data)
    safetensors.claims(path, data[:4096])
    safetensors.read(path)


if __name__ == "__main__":
    main(check, seeds=seeds.safetensors(), words=WORDS)
