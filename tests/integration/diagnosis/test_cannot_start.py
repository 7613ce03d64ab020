"""Workers that lack their engine, their program or their port, or get options that the engine refuses."""

import socket

import pytest

pytestmark = pytest.mark.engine
PACKAGES = {"llamaserver": "xllamacpp", "llamacpp": "uml-llamacpp"}


async def test_a_python_without_the_engine(bench, bare_python):
    ending = await bench.end(settings={"python": bare_python})
    assert ending.error.code == "missing_engine"
    assert f"'{bare_python}', has no {PACKAGES[bench.name]}" in ending.error.message
    assert f"`{bare_python} -m pip install {PACKAGES[bench.name]}`" in ending.error.message
    assert ending.error.permanent
    assert ending.error.detail


async def test_an_engine_without_a_library_of_its_own(bench, tmp_path):
    """What the dynamic linker says of a build for CUDA on a machine without a driver."""
    said = "libcuda.so.1: cannot open shared object file: No such file or directory"
    for name in ("xllamacpp", "llama_cpp"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError({said!r})")
    ending = await bench.end(environment={"PYTHONPATH": str(tmp_path)})
    assert ending.exit.code == 4
    assert ending.error.code == "driver_mismatch"
    assert "built for a GPU, and there is none with a driver here" in ending.error.message


async def test_a_python_that_is_not_there(bench, tmp_path):
    ending = await bench.end(settings={"python": tmp_path / "gone"})
    assert ending.exit.code == 127
    assert ending.error.code == "missing_engine"
    assert f"can't start {tmp_path / 'gone'}: No such file or directory" in ending.error.message
    assert f"[plugins.{bench.name}] in uml.toml" in ending.error.message


@pytest.mark.parametrize("bench", ["llamaserver"], indirect=True)  # the other one is given a socket
async def test_a_port_that_is_taken(bench):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ending = await bench.end(port=taken.getsockname()[1])
    assert ending.error.code == "port_in_use"
    assert "the port that it was given is taken by another program" in ending.error.message
    assert not ending.error.permanent


async def test_options_that_do_not_go_together(bench):
    options = {
        "llamaserver": {"cache_type_v": "q4_0", "flash_attn": "off"},
        "llamacpp": {"type_v": "q4_0", "flash_attn": False},
    }
    ending = await bench.end(**options[bench.name])
    assert ending.error.code == "model_load_failed"
    assert "refuses the options of this load (quantized V cache requires flash_attn" in ending.error.message
    assert ending.error.permanent
