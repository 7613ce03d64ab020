from __future__ import annotations

import platform

import pytest

from uml_core.host.isa import instruction_sets, read_flags

EPYC = "fpu sse2 sse4_1 sse4_2 fma avx f16c bmi1 avx2 bmi2 avx512f avx512bw avx512vl avx512_vnni amx_tile amx_int8"
GRAVITON = "fp asimd evtstrm aes crc32 atomics asimdhp cpuid asimddp sve i8mm bf16"


@pytest.mark.parametrize(
    ("line", "names"),
    [
        (f"flags\t\t: {EPYC}", "sse4_2 avx avx2 fma f16c bmi2 avx512f avx512bw avx512vl avx512_vnni amx_tile amx_int8"),
        (f"Features\t: {GRAVITON}", "neon fp16 dotprod i8mm bf16 sve"),
        ("isa\t\t: rv64imafdcv_zicsr_zba", "rvv"),
        ("isa\t\t: rv64imafdc_zve", ""),
        ("features\t: esan3 zarch", ""),
    ],
)
def test_as_linux_tells_it(tmp_path, line, names):
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor\t: 0\nmodel name\t: A\n{line}\n\nprocessor\t: 1\nflags\t: later\n")
    assert read_flags(file) == tuple(names.split())


def test_where_nobody_tells(tmp_path):
    assert read_flags(tmp_path / "missing") == ()


def test_this_machine():
    plainest = {"x86_64": "sse4_2", "aarch64": "neon"}.get(platform.machine())
    assert plainest is None or plainest in instruction_sets()
