"""What the backend says of a model, which options it takes, and how it is launched."""

import sys
import venv
from pathlib import Path

import pytest
from pydantic import ValidationError

from uml_core.errors import InvalidOptionsError
from uml_core.planning.options import load_options
from uml_core.types import Device, HostInfo, Match, ModelSource, Placement, Plan, Rejected
from uml_transformers import plugin
from uml_transformers.options import Options, Settings

pytest.importorskip("torch")
pytest.importorskip("transformers")

HOST = HostInfo(platform="linux", physical_cores=2, logical_cores=2, memory_bytes=8 << 30, free_memory_bytes=8 << 30)
SOURCE = {
    "path": Path("/m"),
    "format": "safetensors",
    "files": (Path("/m/model.safetensors"),),
    "size_bytes": 1,
    "architecture": "LlamaForCausalLM",
    "tasks": ("text-generation",),
    "has_tokenizer": True,
    "metadata": {"model_type": "llama"},
}


def verdict(host=HOST, settings=None, **source):
    table = Settings(**(settings or {})).model_dump()
    return plugin.uml_detect_backend(model=ModelSource(**{**SOURCE, **source}), host=host, settings=table)


def plan(placement=Placement(), **said):  # noqa: B008
    options = Options(**said).model_dump()
    model = ModelSource(**SOURCE)
    return Plan(
        model_id="m",
        model=model,
        backend="transformers",
        tasks=model.tasks,
        context_length=512,
        options=options,
        settings={"python": None},
        placement=placement,
    )


def test_a_model_for_it():
    assert verdict() == Match(verdict().level, "transformers reads safetensors", tasks=("text-generation",))


def test_other_formats_are_not_its_business():
    assert verdict(format="gguf") is None


def test_a_question_about_the_engine_alone():
    assert isinstance(verdict(files=(), metadata={}, architecture=None, tasks=(), has_tokenizer=False), Match)


@pytest.mark.parametrize(
    ("source", "reason", "hint"),
    [
        ({"tasks": ("fill-mask",)}, "it is for fill-mask, which this backend does not serve", "another model"),
        ({"kind": "adapter"}, "it is no model but adapter", "choose the model that it belongs to"),
        ({"has_tokenizer": False}, "no tokenizer beside it", "whole folder"),
        ({"metadata": {}, "architecture": None}, "no config.json", "whole folder"),
        ({"metadata": {"model_type": "kimi9"}}, "does not know 'kimi9'", "pip install -U transformers"),
        (
            {"metadata": {"model_type": "kimi9"}, "hazards": ("remote-code",)},
            "needs Python files of the model's own, which are not run",
            "`trust_remote_code = true` in [plugins.transformers]",
        ),
        ({"quantization": "exl2-4.0bpw"}, "quantized for ExLlama", "another variant"),
    ],
)
def test_what_can_not_be_loaded(source, reason, hint):
    said = verdict(**source)
    assert isinstance(said, Rejected)
    assert reason in said.reason
    assert hint in said.hint


@pytest.mark.parametrize(
    ("method", "reason", "hint"),
    [
        ("gptq", "it is quantized with gptq, and gptqmodel is not installed", "pip install gptqmodel"),
        ("awq", "it is quantized with awq, and gptqmodel is not installed", "pip install gptqmodel"),
        ("bitsandbytes", "and bitsandbytes is not installed", "pip install bitsandbytes"),
        ("fp8", "it is quantized with fp8, which needs a GPU", "choose another variant"),
        ("strange", "with 'strange', which this backend does not know", "choose another"),
    ],
)
def test_a_quantization_that_lacks_something(method, reason, hint):
    said = verdict(metadata={"model_type": "llama", "quantization_config.quant_method": method})
    assert isinstance(said, Rejected)
    assert reason in said.reason
    assert said.hint == hint


def test_a_gpu_is_enough_for_some():
    host = HostInfo(
        platform="linux",
        physical_cores=2,
        logical_cores=2,
        memory_bytes=8,
        free_memory_bytes=8,
        devices=(Device(id="cuda:0", kind="cuda", index=0, name="GPU"),),
    )
    found = verdict(host=host, metadata={"model_type": "llama", "quantization_config.quant_method": "fp8"})
    assert isinstance(found, Match)


def test_its_own_code_is_run_where_the_settings_trust_it():
    source = {"metadata": {"model_type": "kimi9"}, "hazards": ("remote-code",)}
    assert isinstance(verdict(settings={"trust_remote_code": True}, **source), Match)


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": "int3"},
        {"trust_remote_code": True},
        {"max_batch_tokens": 0},
        {"load_in_4bit": True, "load_in_8bit": True},
    ],
)
def test_options_out_of_bounds(options):
    with pytest.raises(ValidationError):
        Options.model_validate(options)


@pytest.fixture
def bare_python(tmp_path):
    """Another environment, with nothing in it."""
    venv.create(tmp_path / "bare", symlinks=True)
    return str(tmp_path / "bare/bin/python")


@pytest.mark.parametrize("option", ["load_in_4bit", "load_in_8bit"])
def test_what_quantizes_has_to_be_there_when_it_is_planned(bare_python, option):
    card = plugin.uml_backend_info()
    settings = Settings(python=bare_python).model_dump()
    with pytest.raises(InvalidOptionsError, match="needs bitsandbytes, which is not installed") as refused:
        load_options(card, {option: True}, settings)
    assert refused.value.param == option
    assert load_options(card, {option: False}, settings)[option] is False
    assert Options.model_validate({option: True})  # a worker's


def test_the_old_name_of_an_option_is_told():
    with pytest.raises(ValidationError, match="'torch_dtype' is called dtype"):
        Options.model_validate({"torch_dtype": "float16"})


def test_launch():
    command = plugin.uml_launch_worker(plan=plan())
    assert command.argv == (sys.executable, "-P", "-m", "uml_transformers.worker")
    assert command.env["CUDA_VISIBLE_DEVICES"] == "-1"


@pytest.mark.parametrize(
    ("devices", "options", "shown"),
    [
        (("cuda:1",), {}, "1"),
        (("cuda:1",), {"device_map": "auto"}, None),
        ((), {"device_map": "auto"}, "-1"),
    ],
)
def test_the_worker_sees_the_devices_of_the_plan(devices, options, shown, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    env = plugin.uml_launch_worker(plan=plan(Placement(devices=devices), **options)).env
    assert env.get("CUDA_VISIBLE_DEVICES") == shown


@pytest.mark.parametrize(
    ("version", "kinds"),
    [
        ("cuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n", ("cuda",)),
        ("cuda = None\nhip: Optional[str] = '7.0'\n", ("rocm",)),
        ("cuda: Optional[str] = None\nhip = None\n", ()),
    ],
)
def test_devices_by_the_build_of_torch(version, kinds, tmp_path, monkeypatch):
    from uml_transformers.devices import accelerators

    monkeypatch.setattr("sys.platform", "linux")
    (tmp_path / "version.py").write_text(version)
    assert accelerators(tmp_path) == kinds
