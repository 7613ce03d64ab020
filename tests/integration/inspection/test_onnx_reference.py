"""Every field of real and written files, against the reference reader."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest

from uml_core.inspection import inspect
from uml_core.inspection import onnx as ours
from uml_core.inspection.plugin import uml_model_formats

onnx = pytest.importorskip("onnx")
WEIGHTS = {"float64", "float32", "float16", "bfloat16", "uint8", "int8", "uint4", "int4"}


def reference(path: Path):
    """What the reference reads: the file's head, its tensors by name, operators, and weights' elements."""
    model = onnx.load(path, load_external_data=False)
    tensors, operators = [], Counter()
    for graph in graphs(model.graph):
        tensors += graph.initializer
        for node in graph.node:
            operators[node.op_type] += 1
            if node.op_type == "Constant":
                tensors += [attribute.t for attribute in node.attribute if attribute.HasField("t")]
    return model, tensors, operators


def graphs(graph):
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from graphs(attribute.g)


def dimensions(value):
    shape = value.type.tensor_type
    if not shape.HasField("shape"):
        return None
    return tuple(size.dim_value if size.HasField("dim_value") else size.dim_param for size in shape.shape.dim)


def check_file(path: Path) -> None:
    model, tensors, operators = reference(path)
    header = ours.read_header(path)
    assert (header.ir_version, header.producer, header.producer_version) == (
        model.ir_version,
        model.producer_name,
        model.producer_version,
    )
    assert header.opsets == {opset.domain or "ai.onnx": opset.version for opset in model.opset_import}
    assert header.notes == {entry.key: entry.value for entry in model.metadata_props}
    assert header.graph_name == model.graph.name
    own = {tensor.name for tensor in model.graph.initializer}
    for mine, theirs in ((header.inputs, model.graph.input), (header.outputs, model.graph.output)):
        assert [(value.name, value.type, value.dimensions) for value in mine] == [
            (value.name, named(value.type.tensor_type.elem_type), dimensions(value))
            for value in theirs
            if value.name not in own
        ]
    assert header.operators == operators
    check_tensors(header.tensors, tensors)


def check_tensors(mine, theirs) -> None:
    kept = {tensor.name for tensor in mine if tensor.name}
    described = Counter((tensor.name, tensor.type, tensor.dimensions, tensor.elements) for tensor in mine)
    expected = Counter(
        (tensor.name, named(tensor.data_type), tuple(tensor.dims), math.prod(tensor.dims)) for tensor in theirs
    )
    assert not described - expected
    left = expected - described  # small integers that are constants of an operator
    assert all(type in ("int64", "int32", "bool") and elements < 128 for _, type, _, elements in left)
    assert {tensor.name for tensor in theirs if named(tensor.data_type) in WEIGHTS and tensor.name} <= kept
    sizes = {(tensor.name, tuple(tensor.dims)): len(tensor.raw_data) for tensor in theirs if tensor.raw_data}
    placed = [tensor for tensor in mine if (tensor.name, tensor.dimensions) in sizes and tensor.type in WEIGHTS]
    assert all(tensor.size_bytes == sizes[tensor.name, tensor.dimensions] for tensor in placed if tensor.name)


def named(number: int) -> str:
    name = onnx.TensorProto.DataType.Name(number).lower()
    return {"float": "float32", "double": "float64", "undefined": ""}.get(name, name)


@pytest.fixture(params=["rapidocr", "silero"])
def real(request, rapidocr, silero) -> list[Path]:
    return {"rapidocr": rapidocr, "silero": silero}[request.param]


def test_every_field_of_real_models_is_the_same(real):
    assert real
    for path in real:
        check_file(path)


@pytest.mark.proof
def test_every_field_of_a_voice_is_the_same(piper):
    (path,) = piper
    check_file(path)
    source = ours.read(path)
    assert (source.architecture, source.tasks, source.missing) == ("vits", ("text-to-speech",), ())
    assert (source.metadata["audio.sample_rate"], source.metadata["language.code"]) == (22050, "en_US")


def test_the_real_models_are_described(rapidocr, silero):
    formats = tuple(uml_model_formats())
    cards = {path.stem: inspect(path, formats) for path in (*rapidocr, *silero)}
    assert {card.format for card in cards.values()} == {"onnx"}
    assert {card.quantization for card in cards.values()} == {"FP32"}
    tasks = {name: (*card.tasks, *card.modalities) for name, card in cards.items()}
    assert tasks["ch_PP-OCRv4_det_infer"] == ("image-segmentation", "image")
    assert tasks["ch_PP-OCRv4_rec_infer"] == ("image-to-text", "image")
    assert tasks["ch_ppocr_mobile_v2.0_cls_infer"] == ("image-classification", "image")
    assert all(tasks[path.stem] == ("voice-activity-detection", "audio") for path in silero)
    read = cards["ch_PP-OCRv4_rec_infer"]
    assert (read.parameters, read.bits_per_weight, read.missing) == (2_690_352, 32.0, ())
    assert len(read.metadata["metadata_props.character"].splitlines()) == 6623


def test_the_tables_are_the_references():
    from uml_core.inspection.onnx.tables import DATA_TYPES

    for number, (name, bits) in DATA_TYPES.items():
        if number in onnx.TensorProto.DataType.values():
            assert named(number) == name
            if name != "string":
                sample = onnx.helper.make_tensor("t", number, [16], bytes(16 * bits // 8), raw=True)
                assert bits * 16 == len(sample.raw_data) * 8
