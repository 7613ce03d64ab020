"""Checkpoints that PyTorch wrote (``tests/data/pytorch/make.py``), read without PyTorch."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from uml_core.inspection import inspect, plugin
from uml_core.inspection.pytorch import claims, read_checkpoint
from uml_core.testing.safetensors import write_safetensors

DATA = Path(__file__).parents[2] / "data" / "pytorch"
FORMATS = tuple(plugin.uml_model_formats())
TOLD = json.loads((DATA / "told.json").read_text())
WORDS = {
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "BOOL": "bool",
    "U16": "uint16",
    "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn",
}
NET = {"up.weight": (8, 4), "up.bias": (8,), "norm.weight": (8,), "norm.bias": (8,), "down.weight": (4, 8)}
PARAMETERS = 32 + 8 + 8 + 8 + 32
LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 8, "num_hidden_layers": 1}


def found(name: str) -> dict[str, list[object]]:
    return {weight.name: [WORDS[weight.dtype], list(weight.shape)] for weight in read_checkpoint(DATA / name).weights}


@pytest.mark.parametrize("name", ["state.pt", "state_legacy.pt"])
def test_a_state_is_what_pytorch_says_of_it(name):
    assert found(name) == TOLD["state"]


@pytest.mark.parametrize("name", ["views.pt", "views_legacy.pt"])
def test_views_of_every_kind(name):
    told = dict(TOLD["views"])
    del told["tied.weight"]  # the same numbers once more
    if name == "views_legacy.pt":
        del told["unsigned"]  # newer than that format
    assert found(name) == told


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("state.pt", ""), ("state_legacy.pt", ""), ("nested.pt", "model."), ("module.pt", ""), ("script.pt", "")],
)
def test_a_card(name, prefix):
    card = inspect(DATA / name, FORMATS)
    assert (card.format, card.kind, card.parameters, card.quantization) == ("pytorch", "model", PARAMETERS, "FP32")
    assert (card.hazards, card.bits_per_weight, card.name) == (("pickle",), 32, name.removesuffix(".pt"))
    assert (card.files, card.size_bytes) == ((DATA / name,), (DATA / name).stat().st_size)
    shapes = {weight.name: weight.shape for weight in read_checkpoint(DATA / name).weights}
    assert {f"{prefix}{key}": shape for key, shape in NET.items()}.items() <= shapes.items()


def test_an_optimizer_s_state_is_no_model():
    assert inspect(DATA / "optimizer.pt", FORMATS).kind == "other"


def test_a_program_is_told_from_a_state():
    assert inspect(DATA / "script.pt", FORMATS).metadata["pytorch.archive"] == "torchscript"
    assert "pytorch.archive" not in inspect(DATA / "state.pt", FORMATS).metadata


def test_a_pickled_module_names_the_class_that_loading_it_would_look_up():
    assert "net.Net" in inspect(DATA / "module.pt", FORMATS).metadata["pickle.globals"]
    assert "pickle.globals" not in inspect(DATA / "state.pt", FORMATS).metadata


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    return tmp_path


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pth"])
def test_a_folder(folder, name):
    shutil.copy(DATA / "state.pt", folder / name)
    card = inspect(folder, FORMATS)
    assert (card.format, card.kind, card.parameters, card.hazards) == ("pytorch", "model", PARAMETERS, ("pickle",))
    assert (card.tasks, card.shape.embedding_length) == (("text-generation",), 8)
    assert [file.name for file in card.files] == [name, "config.json"]


def test_what_training_left_in_the_folder_is_not_the_model(folder):
    shutil.copy(DATA / "state.pt", folder / "pytorch_model.bin")
    for name in ("optimizer.pt", "scheduler.pt", "training_args.bin", "rng_state.pth"):
        (folder / name).write_bytes(b"\x80\x02}.")
    assert inspect(folder, FORMATS).files[0].name == "pytorch_model.bin"
    (folder / "pytorch_model.bin").unlink()
    assert not claims(folder, b"")


def test_another_program_s_bin_is_no_checkpoint(folder):
    (folder / "model.bin").write_bytes(b"\x06\0\0\0")
    assert not claims(folder, b"")


def test_safetensors_go_before_pickles(folder):
    shutil.copy(DATA / "state.pt", folder / "pytorch_model.bin")
    write_safetensors(folder / "model.safetensors", {"model.norm.weight": ("F16", (8,))})
    card = inspect(folder, FORMATS)
    assert (card.format, card.hazards) == ("safetensors", ())


def test_parts(folder):
    names = [f"pytorch_model-{number:05}-of-00002.bin" for number in (1, 2)]
    index = {"weight_map": {"a": names[0], "b": names[1]}}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    shutil.copy(DATA / "state.pt", folder / names[0])
    card = inspect(folder, FORMATS)
    assert (card.missing, card.parameters) == ((names[1],), PARAMETERS)
    shutil.copy(DATA / "views.pt", folder / names[1])
    assert inspect(folder, FORMATS).complete


def test_an_adapter(tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    shutil.copy(DATA / "state.pt", tmp_path / "adapter_model.bin")
    assert inspect(tmp_path, FORMATS).kind == "adapter"
    assert inspect(tmp_path / "adapter_model.bin", FORMATS).kind == "adapter"


def test_a_checkpoint_called_safetensors_is_refused(tmp_path):
    shutil.copy(DATA / "state.pt", path := tmp_path / "model.safetensors")
    with pytest.raises(Exception, match="is a zip archive, as PyTorch's checkpoints are, whatever its name says"):
        inspect(path, FORMATS)


def checkpoint(path: Path, sizes: dict[str, tuple[str, int]]) -> None:
    """Write the state of a model: a storage and a count of numbers for each name."""
    pickle = [b"\x80\x02}"]
    for name, (key, count) in sizes.items():
        storage = f"(Vstorage\nctorch\nFloatStorage\nV{key}\nVcpu\nI{count}\ntQ"
        view = f"ctorch._utils\n_rebuild_tensor_v2\n({storage}I0\n(I{count}\nt(I1\ntI00\nNtR"
        pickle.append(f"V{name}\n{view}s".encode())
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"".join((*pickle, b".")))
        for key, count in dict(sizes.values()).items():
            archive.writestr(f"archive/data/{key}", bytes(4 * count))


def test_the_bytes_of_each_layer_are_there_once_also_of_tied_weights(tmp_path):
    config = LLAMA | {"num_hidden_layers": 2}
    (tmp_path / "config.json").write_text(json.dumps(config))
    sizes = {"model.embed_tokens.weight": ("0", 7), "model.norm.weight": ("1", 2), "lm_head.weight": ("0", 7)}
    sizes |= {f"model.layers.{layer}.mlp.up_proj.weight": (f"{layer + 2}", 5) for layer in range(2)}
    checkpoint(tmp_path / "pytorch_model.bin", sizes)
    card = inspect(tmp_path, FORMATS)
    assert card.shape
    assert [layer.weight_bytes for layer in card.shape.layers] == [20, 20]
    assert (card.shape.input_bytes, card.shape.output_bytes, card.shape.tied) == (28, 8, True)
