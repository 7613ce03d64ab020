"""``uml doctor`` on machines with and without things."""

from __future__ import annotations

import os

import pytest

from uml_core.host.devices import Found
from uml_core.types import Device, Holder

GIB = 1 << 30
BACKEND = """
import os
from pydantic import BaseModel, ConfigDict
from uml_core import hookimpl
from uml_core.types import BackendInfo, Level, Match, Rejected, WorkerCommand

class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

uml_api_version = 1

@hookimpl
def uml_backend_info():
    return BackendInfo(name="unit", formats=("gguf",), tasks=("text-generation",), options=Options, engine="my-engine")

@hookimpl
def uml_detect_backend(model):
    mood = os.environ.get("UNIT_ENGINE", "cuda")
    if mood == "missing":
        return Rejected("my-engine is not installed", hint="pip install my-engine")
    if mood == "picky" and "general.architecture" not in model.metadata:
        return Rejected("it has no architecture")
    return Match(Level.NATIVE, "reads it", devices=("cuda",) if mood == "cuda" else ())

@hookimpl
def uml_launch_worker(plan):
    return WorkerCommand(argv=("unit",))
"""
H200 = Device(
    id="cuda:0", kind="cuda", index=0, name="NVIDIA H200", uuid="GPU-1", total_bytes=140 * GIB, free_bytes=100 * GIB,
    capability="9.0", driver="580.95.05", runtime="13.0", bus="0000:65:00.0",
    holders=(Holder(pid=4711, name="trainer", held_bytes=30 * GIB),), unseen_bytes=5 * GIB,
)  # fmt: skip


@pytest.fixture
def backend(machine, monkeypatch):
    """A backend, as pip would leave it on the disk."""
    (machine.home / "unit_backend.py").write_text(BACKEND)
    info = machine.home / "unit_doctor-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: unit-doctor\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[uml]\nunit = unit_backend\nbroken = no_such_module\n")
    monkeypatch.syspath_prepend(str(machine.home))
    monkeypatch.setenv("UML_PLUGINS__ALLOW", "unit")
    return machine


@pytest.fixture
def devices(monkeypatch):
    def have(*devices, problems=()):
        found = Found(devices=devices, problems=problems)
        monkeypatch.setattr("uml_core.host.host.find_devices", lambda: found)
        monkeypatch.setattr("uml_core.cli.checkup.find_devices", lambda: found)
        monkeypatch.setattr("uml_core.cli.checkup.unused_cards", lambda devices: [])

    have()
    return have


def test_a_machine_with_nothing(machine, devices):
    view = machine.json("doctor")
    assert view["machine"]["physical_cores"] >= 1
    assert 0 < view["memory"]["free_bytes"] <= view["memory"]["total_bytes"] <= view["memory"]["machine_bytes"]
    assert (view["devices"], view["backends"], view["stores"], view["gateway"]) == ([], [], [], None)
    assert view["data"]["path"] == str(machine.home / "data")
    assert (view["data"]["exists"], view["data"]["writable"]) == (False, True)
    assert view["problems"] == [
        "no backend is installed, so nothing can be loaded; pip install one, the README names them"
    ]


def test_a_backend_that_lacks_nothing(backend, devices):
    view = backend.json("doctor")
    (unit,) = view["backends"]
    assert (unit["name"], unit["ready"], unit["engine"], unit["devices"]) == ("unit", True, "my-engine", ["cuda"])
    assert view["problems"] == []
    page = backend.uml("doctor").stdout
    assert "All is well." in page
    assert "unit     ready  my-engine  CPU, CUDA  gguf" in page


def test_a_backend_without_its_engine(backend, devices, monkeypatch):
    monkeypatch.setenv("UNIT_ENGINE", "missing")
    assert backend.json("doctor")["problems"] == ["unit: my-engine is not installed; pip install my-engine"]
    page = backend.uml("doctor").stdout
    assert "What to do\n- unit: my-engine is not installed; pip install my-engine\n" in page
    assert "unit     missing  my-engine" in page


def test_a_backend_that_wants_a_real_model_is_shown_one(backend, devices, monkeypatch):
    monkeypatch.setenv("UNIT_ENGINE", "picky")
    assert not backend.json("doctor")["backends"][0]["ready"]
    backend.gguf("mine.gguf")
    backend.uml("scan")
    assert backend.json("doctor")["backends"][0]["ready"]


def test_a_table_of_settings_that_is_wrong(backend, devices):
    (backend.home / "uml.toml").write_text("[plugins.unit]\nspeed = 9\n")
    view = backend.json("doctor")
    assert view["problems"] == ["unit: [plugins.unit] in uml.toml: this backend has no settings; remove the table"]


def test_a_plugin_that_failed(backend, devices, monkeypatch):
    monkeypatch.setenv("UML_PLUGINS__ALLOW", "unit,broken")
    (problem,) = backend.json("doctor")["problems"]
    assert problem.startswith("the plugin 'broken' of unit-doctor 1 is not loaded: ModuleNotFoundError")


def test_an_accelerator_and_who_holds_it(backend, devices):
    devices(H200)
    view = backend.json("doctor")
    assert view["devices"][0]["holders"] == [{"pid": 4711, "name": "trainer", "held_bytes": 30 * GIB}]
    assert view["problems"] == []
    page = backend.uml("doctor").stdout
    assert "cuda:0  NVIDIA H200  107 GB  150 GB  9.0   580.95.05  13.0\n" in page
    assert "cuda:0 is held by trainer (4711) 32 GB, 5.4 GB by processes not visible from here" in page


def test_an_engine_that_leaves_the_accelerator_idle(backend, devices, monkeypatch):
    devices(H200)
    monkeypatch.setenv("UNIT_ENGINE", "plain")
    (problem,) = backend.json("doctor")["problems"]
    assert problem == (
        "unit (my-engine) can't use CUDA as installed, so the CPU does the work; install a build for CUDA"
    )


def test_drivers_that_are_sick(backend, devices):
    devices(
        Device(id="cuda:0", kind="cuda", index=0, name="A", problem="CUDA can't be started"),
        problems=("Vulkan's drivers didn't answer in 10 seconds",),
    )
    assert backend.json("doctor")["problems"] == [
        "Vulkan's drivers didn't answer in 10 seconds",
        "A (cuda:0) can't be used: CUDA can't be started",
    ]


def test_stores_and_what_can_not_be_read_in_them(stores, devices):
    manifests = stores.home / ".ollama/models/manifests/registry.ollama.ai/library/broken"
    manifests.mkdir()
    (manifests / "1b").write_text("no json")
    view = stores.json("doctor")
    counts = {store["name"]: store["models"] for store in view["stores"]}
    assert counts == {"folder": 1, "huggingface": 2, "ollama": 1}
    assert any("broken" in problem for problem in view["problems"])
    assert "huggingface       2\n" in stores.uml("doctor").stdout


def test_a_data_folder_that_can_not_be_written(machine, devices, monkeypatch):
    file = machine.home / "file"
    file.write_text("")
    monkeypatch.setenv("UML_DATA_DIR", str(file / "data"))
    view = machine.json("doctor")
    assert not view["data"]["writable"]
    assert any("can't be written" in problem for problem in view["problems"])


def test_a_limit_of_a_container(machine, devices, monkeypatch):
    from uml_core.host.cgroup import Limits

    limits = Limits(cores=0.5, memory_bytes=GIB, free_memory_bytes=GIB // 2)
    monkeypatch.setattr("uml_core.host.host.read_cgroups", lambda: limits)
    page = machine.uml("doctor").stdout
    assert "537 MB free of 1.1 GB" in page
    assert "a limit of the container or the service; the machine has" in page
    assert machine.json("doctor")["machine"]["limited"]


def test_a_gateway_that_runs(machine, devices):
    import json

    import psutil

    run = machine.home / "data" / "run"
    run.mkdir(parents=True)
    own = {"pid": os.getpid(), "started": psutil.Process().create_time(), "version": "0.1.0"}
    (run / "gateway.json").write_text(json.dumps({"url": "http://127.0.0.1:8650", **own}))
    assert machine.json("doctor")["gateway"]["pid"] == os.getpid()
    assert f"http://127.0.0.1:8650, process {os.getpid()}, version 0.1.0" in machine.uml("doctor").stdout
