"""The command line of a llama-server program, and that a launch is a value."""

import importlib.util
import sys
from pathlib import Path

import attrs
import pytest

from uml_core.types import Launch, ModelSource, Placement, Plan
from uml_llamaserver import plugin
from uml_llamaserver.flags import ENCODES, FLAGS, SPLIT, SWITCHES
from uml_llamaserver.options import Options, Settings
from uml_llamaserver.server import split

SOURCE = ModelSource(path=Path("/models/org/tiny.gguf"), format="gguf", files=(), size_bytes=1)
LAUNCH = Launch(generation=1, launch_id="id", host="127.0.0.1", port=18650, token="secret", run_dir=Path("/run/uml"))
FIXED = (
    "/opt/llama-server --model /models/org/tiny.gguf --alias org/tiny --ctx-size 4096 --parallel 1 --threads 3 "
    "--threads-batch 3 --host 127.0.0.1 --port 18650 --api-key-file /run/uml/token --no-webui --no-slots --offline"
)


def planned(settings=None, *, parallel=1, tasks=("text-generation",), **options):
    return Plan(
        model_id="org/tiny",
        model=SOURCE,
        backend="llamaserver",
        tasks=tasks,
        context_length=4096,
        parallel=parallel,
        threads=3,
        options=Options(**options).model_dump(),
        settings=Settings(**(settings or {})).model_dump(),
    )


def words(plan):
    return " ".join(plugin.uml_launch_worker(plan=plan, launch=LAUNCH).argv)


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ({}, "--cache-ram 0"),
        ({"cache_ram": 512}, "--cache-ram 512"),
        ({"n_gpu_layers": -1, "main_gpu": 0}, "--n-gpu-layers -1 --cache-ram 0 --split-mode none"),
        ({"main_gpu": 1}, "--cache-ram 0 --main-gpu 1 --split-mode none"),
        ({"main_gpu": 1, "split_mode": "row"}, "--cache-ram 0 --main-gpu 1 --split-mode row"),
        ({"split_mode": "row", "tensor_split": [3, 1]}, "--cache-ram 0 --split-mode row --tensor-split 3.0,1.0"),
        ({"tensor_split": [3, 1]}, "--cache-ram 0 --tensor-split 3.0,1.0"),
        ({"tensor_split": [0, 0, 2]}, "--cache-ram 0 --main-gpu 2 --split-mode none"),
        ({"n_gpu_layers": 30, "n_cpu_moe": 4}, "--n-gpu-layers 30 --n-cpu-moe 4 --cache-ram 0"),
        ({"kv_offload": False}, "--cache-ram 0 --no-kv-offload"),
        ({"kv_offload": True}, "--cache-ram 0"),
        ({"n_batch": 256, "n_ubatch": 64}, "--batch-size 256 --ubatch-size 64 --cache-ram 0"),
        ({"flash_attn": "on"}, "--flash-attn on --cache-ram 0"),
        (
            {"cache_type_k": "q8_0", "cache_type_v": "f16"},
            "--cache-type-k q8_0 --cache-type-v f16 --cache-ram 0",
        ),
        ({"load_mode": "mmap+mlock"}, "--load-mode mmap+mlock --cache-ram 0"),
        (
            {"rope_freq_base": 1e6, "rope_freq_scale": 0.5},
            "--rope-freq-base 1000000.0 --rope-freq-scale 0.5 --cache-ram 0",
        ),
        ({"swa_full": True, "warmup": False}, "--cache-ram 0 --swa-full --no-warmup"),
        ({"swa_full": False, "warmup": True}, "--cache-ram 0"),
    ],
)
def test_argv_of_a_program(options, more):
    assert words(planned({"binary": "/opt/llama-server"}, **options)) == f"{FIXED} {more}"


def test_context_is_of_each_sequence():
    assert "--ctx-size 16384 --parallel 4" in words(planned({"binary": "/opt/llama-server"}, parallel=4))


@pytest.mark.parametrize(("task", "flag"), [("feature-extraction", "--embeddings"), ("text-ranking", "--reranking")])
def test_whole_texts_have_to_be_in_one_batch(task, flag):
    said = words(planned({"binary": "/opt/llama-server"}, tasks=(task,)))
    assert said.endswith(f"{flag} --kv-unified --batch-size 4096 --ubatch-size 4096")
    assert "--ctx-size 4096 --parallel 8" in said, "several short texts share the room"


def test_threads_may_be_said():
    both = words(planned({"binary": "/opt/llama-server"}, n_threads=2, n_threads_batch=5))
    assert "--threads 2 --threads-batch 5" in both
    assert "--threads 2 --threads-batch 2" in words(planned({"binary": "/opt/llama-server"}, n_threads=2))


def test_without_a_program_python_runs_the_package():
    command = plugin.uml_launch_worker(plan=planned(), launch=LAUNCH)
    assert command.argv == (sys.executable, "-P", str(Path(plugin.__file__).with_name("server.py")))
    assert (command.accepts, command.ready_path) == ("port", "/props")
    other = plugin.uml_launch_worker(plan=planned({"python": "/venv/bin/python"}), launch=LAUNCH)
    assert other.argv[0] == "/venv/bin/python"


@pytest.mark.parametrize("settings", [{}, {"binary": "/opt/llama-server"}])
def test_launch_is_a_value_without_the_token(settings):
    first, second = (plugin.uml_launch_worker(plan=planned(settings), launch=LAUNCH) for _ in range(2))
    assert first == second
    assert "secret" not in f"{first.argv} {first.env}"


@pytest.mark.engine
def test_llama_cpp_knows_every_flag():
    """The package holds the same argument parser as the program."""
    spec = importlib.util.find_spec("xllamacpp")
    if spec is None:
        pytest.skip("xllamacpp is not installed")
    known = b"".join(library.read_bytes() for library in Path(spec.origin).parent.glob("*.so"))
    used = {word for word in FIXED.split() if word.startswith("--")} | {*FLAGS.values(), *SPLIT, *SWITCHES.values()}
    used |= {*ENCODES.values(), "--kv-unified", "--batch-size", "--ubatch-size"}
    assert {flag for flag in used if flag.encode() + b"\0" not in known} == set()


@pytest.mark.parametrize("settings", [{}, {"binary": "/opt/llama-server"}])
@pytest.mark.parametrize(("layers", "hidden"), [(0, "-1"), (1, None), (None, None)])
def test_without_a_layer_on_a_gpu_the_worker_sees_none(settings, layers, hidden):
    env = plugin.uml_launch_worker(plan=planned(settings, n_gpu_layers=layers), launch=LAUNCH).env
    assert env.get("CUDA_VISIBLE_DEVICES") == env.get("HIP_VISIBLE_DEVICES") == hidden


def test_a_gpu_of_several_is_all_that_the_worker_sees():
    plan = attrs.evolve(
        planned({"binary": "/opt/llama-server"}, n_gpu_layers=9, tensor_split=[0, 1]),
        placement=Placement(devices=("cuda:1",)),
    )
    command = plugin.uml_launch_worker(plan=plan, launch=LAUNCH)
    assert command.env["CUDA_VISIBLE_DEVICES"] == command.env["UML_GPUS"] == "1"
    assert "--split-mode none" in " ".join(command.argv)
    assert "--main-gpu" not in command.argv
    assert command.memory("load_tensors:        CUDA0 model buffer size =  7605.33 MiB").device == "cuda:1"


@pytest.mark.parametrize(
    ("options", "first", "mode", "shares"),
    [
        ({"tensor_split": [0, 3, 1]}, 0, None, [3, 1]),
        ({"tensor_split": [0, 3, 0], "main_gpu": 1}, 0, "none", ()),
        ({"main_gpu": 2}, 0, "none", ()),
        ({}, 0, None, []),
    ],
)
def test_new_numbers_for_gpus_that_are_seen_alone(options, first, mode, shares):
    assert split(options, narrowed=True) == (first, mode, shares)
