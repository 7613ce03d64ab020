"""The instruction sets of the processor that engines choose their code by."""

from __future__ import annotations

import platform
import subprocess
import sys
from functools import cache
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
LINES = ("flags", "Features", "isa")
"""What x86, ARM and RISC-V call the line in ``/proc/cpuinfo``."""
NAMES = {
    "sse4_2": "sse4_2", "avx": "avx", "avx2": "avx2", "fma": "fma", "f16c": "f16c", "bmi2": "bmi2",
    "avx_vnni": "avx_vnni", "avx512f": "avx512f", "avx512bw": "avx512bw", "avx512vl": "avx512vl",
    "avx512_vnni": "avx512_vnni", "avx512_bf16": "avx512_bf16", "avx512_fp16": "avx512_fp16",
    "amx_tile": "amx_tile", "amx_int8": "amx_int8", "amx_bf16": "amx_bf16",
    "asimd": "neon", "asimdhp": "fp16", "asimddp": "dotprod", "i8mm": "i8mm", "bf16": "bf16", "sve": "sve",
    "sve2": "sve2", "sme": "sme",
}  # fmt: skip
"""What Linux calls them, and what they are called here."""
APPLE = {"FEAT_FP16": "fp16", "FEAT_DotProd": "dotprod", "FEAT_I8MM": "i8mm", "FEAT_BF16": "bf16", "FEAT_SME": "sme"}
WINDOWS = {38: "sse4_2", 39: "avx", 40: "avx2", 41: "avx512f", 19: "neon", 43: "dotprod"}
"""Numbers of ``IsProcessorFeaturePresent``."""


@cache
def instruction_sets() -> tuple[str, ...]:
    """Name those of this machine, the plainest first; empty where the system doesn't tell."""
    if sys.platform == "darwin":
        return _of_apple()
    return _of_windows() if sys.platform == "win32" else read_flags()


def read_flags(cpu_info: Path = CPU_INFO) -> tuple[str, ...]:
    """Read them as Linux tells them."""
    try:
        lines = cpu_info.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ()
    pairs = ((name.strip(), value) for name, _, value in (line.partition(":") for line in lines))
    words = next((value.split() for name, value in pairs if name in LINES), [])
    if words and words[0].startswith("rv"):  # rv64imafdcv_zicsr: letters, then longer names
        return ("rvv",) if "v" in words[0].partition("_")[0][4:] else ()
    return tuple(name for flag, name in NAMES.items() if flag in words)


def _of_apple() -> tuple[str, ...]:
    names = [f"hw.optional.arm.{feature}" for feature in APPLE]
    asked = ["/usr/sbin/sysctl", *names] if platform.machine() == "arm64" else ["/usr/sbin/sysctl", "machdep.cpu"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    if platform.machine() != "arm64":
        words = told.lower().replace("avx1.0", "avx").replace(".", "_").split()
        return tuple(name for flag, name in NAMES.items() if flag in words)
    return ("neon", *(name for feature, name in APPLE.items() if f"{feature}: 1" in told))


def _of_windows() -> tuple[str, ...]:
    import ctypes

    has = getattr(ctypes, "windll").kernel32.IsProcessorFeaturePresent  # noqa: B009  # mypy sees no Windows here
    return tuple(name for number, name in WINDOWS.items() if has(number))
