"""Files that were cut off, damaged, or made to hurt: each is an error or is read, and neither takes long or much."""

from __future__ import annotations

import io
import time
import tracemalloc
from pathlib import Path
from struct import pack

import pytest

from uml_core.errors import InvalidModelFileError
from uml_core.inspection import inspect
from uml_core.inspection.gguf import NAME, Malformed, claims, parse_header, read, read_header
from uml_core.inspection.gguf.cursor import Cursor
from uml_core.testing.gguf import write_gguf
from uml_core.types import ModelFormat

GGUF = (ModelFormat(name=NAME, claims=claims, read=read),)
HUGE = (2**63 - 1, 2**63, 2**64 - 1, 2**40, 10**6)


def text(value: bytes) -> bytes:
    return pack("<Q", len(value)) + value


def start(*, tensors: int = 0, keys: int = 0, version: int = 3) -> bytes:
    return pack("<4sIQQ", b"GGUF", version, tensors, keys)


def entry(key: bytes, type: int, value: bytes) -> bytes:
    return text(key) + pack("<I", type) + value


def tensor(name: bytes = b"w", dimensions: tuple[int, ...] = (32,), type: int = 0, offset: int = 0) -> bytes:
    return text(name) + pack(f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, type, offset)


def with_data(header: bytes, size: int = 128) -> bytes:
    return header.ljust(-(-len(header) // 32) * 32, b"\0") + bytes(size)


def aligned(value: int, type: int = 4, layout: str = "<I") -> bytes:
    return entry(b"general.alignment", type, pack(layout, value))


ONE_KEY, ONE_TENSOR = start(keys=1), start(tensors=1)
DEEP = pack("<I", 9) + b"".join(pack("<IQ", 9, 1) for _ in range(100)) + pack("<IQ", 0, 1) + b"\0"
CASES = {
    "only the magic": b"GGUF",
    "version 0": start(version=0),
    "version 1": start(version=1),
    "version 4": start(version=4),
    "big-endian": pack(">4sIQQ", b"GGUF", 3, 0, 0),
    **{f"{count} keys": start(keys=count) + bytes(64) for count in HUGE},
    **{f"{count} tensors": start(tensors=count) + bytes(64) for count in HUGE},
    **{f"a key of {length} bytes": ONE_KEY + pack("<Q", length) + bytes(64) for length in (*HUGE, 65_536, 100)},
    **{f"a string of {length} bytes": ONE_KEY + entry(b"k", 8, pack("<Q", length)) + bytes(64) for length in HUGE},
    **{
        f"an array of {count} elements of type {type}": ONE_KEY + entry(b"k", 9, pack("<IQ", type, count)) + bytes(64)
        for count in HUGE
        for type in (0, 4, 8, 10)
    },
    "an empty key": ONE_KEY + entry(b"", 0, b"\0"),
    "a key that is not UTF-8": ONE_KEY + entry(b"\xff\xfe", 0, b"\0"),
    "a key that is there twice": start(keys=2) + entry(b"k", 0, b"\0") * 2,
    "a value of type 13": ONE_KEY + entry(b"k", 13, bytes(64)),
    "a value of type 2**32-1": ONE_KEY + entry(b"k", 2**32 - 1, bytes(64)),
    "an array of an unknown type": ONE_KEY + entry(b"k", 9, pack("<IQ", 13, 4)) + bytes(64),
    "an array of no elements of an unknown type": ONE_KEY + entry(b"k", 9, pack("<IQ", 13, 0)) + bytes(64),
    "an array of arrays": ONE_KEY + entry(b"k", 9, pack("<IQIQ", 9, 1, 0, 1)) + bytes(64),
    "arrays 100 deep": ONE_KEY + text(b"k") + DEEP,
    "strings of an array beyond the end": ONE_KEY + entry(b"k", 9, pack("<IQQ", 8, 2, 4)) + b"abcd" + bytes(7),
    "a huge string in an array": ONE_KEY + entry(b"k", 9, pack("<IQQ", 8, 1, 2**64 - 9)) + bytes(64),
    "alignment 0": with_data(ONE_KEY + aligned(0)),
    "alignment 3": with_data(ONE_KEY + aligned(3)),
    "alignment 4": with_data(ONE_KEY + aligned(4)),
    "alignment 2**31": with_data(ONE_KEY + aligned(2**31)),
    "alignment -32": with_data(ONE_KEY + aligned(-32, 5, "<i")),
    "alignment of type bool": with_data(ONE_KEY + aligned(True, 7, "<?")),
    "alignment of type float": with_data(ONE_KEY + aligned(32.0, 6, "<f")),
    "alignment of type string": with_data(ONE_KEY + entry(b"general.alignment", 8, text(b"32"))),
    "no dimensions": with_data(ONE_TENSOR + tensor(dimensions=())),
    "five dimensions": with_data(ONE_TENSOR + tensor(dimensions=(1,) * 5)),
    "2**32-1 dimensions": ONE_TENSOR + text(b"w") + pack("<I", 2**32 - 1) + bytes(64),
    "a dimension of 0": with_data(ONE_TENSOR + tensor(dimensions=(32, 0))),
    "elements over 2**63": with_data(ONE_TENSOR + tensor(dimensions=(2**32, 2**31))),
    "elements that wrap around to few": with_data(ONE_TENSOR + tensor(dimensions=(2**62, 4, 1, 32))),
    "part of a block": with_data(ONE_TENSOR + tensor(dimensions=(33,), type=2)),
    "a tensor of type 4": with_data(ONE_TENSOR + tensor(type=4)),
    "a tensor of type 2**32-1": with_data(ONE_TENSOR + tensor(type=2**32 - 1)),
    "a tensor without a name": with_data(ONE_TENSOR + tensor(name=b"")),
    "a key that is not printable and twice there": start(keys=2) + entry(b"\x00\x1b[2J\xe2\x80\xae", 0, b"\0") * 2,
    "a tensor's name that is not printable": with_data(ONE_TENSOR + tensor(name=b"\0\xe2\x80\xae\x1b", type=99)),
    "a tensor's name that is not UTF-8": with_data(ONE_TENSOR + tensor(name=b"\xff")),
    "an offset that is not aligned": with_data(ONE_TENSOR + tensor(offset=1), 512),
    "an offset beyond the end": with_data(ONE_TENSOR + tensor(offset=1024)),
    "an offset that wraps around": with_data(ONE_TENSOR + tensor(offset=2**64 - 32)),
    "data one byte short": with_data(ONE_TENSOR + tensor(), 127),
    "no data": ONE_TENSOR + tensor(),
    "two tensors of one name": with_data(start(tensors=2) + tensor() + tensor(offset=128), 256),
    "tensors that overlap": with_data(start(tensors=2) + tensor(b"a") + tensor(b"b", offset=96), 512),
    "tensors in one place": with_data(start(tensors=2) + tensor(b"a") + tensor(b"b"), 512),
    "a zip archive that says GGUF": b"GGUFPK\x03\x04" + bytes(64),
}


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_file_is_an_error_at_once(tmp_path, case):
    path = tmp_path / "bad.gguf"
    path.write_bytes(CASES[case])
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises(InvalidModelFileError) as caught:
        read(path)
    took, (_, peak_bytes) = time.perf_counter() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    message = str(caught.value)
    assert message.startswith("'bad.gguf' is not a whole GGUF file: ")
    assert message.endswith("; download it again")
    assert message.isprintable()
    assert took < 2
    assert peak_bytes < 2**20


@pytest.mark.parametrize("type", [4, 8, 9])
def test_values_that_end_early(tmp_path, type):
    path = tmp_path / "bad.gguf"
    path.write_bytes(ONE_KEY + text(b"k") + pack("<I", type) + b"\x04\0\0")
    with pytest.raises(InvalidModelFileError, match="it ends within its header, after 40 bytes"):
        read(path)


@pytest.mark.parametrize(("model", "padding"), [("tiny", 16), ("rich", 0)])
def test_a_file_that_is_cut_off_anywhere(request, model, padding):
    """The padding is after the last tensor; nothing is lost with it."""
    path = request.getfixturevalue(model)
    with path.open("r+b") as file:
        for length in range(path.stat().st_size - padding - 1, 3, -1 if model == "tiny" else -7):
            file.truncate(length)
            with pytest.raises(InvalidModelFileError, match=r"^'\w+\.gguf' is not a whole GGUF file"):
                read(path)


def test_a_file_of_an_older_version_is_read(tiny):
    whole = tiny.read_bytes()
    tiny.write_bytes(whole[:4] + pack("<I", 2) + whole[8:])
    assert read(tiny).parameters == 36


OWN = {
    "block_count": 8,
    "context_length": 40960,
    "embedding_length": 64,
    "feed_forward_length": [128] * 8,
    "attention.head_count": 4,
    "attention.head_count_kv": [2, 0, 2, 2, 0, 2, 2, 2],
    "attention.key_length": 16,
    "attention.value_length": 16,
    "attention.key_length_swa": 8,
    "attention.value_length_swa": 8,
    "attention.key_length_mla": 24,
    "attention.value_length_mla": 16,
    "attention.sliding_window": 512,
    "attention.sliding_window_pattern": [True, False] * 4,
    "attention.causal": True,
    "attention.indexer.key_length": 16,
    "attention.indexer.types": [1, 0] * 4,
    "nextn_predict_layers": 1,
    "expert_count": 4,
    "expert_used_count": [1] * 8,
    "expert_feed_forward_length": 32,
    "pooling_type": 0,
    "ssm.conv_kernel": 4,
    "ssm.inner_size": 128,
    "ssm.state_size": 16,
    "ssm.group_count": 1,
    "vocab_size": 8,
}
RICH = {
    "general.architecture": "jamba",
    "general.type": "model",
    "general.name": "Rich",
    "general.file_type": 7,
    **{f"jamba.{key}": value for key, value in OWN.items()},
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.tokens": [f"token {number}" for number in range(24)],
    "tokenizer.chat_template": "{{ messages }}",
}


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    """A header of over 2 KiB in which nearly everything means something."""
    tensors = {"token_embd.weight": (64, 8), "blk.0.attn_q.weight": (64, 64), "output_norm.weight": (64,)}
    return write_gguf(tmp_path / "rich.gguf", RICH, tensors=tensors, tensor_types={"blk.0.attn_q.weight": "Q8_0"})


@pytest.mark.parametrize("step", [37, pytest.param(1, marks=pytest.mark.proof)])
@pytest.mark.parametrize("model", ["tiny", "rich"])
def test_no_single_flipped_bit_does_harm(request, model, step):
    path = request.getfixturevalue(model)
    whole, header_bytes = path.read_bytes(), read_header(path).data_offset
    outcomes, sentences = {"read": 0, "refused": 0}, set()
    tracemalloc.start()
    with path.open("r+b", buffering=0) as file:
        for bit in range(0, header_bytes * 8, step):
            file.seek(bit // 8)
            file.write(bytes([whole[bit // 8] ^ (1 << bit % 8)]))
            try:
                read(path)
                outcomes["read"] += 1
            except InvalidModelFileError as error:
                outcomes["refused"] += 1
                sentences.add(str(error)[:200])
            file.seek(bit // 8)
            file.write(whole[bit // 8 : bit // 8 + 1])
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert all(sentence.isprintable() for sentence in sentences)
    assert header_bytes > (2048 if model == "rich" else 512)
    assert min(outcomes.values()) > sum(outcomes.values()) / 10
    assert peak_bytes < 2 * 2**20  # some windows of 256 KiB, and more of what exceptions leave in Python 3.13


@pytest.mark.parametrize("length", range(33))
def test_the_first_bytes_alone(tiny, length):
    """Both as a file of the format, and as one that somebody merely named so."""
    whole = tiny.read_bytes()
    for content in (whole[:length], b"\xff" * length, bytes(length)):
        tiny.write_bytes(content)
        with pytest.raises(InvalidModelFileError, match=r"^'tiny\.gguf' is (empty|in no format|not a whole GGUF file)"):
            inspect(tiny, GGUF)


def test_a_file_that_shrinks_while_it_is_read():
    class Shrinking(io.BytesIO):
        def readinto(self, window) -> int:
            return super().readinto(window[:10]) if self.tell() < 40 else 0

    whole = start(keys=1) + entry(b"k", 8, text(b"x" * 100))
    with pytest.raises(Malformed, match="it became shorter while it was read"):
        parse_header(Cursor(Shrinking(whole), len(whole)))


def test_a_header_over_the_limit_is_refused_without_reading_it(tmp_path):
    path = tmp_path / "sparse.gguf"
    with path.open("wb") as file:
        file.write(start(keys=3))
        for key in (b"a", b"b"):
            file.write(entry(key, 9, pack("<IQ", 10, 15 * 2**20)))
            file.seek(15 * 2**20 * 8, io.SEEK_CUR)
        file.write(entry(b"c", 9, pack("<IQ", 8, 2 * 2**20 - 2**16)) + pack("<Q", 10 * 2**20))
        file.truncate(10 * 2**40)
    assert path.stat().st_blocks < 10_000
    with pytest.raises(InvalidModelFileError, match="its header is longer than 256 MiB"):
        read(path)


def test_more_elements_than_any_vocabulary_has(tmp_path):
    path = tmp_path / "sparse.gguf"
    with path.open("wb") as file:
        file.write(ONE_KEY + entry(b"k", 9, pack("<IQ", 0, 17 * 2**20)))
        file.truncate(10 * 2**40)
    with pytest.raises(InvalidModelFileError, match="an array of 17825792 elements"):
        read(path)


def test_a_string_over_16_mib(tmp_path: Path):
    path = write_gguf(tmp_path / "m.gguf", {"k": "x" * (16 * 2**20 + 1)})
    with pytest.raises(InvalidModelFileError, match="at most 16777216 are allowed"):
        read(path)


def test_more_strings_than_any_vocabulary_has(tmp_path):
    path = tmp_path / "sparse.gguf"
    with path.open("wb") as file:
        file.write(ONE_KEY + entry(b"k", 9, pack("<IQ", 8, 5 * 2**20)))
        file.truncate(10 * 2**40)
    with pytest.raises(InvalidModelFileError, match="it holds more than 4194304 strings"):
        read(path)


def test_texts_beyond_16_mib_are_left_in_the_file(tmp_path):
    path = write_gguf(tmp_path / "m.gguf", {f"{number}": "x" * 2**20 for number in range(18)})
    kept = [isinstance(value, str) for value in read(path).metadata.values()]
    assert kept == [True] * 15 + [False] * 3


def test_short_arrays_in_great_number_are_left_in_the_file(tmp_path):
    metadata = {f"{number}": [1] * 4000 for number in range(500)}
    path = write_gguf(tmp_path / "m.gguf", metadata, types=dict.fromkeys(metadata, "uint8"))
    kept = sum(isinstance(value, tuple) for value in read(path).metadata.values())
    assert kept == 132


def test_a_header_alone_is_whole_if_it_has_no_tensors(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(ONE_KEY + entry(b"k", 0, b"\1"))
    assert read(path).metadata == {"k": 1}
