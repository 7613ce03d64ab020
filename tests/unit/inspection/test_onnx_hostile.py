"""Bytes that break protobuf or ONNX: each is refused with a reason, and none takes long or much."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from uml_core.errors import InvalidModelFileError
from uml_core.inspection import inspect
from uml_core.inspection.onnx import claims, read, read_header
from uml_core.inspection.plugin import uml_model_formats
from uml_core.testing.onnx import field, model, tensor, varint, write_onnx

RELU = field(1, field(4, "Relu"))
ENDLESS = b"\xff" * 11
FACE = field(1, "x") + field(2, field(1, field(1, 1) + field(2, field(1, field(1, 4)) * 65)))


def nested(depth: int) -> bytes:
    graph = RELU
    for _ in range(depth):
        graph = field(1, field(4, "If") + field(5, field(1, "then_branch") + field(6, graph)))
    return graph


CASES = {
    "nothing but a version": (field(1, 8), "holds no graph"),
    "no version": (field(7, RELU), "doesn't say which version"),
    "version 0": (field(1, 0) + field(7, RELU), "doesn't say which version"),
    "no operator set": (field(1, 8) + field(7, RELU), "names no operator set"),
    "an empty graph": (model(b""), "holds no graph with an operator"),
    "a graph of another wire type": (field(1, 8) + field(7, 1), "field 7 of a model has the wire type 0"),
    "a version of another wire type": (field(1, "8") + field(7, RELU), "field 1 of a model has the wire type 2"),
    "a name of another wire type": (model(RELU + field(2, 5)), "field 2 of a graph has the wire type 0"),
    "an operator of another wire type": (model(field(1, field(4, 5))), "field 4 of an operator has the wire type 0"),
    "raw data of another wire type": (model(field(5, field(9, 5))), "field 9 of a tensor has the wire type 0"),
    "an operator without a name": (model(field(1, field(1, "x"))), "an operator has no name"),
    "a field without a number": (b"\x02\x00" + model(RELU), "a field without a number in a model"),
    "a group": (b"\x0b" + model(RELU), "wire type 3"),
    "a wire type that there isn't": (b"\x0f" + model(RELU), "wire type 7"),
    "a number without an end": (b"\x08" + ENDLESS, "longer than 10 bytes"),
    "a tag without an end": (ENDLESS, "longer than 10 bytes"),
    "a length beyond the end": (field(1, 8) + b"\x3a\xff\xff\xff\xff\x7f", "longer than what holds it"),
    "a length of 2**63": (field(1, 8) + b"\x3a" + varint(2**63), "longer than what holds it"),
    "a field longer than its message": (model(b"\x0a\x7f"), "longer than what holds it"),
    "an attribute longer than its operator": (
        model(field(1, field(4, "If") + b"\x2a\x7f")),
        "longer than what holds it",
    ),
    "a tensor of an unknown type": (model(field(5, field(2, 99))), "the type 99"),
    "a tensor of no type": (model(field(5, field(8, "w"))), "the type 0"),
    "a negative dimension": (model(field(5, field(1, -1) + field(2, 1))), "can't have the shape"),
    "dimensions whose product is too large": (
        model(field(5, field(1, 2**40) * 2 + field(2, 1))),
        "can't have the shape",
    ),
    "too many dimensions": (model(field(5, field(1, 1) * 65 + field(2, 1))), "more than 64 dimensions"),
    "too many dimensions of an input": (model(RELU + field(11, FACE)), "more than 64 dimensions"),
    "too little data": (model(field(5, field(1, 4) + field(2, 1) + field(9, bytes(15)))), "needs 16 bytes, but 15"),
    "too much data": (model(field(5, field(1, 4) + field(2, 1) + field(9, bytes(17)))), "needs 16 bytes, but 17"),
    "a name of a megabyte": (model(field(5, field(2, 1) + field(8, "x" * 2**20))), "at most 65535 are allowed"),
    "an operator's name of a megabyte": (model(field(1, field(4, "x" * 2**20))), "at most 65535 are allowed"),
    "graphs too deep": (model(nested(17)), "more than 16 deep"),
    "graphs much too deep": (model(nested(1000)), "more than 16 deep"),
    "too many kinds of operators": (
        model(b"".join(field(1, field(4, f"Own{number}")) for number in range(2001))),
        "more than 2000 kinds of operators",
    ),
    "too many inputs": (model(RELU + field(11, b"") * 10_001), "more than 10000 inputs"),
    "too many operator sets": (
        model(RELU) + b"".join(field(8, field(1, f"own{number}")) for number in range(1001)),
        "more than 1000 operator sets",
    ),
    "too many notes": (model(RELU, metadata={str(number): "" for number in range(10_001)}), "more than 10000 notes"),
    "an offset that is no number": (
        model(field(5, field(2, 1) + field(13, field(1, "offset") + field(2, "-1")) + field(14, 1))),
        "which is no number",
    ),
    "a place in too many words": (
        model(field(5, field(2, 1) + field(13, b"") * 65 + field(14, 1))),
        "more than 64 words",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_breaks_the_format_is_refused(tmp_path, case):
    data, reason = CASES[case]
    path = tmp_path / "hostile.onnx"
    path.write_bytes(data)
    with pytest.raises(InvalidModelFileError, match=reason) as refused:
        read(path)
    assert str(refused.value).startswith("'hostile.onnx' is not a whole ONNX file: ")


LARGE = {
    "numbers one by one": model(RELU + field(5, field(1, 1000) + field(2, 7) + field(7, 1) * 15_000)),
    "empty fields": field(1, 8) + b"\x32\x00" * 15_000,
    "an operator of many attributes": model(field(1, field(4, "If") + field(5, b"") * 15_000)),
    "dimensions": model(RELU + field(5, field(1, 1) * 15_000 + field(2, 1))),
    "a note": model(RELU, metadata={"k": "x" * 30_000}),
    "operators": model(RELU * 10_000),
    "tensors": model(RELU + field(5, field(2, 1)) * 8_000),
    "outputs of one operator": model(field(1, field(2, "") * 15_000 + field(4, "Relu"))),
    "inputs of one operator": model(field(1, field(1, "") * 15_000 + field(4, "If"))),
}


@pytest.mark.parametrize("case", LARGE)
def test_what_is_small_on_a_disk_stays_small(tmp_path, case):
    path = tmp_path / "large.onnx"
    path.write_bytes(LARGE[case])
    tracemalloc.start()
    begin = time.process_time()
    try:
        read_header(path)
    except InvalidModelFileError:
        pass
    finally:
        took_s, (_, peak_bytes) = time.process_time() - begin, tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak_bytes < 32 * len(LARGE[case]) + 2**20
    assert took_s < 10  # with each allocation looked at; it is a tenth of a second without


ENDLESS_FILES = {
    "fields": (field(1, 8) + b"\x32\x00" * 1_600_000, "more than 1500000 fields"),
    "fields of graphs": (model(RELU + field(13, b"") * 1_600_000), "more than 1500000 fields"),
    "operators": (model(field(1, b"\x22\x01R") * 300_000), "more than 250000 operators"),
    "names": (model(RELU + field(5, field(2, 1) + field(8, "x" * 65_000)) * 600), "more than 32 MiB of names"),
    "tensors": (model(RELU + field(5, field(2, 1)) * 160_000), "more than 150000 tensors"),
}


@pytest.mark.parametrize(
    "case", ["names", *(pytest.param(case, marks=pytest.mark.proof) for case in ENDLESS_FILES if case != "names")]
)
def test_what_is_large_is_given_up(tmp_path, case):
    data, reason = ENDLESS_FILES[case]
    path = tmp_path / "endless.onnx"
    path.write_bytes(data)
    begin = time.process_time()
    with pytest.raises(InvalidModelFileError, match=reason):
        read(path)
    assert time.process_time() - begin < 8  # on a busy machine; it is less than a second


def test_a_file_that_was_saved_in_place_of_the_model(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(InvalidModelFileError, match="Git LFS pointer"):
        inspect(path, tuple(uml_model_formats()))
    path.write_text("<!DOCTYPE html><html>")
    with pytest.raises(InvalidModelFileError, match="a web page"):
        inspect(path, tuple(uml_model_formats()))


def test_a_file_is_known_without_its_ending(tmp_path):
    path = write_onnx(tmp_path / ("0" * 64), tensors={"w": (4, 2)})
    assert inspect(path, tuple(uml_model_formats())).format == "onnx"
    assert not claims(tmp_path / "model.bin", b"GGUF")


def test_numbers_written_in_more_bytes_than_they_need(tmp_path):
    path = tmp_path / "model.onnx"
    long_field = b"\xba\x80\x00" + varint(len(RELU) | 0)
    path.write_bytes(b"\x88\x00\x88\x80\x00" + long_field + RELU + field(8, field(2, 17)))
    assert read_header(path).ir_version == 8


def test_what_stands_there_twice_is_joined_as_protobuf_does(tmp_path):
    path = tmp_path / "model.onnx"
    graph = RELU + field(5, tensor("a", (2, 2)))
    path.write_bytes(model(graph) + field(7, field(1, field(4, "Add")) + field(5, tensor("b", (3,)))))
    header = read_header(path)
    assert header.operators == {"Relu": 1, "Add": 1}
    assert [kept.name for kept in header.tensors] == ["a", "b"]


def test_names_are_shown_without_escape_codes(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(model(field(5, field(2, 99) + field(8, "a\x1b[2J\u202e" * 40))))
    with pytest.raises(InvalidModelFileError) as refused:
        read(path)
    assert str(refused.value).isprintable()
