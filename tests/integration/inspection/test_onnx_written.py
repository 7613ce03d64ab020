"""Models that the reference library wrote, whole and damaged in every way."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.onnx import read, read_header
from uml_core.testing.onnx import field, varint
from uml_core.testing.onnx import model as bare_model

onnx = pytest.importorskip("onnx")
FLOAT, INT64, UINT8, INT4 = 1, 7, 2, 22


def value(name: str, type: int = FLOAT, sizes=("batch", 4)):
    return onnx.helper.make_tensor_value_info(name, type, sizes)


def tensor(name: str, sizes, type: int = FLOAT):
    bits = {FLOAT: 32, INT64: 64, UINT8: 8, INT4: 4}[type]
    count = 1
    for size in sizes:
        count *= size
    return onnx.helper.make_tensor(name, type, sizes, bytes(-(-count * bits // 8)), raw=True)


def model(nodes, inputs, outputs, tensors=(), **rest):
    graph = onnx.helper.make_graph(nodes, "graph", inputs, outputs, tensors)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], **rest)


def save(path: Path, made) -> Path:
    path.write_bytes(made.SerializeToString())
    return path


@pytest.fixture
def linear():
    """A layer of 8 weights."""
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    return model([node], [value("x")], [value("y", sizes=("batch", 2))], [tensor("w", (4, 2))])


@pytest.fixture
def outside(tmp_path, linear) -> Path:
    """The layer with its weights in ``weights.bin``."""
    path = tmp_path / "model.onnx"
    onnx.save_model(linear, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path


def moved(path: Path, location: str) -> Path:
    made = onnx.load(path, load_external_data=False)
    for entry in made.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = location
    return save(path, made)


def test_data_in_another_file(outside):
    source = read(outside)
    assert source.files == (outside, outside.with_name("weights.bin"))
    assert source.size_bytes == outside.stat().st_size + 32
    assert (source.parameters, source.bits_per_weight, source.complete) == (8, 32.0, True)


def test_data_that_is_not_there_is_missing(outside):
    outside.with_name("weights.bin").unlink()
    source = read(outside)
    assert (source.missing, source.files, source.parameters) == (("weights.bin",), (outside,), 8)


def test_data_that_was_cut_off(outside):
    os.truncate(outside.with_name("weights.bin"), 31)
    with pytest.raises(InvalidModelFileError, match=r"'weights.bin' has 31 bytes, but 'model.onnx' needs 32 of it"):
        read(outside)


@pytest.mark.parametrize(
    "location",
    [
        "/etc/hostname",
        "../weights.bin",
        "a/../../weights.bin",
        "a/..",
        "..",
        ".",
        "",
        "C:\\weights.bin",
        "C:weights.bin",
        "\\\\host\\share",
        "a\\..\\weights.bin",
        "weights\0.bin",
        "*/_ORT_MEM_ADDR_/*",
        "/proc/self/environ",
        "folder",
        "pipe",
        "link",
        "linked/weights.bin",
        "x" * 4000,
    ],
)
def test_data_that_is_no_file_of_the_model(outside, tmp_path_factory, location):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "weights.bin").write_bytes(bytes(32))
    (outside.parent / "folder").mkdir()
    os.mkfifo(outside.parent / "pipe")
    (outside.parent / "link").symlink_to(elsewhere / "weights.bin")
    (outside.parent / "linked").symlink_to(elsewhere)
    with pytest.raises(InvalidModelFileError, match=r"'model.onnx' wants its weights out of"):
        read(moved(outside, location))


def test_a_cache_of_links_to_blobs(outside, tmp_path):
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "abc" / "onnx"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    for number, name in enumerate(("model.onnx", "weights.bin")):
        blob = blobs / f"{number:064}"
        (tmp_path / name).rename(blob)
        (snapshot / name).symlink_to(os.path.relpath(blob, snapshot))
    assert read(snapshot / "model.onnx").complete
    (blobs / f"{1:064}").unlink()
    assert read(snapshot / "model.onnx").missing == ("weights.bin",)


def test_packed_weights_count_as_what_they_stand_for(tmp_path):
    quantized = onnx.helper.make_node(
        "MatMulNBits", ["x", "w", "scales", "zeros"], ["y"], domain="com.microsoft", K=64, N=8, bits=4, block_size=32
    )
    tensors = [
        tensor("w", (8, 2, 16), UINT8),
        tensor("scales", (16,)),
        tensor("zeros", (8, 1), UINT8),
        tensor("shape", (1000,), INT64),
    ]
    source = read(save(tmp_path / "q.onnx", model([quantized], [value("x")], [value("y")], tensors)))
    assert (source.parameters, source.quantization) == (512, "int4")
    assert source.bits_per_weight == (8 * 2 * 16 + 16 * 4 + 8) * 8 / 512


def test_tensors_of_four_bits(tmp_path):
    node = onnx.helper.make_node("DequantizeLinear", ["w", "scale"], ["y"])
    made = model([node], [value("x")], [value("y")], [tensor("w", (3, 3), INT4), tensor("scale", ())])
    source = read(save(tmp_path / "q.onnx", made))
    assert (source.parameters, source.quantization, source.bits_per_weight) == (9, "int4", round((5 + 4) * 8 / 9, 3))


def decoder():
    past = [
        value(f"past_key_values.{layer}.{part}", sizes=("batch", 3, "past", 64))
        for layer in range(2)
        for part in ("key", "value")
    ]
    inputs = [value("input_ids", INT64, ("batch", "tokens")), *past]
    attention = onnx.helper.make_node(
        "GroupQueryAttention", ["q"], ["a"], domain="com.microsoft", num_heads=9, kv_num_heads=3
    )
    embed = onnx.helper.make_node("Gather", ["w", "input_ids"], ["q"])
    logits = value("logits", sizes=("batch", "tokens", 1000))
    return model([embed, attention], inputs, [logits], [tensor("w", (10, 4))])


def test_a_decoder_with_a_past(tmp_path):
    source = read(save(tmp_path / "decoder.onnx", decoder()))
    assert (source.tasks, source.modalities) == (("text-generation",), ("text",))
    shape = source.shape
    assert (shape.heads, shape.vocabulary_size, len(shape.layers)) == (9, 1000, 2)
    assert {(layer.kind, layer.kv_heads, layer.key_length, layer.value_length) for layer in shape.layers} == {
        ("full", 3, 64, 64)
    }
    assert source.metadata["graph.node"] == {"Gather": 1, "GroupQueryAttention": 1}


def test_weights_within_branches_count(tmp_path, linear):
    branch = onnx.helper.make_graph(linear.graph.node, "then", [], [value("y")], [tensor("inner", (5, 5))])
    constant = onnx.helper.make_node("Constant", [], ["c"], value=tensor("", (7,)))
    node = onnx.helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    source = read(save(tmp_path / "if.onnx", model([constant, node], [value("x", 9, ())], [value("y")])))
    assert source.parameters == 25 + 25 + 7
    assert source.metadata["graph.node"] == {"Constant": 1, "If": 1, "MatMul": 2}


def test_data_outside_is_found_wherever_it_hides(tmp_path, linear):
    hidden = tensor("hidden", (4,))
    onnx.external_data_helper.set_external_data(hidden, "../../secret", 0, 16)
    hidden.ClearField("raw_data")
    hidden.data_location = onnx.TensorProto.EXTERNAL
    sparse = onnx.helper.make_sparse_tensor(hidden, tensor("at", (4,), INT64), [9])
    body = onnx.helper.make_graph(linear.graph.node, "body", [], [], [hidden])
    places = {
        "constant": lambda m: m.graph.node.append(onnx.helper.make_node("Constant", [], ["c"], value=hidden)),
        "sparse constant": lambda m: m.graph.node.append(
            onnx.helper.make_node("Constant", [], ["c"], sparse_value=sparse)
        ),
        "any operator": lambda m: m.graph.node.append(onnx.helper.make_node("Own", [], ["c"], domain="own", a=hidden)),
        "any body": lambda m: m.graph.node.append(onnx.helper.make_node("Own", [], ["c"], domain="own", a=body)),
        "loop": lambda m: m.graph.node.append(onnx.helper.make_node("Loop", [], ["c"], body=body)),
        "sparse": lambda m: m.graph.sparse_initializer.append(sparse),
        "training": lambda m: m.training_info.add().initialization.CopyFrom(body),
        "function": lambda m: m.functions.append(
            onnx.helper.make_function(
                "own", "f", [], ["c"], [onnx.helper.make_node("Constant", [], ["c"], value=hidden)], []
            )
        ),
    }
    for name, add in places.items():
        made = onnx.ModelProto()
        made.CopyFrom(linear)
        add(made)
        with pytest.raises(InvalidModelFileError, match="secret"):
            read(save(tmp_path / f"{name}.onnx", made))


def test_a_file_cut_off_at_every_byte(tmp_path, linear):
    whole, path = linear.SerializeToString(), tmp_path / "cut.onnx"
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        try:
            onnx.checker.check_model(whole[:length])
        except Exception:
            with pytest.raises(InvalidModelFileError):
                read_header(path)
        else:
            read_header(path)


def flips(data: bytes, step: int):
    for at in range(0, len(data) * 8, step):
        changed = bytearray(data)
        changed[at // 8] ^= 1 << at % 8
        yield bytes(changed)


def check_flips(path: Path, step: int) -> int:
    data, refused = decoder().SerializeToString(), 0
    for changed in flips(data, step):
        path.write_bytes(changed)
        try:
            read(path)
        except InvalidModelFileError:
            refused += 1
    return refused


def test_some_flipped_bits(tmp_path):
    assert check_flips(tmp_path / "flipped.onnx", 11) > 50


@pytest.mark.proof
def test_every_flipped_bit(tmp_path):
    assert check_flips(tmp_path / "flipped.onnx", 1) > 500


def test_many_entries_are_skipped_or_refused_at_once(tmp_path, linear):
    node = linear.graph.node.add(op_type="Constant", output=["c"])
    node.attribute.add(name="value_ints", type=onnx.AttributeProto.INTS, ints=[1] * 10**6)
    linear.graph.initializer.append(onnx.helper.make_tensor("many", FLOAT, [10**6], bytes(4 * 10**6), raw=True))
    path = save(tmp_path / "many.onnx", linear)
    started = time.perf_counter()
    assert read(path).parameters == 8 + 10**6
    path.write_bytes(bare_model(field(1, field(4, "Relu")) * 300_000))
    with pytest.raises(InvalidModelFileError, match="more than 250000 operators"):
        read(path)
    assert time.perf_counter() - started < 20  # on a busy machine; it is one second


def test_large_weights_are_not_read(tmp_path):
    """A file of a gigabyte, most of which is a hole on the disk."""
    path, size_bytes = tmp_path / "big.onnx", 2**30
    head = field(1, size_bytes // 4) + field(2, FLOAT) + field(8, "w") + varint(9 << 3 | 2) + varint(size_bytes)
    start = varint(5 << 3 | 2) + varint(len(head) + size_bytes) + head
    end = field(1, field(4, "Relu"))
    whole = (
        field(1, 8) + field(8, field(2, 17)) + varint(7 << 3 | 2) + varint(len(start) + size_bytes + len(end)) + start
    )
    with path.open("wb") as file:
        file.write(whole)
        file.seek(size_bytes, os.SEEK_CUR)
        file.write(end)
    assert read(path).parameters == 2**28
    assert bytes_read(path) < 100_000


def bytes_read(path: Path) -> int:
    from uml_core.inspection.onnx import Wire, parse_header

    with path.open("rb", buffering=0) as file:
        wire = Wire(file, path.stat().st_size)
        parse_header(wire)
        return wire.loaded_bytes


def test_random_bytes_are_refused(tmp_path):
    chance, path = random.Random(4), tmp_path / "random.onnx"
    for _ in range(300):
        path.write_bytes(chance.randbytes(chance.randrange(1, 400)))
        with pytest.raises(InvalidModelFileError):
            read(path)
