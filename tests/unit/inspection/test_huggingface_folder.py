"""What lies beside the weights, what is missing, and what leads out of the folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from uml_core.errors import InvalidModelFileError
from uml_core.inspection import inspect, plugin
from uml_core.testing.safetensors import write_safetensors

FORMATS = tuple(plugin.uml_model_formats())
LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 8, "num_hidden_layers": 1}
NORM = {"model.norm.weight": ("BF16", (8,))}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A small model, complete."""
    path = tmp_path / "Tiny-Llama"
    path.mkdir()
    (path / "config.json").write_text(json.dumps(LLAMA))
    write_safetensors(path / "model.safetensors", NORM)
    return path


def put(path: Path, value: object) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def sharded(folder: Path, count: int = 3, *, written: tuple[int, ...] = (1, 2, 3)) -> None:
    (folder / "model.safetensors").unlink()
    names = [f"model-{number:05}-of-{count:05}.safetensors" for number in range(1, count + 1)]
    for number in written:
        write_safetensors(folder / names[number - 1], {f"model.layers.{number}.weight": ("F16", (number, 8))})
    put(folder / "model.safetensors.index.json", {"weight_map": {f"{n}.weight": name for n, name in enumerate(names)}})


def test_a_model(folder):
    card = inspect(folder, FORMATS)
    assert (card.path, card.format, card.kind, card.name) == (folder, "safetensors", "model", "Tiny-Llama")
    assert card.files == (folder / "model.safetensors", folder / "config.json")
    assert card.size_bytes == sum(file.stat().st_size for file in card.files)
    assert (card.parameters, card.quantization, card.bits_per_weight) == (8, "BF16", 16)
    assert (card.complete, card.has_tokenizer, card.has_chat_template, card.hazards) == (True, False, False, ())
    assert card.metadata["model_type"] == "llama"


def test_the_repository_gives_the_name_in_the_cache_of_the_hub(folder):
    snapshot = folder.parent / "models--org--Tiny" / "snapshots" / ("a" * 40)
    snapshot.parent.mkdir(parents=True)
    folder.rename(snapshot)
    assert inspect(snapshot, FORMATS).name == "Tiny"


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer.model", "vocab.txt", "spiece.model", "qwen.tiktoken"])
def test_tokenizers(folder, name):
    put(folder / name, "x")
    assert inspect(folder, FORMATS).has_tokenizer


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("tokenizer_config.json", {"chat_template": "{{ messages }}"}, True),
        ("tokenizer_config.json", {"chat_template": [{"name": "default", "template": "x"}]}, True),
        ("tokenizer_config.json", {"chat_template": ""}, False),
        ("tokenizer_config.json", {"chat_template": 3}, False),
        ("tokenizer_config.json", "{", False),
        ("chat_template.jinja", "{{ messages }}", True),
        ("chat_template.json", {"chat_template": "x"}, True),
    ],
)
def test_chat_templates(folder, name, value, expected):
    put(folder / name, value)
    assert inspect(folder, FORMATS).has_chat_template is expected


@pytest.mark.parametrize(("told", "expected"), [(2048, 2048), (10**30, None), (0, None), ("x", None), (True, None)])
def test_the_tokenizer_s_limit_counts_where_the_model_has_none(folder, told, expected):
    put(folder / "tokenizer_config.json", {"model_max_length": told})
    assert inspect(folder, FORMATS).context_length == expected
    put(folder / "config.json", LLAMA | {"max_position_embeddings": 4096})
    assert inspect(folder, FORMATS).context_length == 4096


@pytest.mark.parametrize(
    ("front", "expected"),
    [
        ("---\nlicense: apache-2.0\n---\n# Tiny", "apache-2.0"),
        ("---\r\nlicense: 'mit'\r\n---\r\n", "mit"),
        ("---\nlicense:\n- cc-by-4.0\n---\n", "cc-by-4.0"),
        ("---\nlanguage: en\nlicense: other\nlicense_name: llama3\n---\n", "llama3"),
        ("---\nlicense: mit\n", None),
        ("license: mit\n", None),
        ("---\n---\nlicense: mit\n---\n", None),
        ("---\nlicense: \x1b[31mred\n---\n", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_licences(folder, front, expected):
    put(folder / "README.md", front)
    assert inspect(folder, FORMATS).license == expected


def test_a_readme_of_a_gigabyte_is_read_at_its_start_only(folder):
    with (folder / "README.md").open("wb") as file:
        file.write(b"---\nlicense: mit\n---\n")
        file.truncate(2**30)
    assert inspect(folder, FORMATS).license == "mit"


@pytest.mark.parametrize("tag", ["text-ranking", "feature-extraction"])
def test_an_author_who_says_more_than_the_class_does(folder, tag):
    put(folder / "README.md", f"---\npipeline_tag: {tag}\n---\n")
    assert inspect(folder, FORMATS).tasks == (tag, "text-generation")


def test_an_author_s_own_words_are_no_tasks(folder):
    put(folder / "README.md", "---\npipeline_tag: everything\n---\n")
    assert inspect(folder, FORMATS).tasks == ("text-generation",)


def test_a_folder_of_sentence_transformers_embeds(folder):
    (folder / "1_Pooling").mkdir()
    assert inspect(folder, FORMATS).tasks == ("feature-extraction", "text-generation")


def test_all_parts(folder):
    sharded(folder)
    card = inspect(folder, FORMATS)
    assert (card.parameters, card.complete, card.quantization) == (48, True, "FP16")
    assert [file.name for file in card.files][-2:] == ["model.safetensors.index.json", "config.json"]


def test_parts_that_are_not_there_are_named(folder):
    sharded(folder, written=(1, 3))
    card = inspect(folder, FORMATS)
    assert card.missing == ("model-00002-of-00003.safetensors",)
    assert (card.kind, card.complete) == ("model", False)


def test_no_part_is_there(folder):
    sharded(folder, written=())
    card = inspect(folder, FORMATS)
    assert (card.kind, len(card.missing), card.parameters) == ("model", 3, None)


def test_numbered_parts_without_an_index(folder):
    sharded(folder, written=(1, 3))
    (folder / "model.safetensors.index.json").unlink()
    assert inspect(folder, FORMATS).missing == ("model-00002-of-00003.safetensors",)


@pytest.mark.parametrize(
    "name",
    [
        *("../model.safetensors", "/etc/passwd", "a/b.safetensors", "..\\b.safetensors", "c:x.safetensors"),
        *("x.bin", "", ".", "a\0.safetensors", "a" * 300 + ".safetensors", None, 7, ["x.safetensors"], {"a": 1}),
    ],
)
def test_an_index_that_leads_elsewhere(folder, name):
    sharded(folder)
    put(folder / "model.safetensors.index.json", {"weight_map": {"a": "model-00001-of-00003.safetensors", "b": name}})
    with pytest.raises(InvalidModelFileError, match=r"'model\.safetensors\.index\.json' names .*don't use this model"):
        inspect(folder, FORMATS)


@pytest.mark.parametrize("value", ["{", "[]", {}, {"weight_map": []}, {"weight_map": {}}])
def test_a_broken_index(folder, value):
    sharded(folder)
    put(folder / "model.safetensors.index.json", value)
    with pytest.raises(InvalidModelFileError, match=r"'model\.safetensors\.index\.json'"):
        inspect(folder, FORMATS)


def test_what_is_beside_the_model_is_not_the_model(folder):
    write_safetensors(folder / "consolidated.safetensors", {"layers.0.weight": ("F32", (64, 64))})
    write_safetensors(folder / "model.fp16.safetensors", {"model.norm.weight": ("F16", (8,))})
    assert inspect(folder, FORMATS).parameters == 8
    (folder / "model.safetensors").rename(folder / "output.safetensors")
    write_safetensors(folder / "output.fp16.safetensors", {"model.norm.weight": ("F16", (8,))})
    (folder / "model.fp16.safetensors").unlink()
    assert inspect(folder, FORMATS).files[0].name == "output.safetensors"


def test_a_variant_without_its_twin_is_the_model(folder):
    (folder / "model.safetensors").rename(folder / "model.fp16.safetensors")
    assert inspect(folder, FORMATS).files[0].name == "model.fp16.safetensors"


def test_links_within_the_folder_and_into_the_cache_of_the_hub(folder):
    (folder / "model.safetensors").rename(folder / "elsewhere.bin")
    (folder / "model.safetensors").symlink_to("elsewhere.bin")
    assert inspect(folder, FORMATS).parameters == 8
    blobs = folder.parent / "blobs"
    blobs.mkdir()
    (folder / "elsewhere.bin").rename(blobs / ("0f" * 32))
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(f"../blobs/{'0f' * 32}")
    assert inspect(folder, FORMATS).size_bytes == sum(file.stat().st_size for file in inspect(folder, FORMATS).files)


def test_a_link_into_the_cache_that_leads_nowhere_is_a_missing_file(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(f"../../blobs/{'0f' * 32}")
    assert inspect(folder, FORMATS).missing == ("model.safetensors",)


@pytest.mark.parametrize("name", ["model.safetensors", "model-00002-of-00003.safetensors"])
def test_weights_that_are_a_link_out_of_the_folder(folder, name):
    if name != "model.safetensors":
        sharded(folder)
    (folder / name).rename(folder.parent / "outside.safetensors")
    (folder / name).symlink_to(folder.parent / "outside.safetensors")
    with pytest.raises(InvalidModelFileError, match="is a link that leads out of the model's folder"):
        inspect(folder, FORMATS)


def test_other_files_that_are_links_out_of_the_folder_are_not_read(folder):
    outside = put(folder.parent / "outside", "---\nlicense: secret\n---\n")
    for name in ("README.md", "tokenizer.json", "chat_template.jinja"):
        (folder / name).symlink_to(outside)
    card = inspect(folder, FORMATS)
    assert (card.license, card.has_tokenizer, card.has_chat_template) == (None, False, False)


def test_a_configuration_that_is_a_link_out_of_the_folder_is_none(folder):
    (folder / "config.json").rename(folder.parent / "outside.json")
    (folder / "config.json").symlink_to(folder.parent / "outside.json")
    with pytest.raises(InvalidModelFileError, match="is a folder, not a model file"):
        inspect(folder, FORMATS)


@pytest.mark.parametrize("name", ["model.safetensors", "model.safetensors.index.json"])
def test_a_pipe_in_place_of_weights_is_not_opened(folder, name):
    (folder / "model.safetensors").unlink()
    os.mkfifo(folder / name)
    with pytest.raises(InvalidModelFileError, match="is no regular file"):
        inspect(folder, FORMATS)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "README.md", "quantize_config.json"])
def test_a_pipe_beside_the_weights_is_left_alone(folder, name):
    os.mkfifo(folder / name)
    assert not inspect(folder, FORMATS).has_tokenizer


def test_a_link_that_leads_back_to_itself(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to("model.safetensors")
    with pytest.raises(InvalidModelFileError, match="can't be read"):
        inspect(folder, FORMATS)


def test_a_folder_in_place_of_the_weights(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").mkdir()
    with pytest.raises(InvalidModelFileError, match="is no regular file"):
        inspect(folder, FORMATS)


def test_a_configuration_of_a_gigabyte_is_not_read(folder):
    with (folder / "config.json").open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(InvalidModelFileError, match=r"'config\.json' has 1073741824 bytes"):
        inspect(folder, FORMATS)


def test_a_part_of_a_diffusion_pipeline_is_no_model(folder):
    put(folder / "config.json", {"_class_name": "UNet2DConditionModel", "_diffusers_version": "0.21.4"})
    card = inspect(folder, FORMATS)
    assert (card.kind, card.architecture) == ("other", "UNet2DConditionModel")


def test_a_folder_with_an_adapter(tmp_path):
    put(tmp_path / "adapter_config.json", {"peft_type": "LORA", "base_model_name_or_path": "org/base", "r": 8})
    write_safetensors(tmp_path / "adapter_model.safetensors", {"x.lora_A.weight": ("F32", (8, 4))})
    for path in (tmp_path, tmp_path / "adapter_model.safetensors"):
        card = inspect(path, FORMATS)
        assert (card.kind, card.parameters, card.tasks) == ("adapter", 32, ())
        assert card.metadata["adapter.base_model_name_or_path"] == "org/base"


@pytest.mark.parametrize(
    ("tensors", "kind"),
    [
        ({"a.lora_A.weight": ("F32", (2, 2)), "a.lora_B.weight": ("F32", (2, 2))}, "adapter"),
        ({"lora_unet_down.lora_down.weight": ("F16", (2, 2))}, "adapter"),
        ({"encoder.weight": ("F32", (2, 2))}, "model"),
        ({"steps": ("F32", (2, 2))}, "other"),
        ({}, "other"),
    ],
)
def test_a_lone_file(tmp_path, tensors, kind):
    card = inspect(write_safetensors(tmp_path / "lone.safetensors", tensors), FORMATS)
    assert (card.kind, card.name, card.shape, card.tasks) == (kind, "lone", None, ())
    assert card.files == (tmp_path / "lone.safetensors",)


def test_a_lone_file_says_of_itself_what_it_can(tmp_path):
    told = {"modelspec.title": "Fine", "modelspec.architecture": "flux-1", "modelspec.license": "mit"}
    write_safetensors(tmp_path / "x.safetensors", {"a": ("F32", (1,))}, metadata=told)
    card = inspect(tmp_path / "x.safetensors", FORMATS)
    assert (card.name, card.architecture, card.license, card.kind) == ("Fine", "flux-1", "mit", "model")


def test_a_lone_part_finds_the_others(tmp_path):
    for number in (1, 3):
        write_safetensors(tmp_path / f"m-{number:05}-of-00003.safetensors", {f"{number}.weight": ("F32", (2,))})
    card = inspect(tmp_path / "m-00003-of-00003.safetensors", FORMATS)
    assert (card.parameters, card.missing) == (4, ("m-00002-of-00003.safetensors",))


def test_another_program_s_configuration_beside_a_lone_file(tmp_path):
    write_safetensors(tmp_path / "one.safetensors", NORM)
    put(tmp_path / "config.json", "{ not JSON")
    card = inspect(tmp_path / "one.safetensors", FORMATS)
    assert (card.kind, card.architecture) == ("model", None)


def test_a_folder_that_can_t_be_read(folder, unprivileged):
    os.seteuid(0) if os.getuid() == 0 else None
    folder.chmod(0)
    os.seteuid(65534) if os.getuid() == 0 else None
    try:
        with pytest.raises(InvalidModelFileError):
            inspect(folder, FORMATS)
    finally:
        os.seteuid(0) if os.getuid() == 0 else None
        folder.chmod(0o700)
