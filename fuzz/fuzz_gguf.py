"""Damaged GGUF files. See engine.py."""

from __future__ import annotations

from pathlib import Path

from engine import instrumented, main

with instrumented():
    from uml_core.inspection import gguf

import seeds

WORDS = [
    b"GGUF",
    b"general.architecture",
    b".block_count",
    b".attention.head_count_kv",
    b"split.count",
    b"mamba",
    b"gemma3",
]


def check(work: Path, data: bytes) -> None:
    path = work / ("input-00001-of-00002.gguf" if b"split.count" in data else "input.gguf")
    path.write_bytes(data)
    gguf.claims(path, data[:4096])
    gguf.read(path)
    for value in gguf.read_header(path).metadata.values():
        if isinstance(value, gguf.LeftInFile):
            gguf.read_values(path, value)


if __name__ == "__main__":
    main(check, seeds=seeds.gguf(), words=WORDS)
