"""What the backend says of a model, which options it takes, and how it is launched."""

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from uml_core.types import ModelSource, Plan, Rejected
from uml_llamacpp import plugin
from uml_llamacpp.options import Options


def verdict(**source):
    model = ModelSource(**{"path": Path("m.gguf"), "format": "gguf", "files": (), "size_bytes": 1, **source})
    return plugin.uml_detect_backend(model=model, settings={})


def test_other_formats_are_not_its_business():
    assert verdict(format="safetensors") is None


def test_what_it_can_do_nothing_with():
    said = verdict(tasks=("text-to-speech",))
    assert said == Rejected("is for text-generation and feature-extraction and text-ranking, not for text-to-speech")


@pytest.mark.engine
@pytest.mark.parametrize("task", ["text-generation", "feature-extraction", "text-ranking"])
def test_a_model_does_what_its_file_speaks_for(task):
    pytest.importorskip("llama_cpp")
    assert verdict(tasks=(task, "image-text-to-text")).tasks == (task,)


def test_the_context_is_cores_word():
    with pytest.raises(ValidationError, match="'n_ctx' is extra: say context_length"):
        Options.model_validate({"n_ctx": 4096})


@pytest.mark.parametrize("options", [{"n_batch": 0}, {"n_ubatch": 10**9}, {"type_k": "q3"}, {"flash_attn": "on"}])
def test_options_out_of_bounds(options):
    with pytest.raises(ValidationError):
        Options.model_validate({**options, **({"flash_attn": "perhaps"} if "flash_attn" in options else {})})


@pytest.mark.parametrize(("python", "first"), [(None, sys.executable), ("/venv/bin/python", "/venv/bin/python")])
def test_launch(python, first):
    source = ModelSource(path=Path("m.gguf"), format="gguf", files=(), size_bytes=1)
    plan = Plan(model_id="m", model=source, backend="llamacpp", tasks=(), context_length=1, settings={"python": python})
    command = plugin.uml_launch_worker(plan=plan)
    assert command.argv == (first, "-P", "-m", "uml_llamacpp.worker")
    assert (command.accepts, command.ready_path) == ("fd", "/health")


@pytest.mark.parametrize(("layers", "hidden"), [(0, "-1"), (1, None), (None, None)])
def test_without_a_layer_on_a_gpu_the_worker_sees_none(layers, hidden):
    source = ModelSource(path=Path("m.gguf"), format="gguf", files=(), size_bytes=1)
    options = Options(n_gpu_layers=layers).model_dump()
    plan = Plan(model_id="m", model=source, backend="llamacpp", tasks=(), context_length=1, options=options)
    env = plugin.uml_launch_worker(plan=plan).env
    assert env.get("CUDA_VISIBLE_DEVICES") == env.get("HIP_VISIBLE_DEVICES") == hidden


def test_cached_values_of_few_bits_need_flash_attention():
    with pytest.raises(ValidationError, match="of the type q8_0 need flash attention"):
        Options(flash_attn=False, type_v="q8_0")
    assert Options(flash_attn=False, type_k="q8_0", type_v="f16").type_k == "q8_0"
    assert Options(flash_attn=True, type_v="q4_0").type_v == "q4_0"
