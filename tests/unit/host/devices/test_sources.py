"""Where to look, by the files that are there."""

from __future__ import annotations

import sys

import pytest

from uml_core.host.devices import sources

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the signs of Linux")
ICD = "usr/share/vulkan/icd.d/lvp_icd.x86_64.json"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Write files into a folder that stands for the machine."""
    for name in sources.DRIVER_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "own"))

    def make(*files, **texts):
        for file in files:
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
        for node, vendor in texts.items():
            path = tmp_path / "sys/class/drm" / node / "device/vendor"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{vendor}\n")
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("files", "vendors", "found"),
    [
        ((), {}, ()),
        (("dev/nvidiactl",), {}, ("cuda",)),
        (("proc/driver/nvidia/version",), {}, ("cuda",)),
        (("usr/lib/wsl/lib/libnvidia-ml.so.1",), {}, ("cuda",)),
        (("dev/kfd",), {}, ("rocm",)),
        ((ICD,), {}, ()),
        (("dev/dri/renderD128",), {"renderD128": "0x8086"}, ()),
        ((ICD, "dev/dri/renderD128"), {"renderD128": "0x8086"}, ("vulkan",)),
        (("own/vulkan/icd.d/a.json", "dev/dri/renderD128"), {}, ("vulkan",)),
        ((ICD, "dev/nvidiactl", "dev/dri/renderD128"), {"renderD128": "0x10de"}, ("cuda",)),
        ((ICD, "dev/dri/renderD128"), {"renderD128": "0x10de"}, ("vulkan",)),
        (
            (ICD, "dev/nvidiactl", "dev/dri/renderD128", "dev/dri/renderD129"),
            {"renderD128": "0x10de", "renderD129": "0x8086"},
            ("cuda", "vulkan"),
        ),
        ((ICD, "dev/kfd", "dev/dri/renderD128"), {"renderD128": "0x1002"}, ("rocm",)),
    ],
    ids=str,
)
def test_signs(root, files, vendors, found):
    assert sources.core_sources(root=root(*files, **vendors)) == found


def test_drivers_that_a_variable_names(root, monkeypatch):
    monkeypatch.setenv("VK_DRIVER_FILES", "/opt/driver.json")
    assert sources.core_sources(root=root("dev/dri/renderD128", renderD128="0x8086")) == ("vulkan",)
