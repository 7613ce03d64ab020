"""Which accelerators a build can use: libraries as they lie beside it, and real ELF files that need a driver's."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from uml_core.host.ggml import accelerators
from uml_core.host.ggml.elf import needed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the files are Linux's")


@pytest.fixture(scope="module")
def link(tmp_path_factory):
    """Make a shared library that needs others of the given names."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    folder = tmp_path_factory.mktemp("linked")

    def compiled(path, *options):
        source = folder / "nothing.c"
        source.write_text("int nothing(void) { return 0; }")
        command = ["cc", "-shared", "-fPIC", str(source), "-o", str(path), *map(str, options)]
        subprocess.run(command, check=True, capture_output=True)
        return path

    def link(path, *names):
        stubs = [compiled(folder / f"stub{at}.so", f"-Wl,-soname,{name}") for at, name in enumerate(names)]
        return compiled(path, "-Wl,--no-as-needed", *stubs)

    return link


def package(folder, *files):
    for file in files:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


@pytest.mark.parametrize(
    ("files", "kinds"),
    [
        (("lib/libggml-base.so", "lib/libggml-cpu.so.0"), ()),
        (("lib/libggml-cpu.so", "lib/libggml-cuda.so"), ("cuda",)),
        (("lib/libggml-hip.so.0.9.4",), ("rocm",)),
        (("libggml-vulkan.so", "libggml-cuda.so"), ("cuda", "vulkan")),
        (("lib/ggml-cuda.dll",), ("cuda",)),
        ((), ()),
    ],
)
def test_libraries_of_a_package(tmp_path, files, kinds):
    assert accelerators(package(tmp_path, "__init__.py", *files)) == kinds


@pytest.mark.parametrize(
    ("names", "kinds"),
    [
        (("libggml.so.0",), ()),
        (("libcuda.so.1", "libcublas.so.12"), ("cuda",)),
        (("libcudart-c3a75b33.so.12.8.90",), ("cuda",)),  # as a wheel has it that brings it along
        (("libamdhip64.so.6",), ("rocm",)),
        (("libvulkan.so.1",), ("vulkan",)),
    ],
)
def test_libraries_that_a_module_needs(tmp_path, link, names, kinds):
    module = link(tmp_path / "engine.abi3.so", *names)
    assert set(names) <= set(needed(module))
    assert accelerators(tmp_path) == kinds
    assert accelerators(module) == kinds


def test_a_program_behind_a_link_with_its_libraries_beside_it(tmp_path):
    program = package(tmp_path / "build", "bin/llama-server", "lib/libggml-cuda.so") / "bin/llama-server"
    link = tmp_path / "llama-server"
    link.symlink_to(program)
    assert accelerators(link) == ("cuda",)


def test_what_is_no_build():
    assert any(name.startswith("libc.") for name in needed(Path(sys.executable).resolve()))
    assert accelerators(Path("/nowhere/llama-server")) == ()


def test_broken_files_need_nothing(tmp_path, link):
    whole = link(tmp_path / "whole.so", "libcuda.so.1").read_bytes()
    broken = tmp_path / "broken.so"
    for size in (0, 1, 4, 20, 63, 64, 100, 200, 500, len(whole) // 4, len(whole) // 2):
        broken.write_bytes(whole[:size])
        assert set(needed(broken)) <= {"libcuda.so.1", "libc.so.6"}
    for at in range(16, 600, 3):
        broken.write_bytes(whole[:at] + b"\xff" * 8 + whole[at + 8 :])
        assert isinstance(needed(broken), tuple)
