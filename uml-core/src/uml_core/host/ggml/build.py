"""Which kinds of accelerators a build of ggml can use, from its files: nothing is loaded, no device is opened."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from uml_core.host.ggml.elf import needed
from uml_core.types import DeviceKind

MARKS: dict[DeviceKind, tuple[str, ...]] = {
    "cuda": ("ggml-cuda", "libggml-cuda", "libcuda.so", "libcudart", "libcublas"),
    "rocm": ("ggml-hip", "libggml-hip", "libamdhip64", "librocblas", "libhipblas"),
    "metal": ("libggml-metal",),
    "vulkan": ("ggml-vulkan", "libggml-vulkan", "libvulkan"),
}
"""For each kind how the library begins that only such a build has beside it, or is linked with."""


def accelerators(program: Path) -> tuple[DeviceKind, ...]:
    """The kinds that a program, a shared library or a package's folder can use; none is a build for the CPU alone.

    ggml lies in libraries of its own, one for each kind, or within the program, which needs the driver's then.
    """
    if sys.platform == "darwin" and program.exists():
        return ("metal",)  # of which every build there is, unless somebody took pains to have none
    names = {name for file in _files(program) for name in (file.name, *needed(file))}
    return tuple(kind for kind, marks in MARKS.items() if any(name.startswith(marks) for name in names))


def _files(program: Path) -> Iterator[Path]:
    if program.is_dir():
        yield from _libraries(program, program / "lib")
        return
    program = program.resolve()  # a link from /usr/bin to where the build is
    yield program
    yield from _libraries(program.parent, program.parent.parent / "lib")


def _libraries(*folders: Path) -> Iterable[Path]:
    """The libraries there that may be ggml's; a system's folder has thousands of others."""
    for folder in folders:
        for pattern in ("*ggml*", "*.abi3.so", "*.cpython-*.so"):
            yield from folder.glob(pattern)
