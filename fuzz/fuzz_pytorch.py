"""Damaged PyTorch files. See engine.py."""

from __future__ import annotations

from pathlib import Path

from engine import instrumented, main

with instrumented():
    from uml_core.inspection import pytorch

import seeds

WORDS = [
    b"PK\x03\x04",
    b"PK\x01\x02",
    b"PK\x05\x06",
    b"PK\x06\x06",
    b"\x80\x02",
    b"cos\nsystem\n",
    b"tR",
    b"(t",
    b"2" * 64,
    b"\x86" * 64,
    b"q\x00",
    b"h\x00",
    b"}",
    b"]",
    b"u.",
    b"\x8c\x04",
    b"\x93",
]


def check(work: Path, data: bytes) -> None:
    path = work / "input.pt"
    path.write_bytes(data)
    pytorch.claims(path, data[:4096])
    pytorch.read(path)


if __name__ == "__main__":
    main(check, seeds=seeds.pytorch(), words=WORDS)
