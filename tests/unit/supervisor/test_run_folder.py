import os
from pathlib import Path

from uml_core.supervisor.run_folder import prepare, write_launch_file
from uml_core.types import ModelSource, Placement, Plan
from uml_core.worker.launch import LaunchFile


def test_a_worker_reads_what_was_planned(tmp_path, monkeypatch):
    placement = Placement(devices=("cuda:1", "cuda:0"), gpu_layers=7, split=(3.0, 1.0), flash_attention=True)
    model = ModelSource(path=Path("/m"), format="safetensors", files=(Path("/m/a"),), size_bytes=0)
    plan = Plan(
        model_id="m", model=model, backend="b", tasks=("text-generation",), context_length=99, placement=placement
    )
    launch = prepare(tmp_path, generation=1, host="127.0.0.1", port=1)
    write_launch_file(launch, plan, None)
    monkeypatch.setitem(os.environ, "UML_LAUNCH_FILE", str(launch.launch_file))
    assert LaunchFile.from_environment().plan == plan
