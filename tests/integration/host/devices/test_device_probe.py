"""The process that asks drivers: real children, with drivers that answer, hang, crash, exit and print."""

from __future__ import annotations

import ctypes.util
import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from uml_core.host.devices.answer import Answer
from uml_core.host.devices.child import COMMAND, LIMIT, ask
from uml_core.host.devices.cuda_order import VARIABLE
from uml_core.host.devices.vulkan_device import CPU

GIB = 1 << 30
MINE = """
import os, sys, time
from uml_core import hookimpl
from uml_core.types import Device

uml_api_version = 1
print("imported")

@hookimpl
def uml_detect_devices():
    if os.environ.get("MINE") == "fails":
        raise OSError("no bus")
    if os.environ.get("MINE") == "strange":
        return ["chip"]
    print("looking")
    return [Device(id="vulkan:7", kind="vulkan", index=7, name="Mine", total_bytes=5)]
"""


@pytest.fixture
def plugin(tmp_path):
    """A package with a hook for devices, as pip would leave it on the disk; the environment that finds it."""
    (tmp_path / "mine_plugin.py").write_text(MINE)
    info = tmp_path / "unit_mine-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: unit-mine\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[uml]\nmine = mine_plugin\n")
    return {"PYTHONPATH": str(tmp_path)}


def answer(source, environment, **limits):
    (one,) = ask([source], environment=environment, **limits)
    return one


def probes():
    """Children of this process that ask for devices."""
    return [child for child in psutil.Process().children(recursive=True) if "uml_core.host.probe" in child.cmdline()]


def test_what_cuda_sees(driver):
    found = answer("cuda", driver)
    assert found.problem == ""
    first, second = found.devices
    assert (first.id, first.kind, first.index) == ("cuda:0", "cuda", 0)
    assert (first.name, first.uuid) == ("NVIDIA GeForce RTX 4090", "GPU-01010101-0101-0101-0101-010101010101")
    assert (first.total_bytes, first.free_bytes, first.unseen_bytes) == (24 * GIB, 18 * GIB, 5 * GIB)
    assert (first.capability, first.driver, first.runtime) == ("8.9", "580.95.05", "13.0")
    assert (first.bus, first.display, first.unified, first.problem) == ("0000:65:00.0", False, False, "")
    assert (second.id, second.display) == ("cuda:1", True)


def test_in_the_order_of_cuda(driver):
    first, second = answer("cuda", {**driver, "FAKE_ORDER": "10"}).devices
    assert (first.id, first.name) == ("cuda:0", "NVIDIA GeForce RTX 3060")
    assert (second.id, second.name) == ("cuda:1", "NVIDIA GeForce RTX 4090")


def test_what_is_hidden_is_not_there(driver):
    (only,) = answer("cuda", {**driver, "FAKE_ORDER": "1"}).devices
    assert (only.id, only.name) == ("cuda:0", "NVIDIA GeForce RTX 3060")
    hidden = {"FAKE_CUDA_ERROR": "100", "CUDA_VISIBLE_DEVICES": ""}
    assert answer("cuda", {**driver, **hidden}) == Answer(source="cuda")


def test_a_part_of_a_split_device(driver):
    (part,) = answer("cuda", {**driver, "FAKE_ORDER": "2"}).devices
    assert part.uuid == "MIG-03030303-0303-0303-0303-030303030303"
    assert (part.name, part.total_bytes, part.bus) == ("MIG 1g.18gb", 24 * GIB, "0000:65:00.0")


def test_one_that_shares_the_memory_of_the_machine(driver):
    shared, own = answer("cuda", {**driver, "FAKE_UNIFIED": "0"}).devices
    assert (shared.unified, own.unified) == (True, False)
    assert 0 < shared.free_bytes <= shared.total_bytes <= psutil.virtual_memory().total


def test_who_holds_its_memory(driver):
    libcuda = (
        f"import ctypes, sys; ctypes.CDLL({driver['LD_LIBRARY_PATH'] + '/libcuda.so.1'!r}); print(flush=True); input()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", libcuda], stdin=pipe, stdout=pipe, text=True) as user:
        assert user.stdout.readline()
        rows = f"{user.pid}:{2 * GIB} {os.getpid()}:{GIB} 4194999:{GIB}"
        device = answer("cuda", {**driver, "FAKE_ROWS": rows}).devices[0]
        user.communicate("\n")
    (holder,) = device.holders
    assert (holder.pid, holder.held_bytes) == (user.pid, 2 * GIB), "this process has no CUDA in it: it isn't the one"
    assert holder.name.startswith("python")
    assert device.unseen_bytes == 3 * GIB


def test_an_order_that_is_known_is_not_asked_again(driver):
    uuids = [[f"GPU-{'-'.join('02' * width for width in (4, 2, 2, 2, 6))}", False]]
    found = answer("cuda", {**driver, "FAKE_CUDA_ERROR": "999", VARIABLE: json.dumps(uuids)})
    assert [(device.id, device.name, device.problem) for device in found.devices] == [
        ("cuda:0", "NVIDIA GeForce RTX 3060", "")
    ]


@pytest.mark.parametrize(
    ("code", "way_out"), [("802", "nvidia-fabricmanager"), ("803", "restart"), ("999", "nvidia_uvm")]
)
def test_cuda_that_can_not_be_started(driver, code, way_out):
    found = answer("cuda", {**driver, "FAKE_CUDA_ERROR": code})
    assert [device.name for device in found.devices] == ["NVIDIA GeForce RTX 4090", "NVIDIA GeForce RTX 3060"]
    for device in found.devices:
        assert device.problem.startswith(f"CUDA can't be started (error {code}): ")
        assert way_out in device.problem


def test_a_driver_without_its_part_for_cuda(install_driver):
    if ctypes.util.find_library("cuda"):
        pytest.skip("CUDA's library is on this machine")
    found = answer("cuda", install_driver(cuda=False))
    assert all("NVIDIA_DRIVER_CAPABILITIES=compute,utility" in device.problem for device in found.devices)
    assert len(found.devices) == 2


def test_a_device_that_takes_no_work(driver):
    first, second = answer("cuda", {**driver, "FAKE_PROHIBITED": "1"}).devices
    assert (first.problem, f"nvidia-smi -i {second.uuid} -c DEFAULT" in second.problem) == ("", True)


@pytest.mark.parametrize(
    ("code", "way_out"), [("18", "restart the machine"), ("9", "modprobe nvidia"), ("77", "nvidia-smi")]
)
def test_a_driver_that_refuses(driver, code, way_out):
    found = answer("cuda", {**driver, "FAKE_NVML": code})
    assert found.devices == ()
    assert found.problem.startswith("NVIDIA's driver can't be used (Driver/library version mismatch): ")
    assert way_out in found.problem


def test_a_driver_that_hangs_is_given_up_in_time_and_the_others_answer(driver, plugin):
    found = ask(["cuda", "plugin:mine"], environment={**driver, **plugin, "FAKE_NVML": "hangs"}, limit_s=3.0)
    assert {one.source: [device.name for device in one.devices] for one in found} == {
        "plugin:mine": ["Mine"],
        "cuda": [],
    }
    (hung,) = [one for one in found if one.source == "cuda"]
    assert hung.problem.startswith("NVIDIA's driver didn't answer in 3 seconds")
    assert probes() == []


def test_a_driver_that_crashes_takes_the_others_not_along(driver, plugin):
    found = ask(["cuda", "plugin:mine"], environment={**driver, **plugin, "FAKE_NVML": "crashes"})
    answers = {one.source: one for one in found}
    assert [device.name for device in answers["plugin:mine"].devices] == ["Mine"]
    assert answers["cuda"].problem.startswith("the process that asks NVIDIA's driver ended with signal 6")


def test_a_driver_that_exits(driver):
    assert answer("cuda", {**driver, "FAKE_NVML": "exits"}).problem == "no licence"


def test_a_probe_whose_parent_is_gone_ends_by_itself(driver):
    environment = {**os.environ, **driver, "FAKE_NVML": "hangs", LIMIT: "0.1"}
    orphan = subprocess.Popen([*COMMAND, "cuda"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert orphan.wait(60) == -14, "the alarm that it set itself"


def test_an_interpreter_that_is_not_there():
    (one,) = ask(["vulkan"], command=("/no/such/python",))
    assert one.problem == "the process that asks Vulkan's drivers can't be run: No such file or directory"


def test_hook_uml_detect_devices(plugin):
    (device,) = answer("plugin:mine", plugin).devices
    assert (device.id, device.name, device.total_bytes) == ("vulkan:7", "Mine", 5)


@pytest.mark.parametrize(
    ("mood", "problem"),
    [("fails", "no bus"), ("strange", "gave a str and no Device; tell its makers")],
)
def test_a_plugin_that_fails(plugin, mood, problem):
    found = answer("plugin:mine", {**plugin, "MINE": mood})
    assert found.problem == f"the plugin 'mine' failed to look for devices: {problem}"


def test_a_plugin_that_can_not_be_imported(plugin):
    (Path(plugin["PYTHONPATH"]) / "mine_plugin.py").write_text("import no_such_driver")
    assert "No module named 'no_such_driver'" in answer("plugin:mine", plugin).problem


@pytest.mark.skipif(ctypes.util.find_library("vulkan") is None, reason="needs Vulkan's loader")
def test_a_software_renderer_is_recognised_and_left_out():
    """Real: Mesa's lavapipe, where it is installed (mesa-vulkan-drivers)."""
    code = "from uml_core.host.devices.vulkan import read_all; print([[one.type, one.name] for one in read_all()])"
    seen = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    if f"[[{CPU}, 'llvmpipe" not in seen.stdout:
        pytest.skip("no machine with lavapipe alone")
    assert answer("vulkan", {}) == Answer(source="vulkan")


def test_a_process_finds_what_its_plugins_know(plugin):
    """The whole way: plugins are loaded, the one with the hook is asked in a child, and its device is listed."""
    code = """
import json
from uml_core import plugins
from uml_core.host import probe_host
before = probe_host().devices
plugins.load(allow=["mine"])
from uml_core.host.devices import finder
finder._finder = finder.Finder()  # what was seen a moment ago serves no more
mine = [[[one.id, one.uuid] for one in seen if one.name == "Mine"] for seen in (before, probe_host().devices)]
print(json.dumps(mine))
"""
    environment = {**os.environ, **plugin}
    ran = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(ran.stdout.splitlines()[-1]) == [[], [["vulkan:7", "vulkan:7"]]]
