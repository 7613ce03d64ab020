"""Headers that were cut off, damaged, or made to hurt: each is an error or is read, and neither takes long or much."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from uml_core.errors import InvalidModelFileError
from uml_core.inspection import inspect, plugin
from uml_core.inspection.safetensors import claims, read_header
from uml_core.inspection.safetensors.header import Malformed, parse_header
from uml_core.testing.safetensors import write_safetensors

FORMATS = tuple(plugin.uml_model_formats())
TENSORS = {"b.weight": ("BF16", (2, 3)), "a.weight": ("F32", (4,)), "scalar": ("I64", ()), "none": ("F16", (0, 3))}


def file_of(header: object, data: bytes = b"", *, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def tensor(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def zipped() -> bytes:
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02.")
    return buffer.getvalue()


BROKEN = {
    "nothing": b"",
    "seven bytes": b"\x02" + bytes(6),
    "a length and nothing": file_of(b"", length=2),
    "a length of 0": file_of(b"", b"x" * 50, length=0),
    "a length of 2**64-1": file_of(b"{}", b"x" * 50, length=2**64 - 1),
    "a length one too long": file_of(b"{}", length=3),
    "spaces first": file_of(b" {}"),
    "an array": file_of(b"[]"),
    "not JSON": file_of(b"{'a': 1}"),
    "cut off in the JSON": file_of(b'{"a":{"dtype"'),
    "not UTF-8": file_of(b'{"\xff":{}}'),
    "UTF-16": file_of("{}".encode("utf-16")),
    "NaN": file_of(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,0]}}'),
    "nested 10,000 deep": file_of(b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "arrays nested 10,000 deep": file_of(b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}"),
    "brackets that never close": file_of(b'{"a":' + b"[" * 10**6),
    "a number of 10,000 digits": file_of(
        b'{"a":{"dtype":"F32","shape":[' + b"9" * 10_000 + b'],"data_offsets":[0,0]}}'
    ),
    "the same name twice": file_of(
        b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}',
        b"xx",
    ),
    "no entry": file_of({"a": 1}),
    "no type": file_of({"a": {"shape": [1], "data_offsets": [0, 1]}}),
    "an unknown type": file_of({"a": tensor("F17")}, bytes(8)),
    "a type that is a list": file_of({"a": tensor(["F32"])}, bytes(8)),
    "a shape that is a number": file_of({"a": tensor(shape=2)}, bytes(8)),
    "a negative length": file_of({"a": tensor(shape=[-2])}, bytes(8)),
    "a length that is true": file_of({"a": tensor("U8", [True], [0, 1])}, b"x"),
    "a length that is no whole number": file_of({"a": tensor(shape=[2.0])}, bytes(8)),
    "a product beyond 2**64": file_of({"a": tensor(shape=[2**40, 2**40])}, bytes(8)),
    "a product that wraps round": file_of({"a": tensor("U8", [2**32, 2**32], [0, 0])}),
    "10**6 dimensions": file_of({"a": tensor("U8", [1] * 10**6, [0, 1])}, b"x"),
    "one offset": file_of({"a": tensor(offsets=[0])}, bytes(8)),
    "three offsets": file_of({"a": tensor(offsets=[0, 8, 9])}, bytes(8)),
    "offsets that are texts": file_of({"a": tensor(offsets=["0", "8"])}, bytes(8)),
    "offsets the wrong way round": file_of({"a": tensor(offsets=[8, 0])}, bytes(8)),
    "a negative offset": file_of({"a": tensor(offsets=[-8, 0])}, bytes(8)),
    "offsets that don't fit the shape": file_of({"a": tensor(offsets=[0, 7])}, bytes(8)),
    "an end behind the file's": file_of({"a": tensor()}, bytes(7)),
    "a start behind the file's end": file_of({"a": tensor(offsets=[2**60, 2**60 + 8])}, bytes(8)),
    "two tensors in one place": file_of({"a": tensor(), "b": tensor()}, bytes(8)),
    "two tensors that overlap": file_of({"a": tensor(), "b": tensor(offsets=[4, 12])}, bytes(12)),
    "a hole": file_of({"a": tensor(), "b": tensor(offsets=[12, 20])}, bytes(20)),
    "a hole at the start": file_of({"a": tensor(offsets=[4, 12])}, bytes(12)),
    "bytes of no tensor": file_of({"a": tensor()}, bytes(9)),
    "metadata that is a number": file_of({"__metadata__": 3}),
    "metadata with a number": file_of({"__metadata__": {"a": 3}}),
    "half a byte": file_of({"a": tensor("F4", [3], [0, 1])}, bytes(1)),
    "a pickle": pickle.dumps({"a": list(range(1000))}),
    "a zip archive": zipped(),
    "a zip archive behind the header's length": file_of(b"{}", zipped()),
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
    "a web page": b"<!doctype html><html></html>",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_with_a_sentence(tmp_path, name):
    (path := tmp_path / "m.safetensors").write_bytes(BROKEN[name])
    with pytest.raises(InvalidModelFileError, match=r"^'m\.safetensors' .*; download it again$") as caught:
        inspect(path, FORMATS)
    assert len(caught.value.message) < 400
    assert caught.value.message.isprintable()


def test_what_it_is_in_truth_is_said(tmp_path):
    for name, what in (
        ("a pickle", "is a pickle"),
        ("a zip archive", "is a zip archive, as PyTorch's checkpoints are"),
    ):
        (path := tmp_path / "m.safetensors").write_bytes(BROKEN[name])
        with pytest.raises(InvalidModelFileError, match=f"{what}, whatever its name says"):
            inspect(path, FORMATS)


def test_content_decides_not_the_name(tmp_path):
    path = write_safetensors(tmp_path / "m.bin", TENSORS)
    assert inspect(path, FORMATS).format == "safetensors"


def test_a_header(tmp_path):
    header = read_header(write_safetensors(tmp_path / "m.safetensors", TENSORS, metadata={"format": "pt"}))
    assert {weight.name: (weight.dtype, weight.shape) for weight in header.weights} == TENSORS
    assert header.metadata == {"format": "pt"}
    assert header.data_offset + 12 + 16 + 8 == header.size_bytes


def test_narrow_types(tmp_path):
    path = write_safetensors(
        tmp_path / "m.safetensors", {"a": ("F4", (4, 2)), "b": ("F8_E4M3", (3,)), "c": ("F6_E2M3", (4,))}
    )
    assert [weight.size_bytes for weight in read_header(path).weights] == [4, 3, 3]


def test_cut_off_anywhere(tmp_path):
    path = write_safetensors(tmp_path / "m.safetensors", TENSORS, metadata={"format": "pt"})
    for length in reversed(range(path.stat().st_size)):
        os.truncate(path, length)
        with pytest.raises(InvalidModelFileError):
            inspect(path, FORMATS)


def test_one_bit_is_wrong(tmp_path):
    """Any bit of the JSON: it is read, or refused with a reason."""
    whole = write_safetensors(tmp_path / "m.safetensors", {"a.weight": ("F32", (4, 2))}).read_bytes()
    for at in range(8, len(whole) - 32):
        for bit in range(8):
            changed = whole[8:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 : -32]
            with contextlib.suppress(Malformed):
                assert len(parse_header(changed, size_bytes=len(whole)).weights) == 1


@pytest.mark.parametrize(
    "header",
    [
        b'{"__metadata__":{"a":"' + b"x" * (24 * 2**20 - 100) + b'"}}',
        b'{"__metadata__":{"a":"' + "\N{GRINNING FACE}".encode() + b"x" * (24 * 2**20 - 100) + b'"}}',
        b'{"a":[' + b"[]," * (8 * 2**20 - 100) + b"1]}",
        pytest.param(b'{"a":[' + b"1000," * 3_199_000 + b"1]}", marks=pytest.mark.proof),
        b'{"a":[' + b'"",1,' * (4 * 2**20) + b"1]}",
        b'{"a":"' + b'\\"' * (8 * 2**20),
        b'{"a":' + b"[" * (23 * 2**20),
    ],
    ids=["long text", "wide text", "empty lists", "numbers", "empty texts", "escapes", "brackets"],
)
def test_a_header_made_to_take_memory(tmp_path, header):
    (path := tmp_path / "m.safetensors").write_bytes(file_of(header))
    tracemalloc.start()
    started = time.process_time()
    with contextlib.suppress(InvalidModelFileError):
        read_header(path)
    seconds, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 400 * 2**20
    assert seconds < 30  # tracemalloc slows it down by far more than ten


def test_a_header_longer_than_is_read_is_refused_before_it_is_read(tmp_path):
    with (path := tmp_path / "m.safetensors").open("wb") as file:
        file.write((90 * 10**6).to_bytes(8, "little") + b"{")
        file.truncate(100 * 10**6)
    tracemalloc.start()
    with pytest.raises(InvalidModelFileError, match="its header is said to have 90000000 bytes, more than"):
        inspect(path, FORMATS)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_sparse_file_of_ten_terabytes(tmp_path):
    tensors = {"a.weight": ("F32", (2**40, 2))}
    path = write_safetensors(tmp_path / "m.safetensors", tensors)
    assert inspect(path, FORMATS).parameters == 2**41


def test_claims_need_nothing_but_the_head_of_a_file():
    assert claims(Path("x"), file_of(b"{}"))
    assert claims(Path("x.safetensors"), b"anything")
    assert not claims(Path("x.bin"), b"anything")
    assert not claims(Path("/nowhere"), b"")
