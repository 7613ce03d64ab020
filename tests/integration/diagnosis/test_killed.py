"""Workers that a signal ends, from outside or from within."""

import contextlib
import http.client
import json
import os
import signal
import threading
import urllib.request

import pytest

pytestmark = pytest.mark.engine
only_server = pytest.mark.parametrize("bench", ["llamaserver"], indirect=True)
READY = "ready at"
TRAP = """
import ctypes, mmap, platform
code = {"x86_64": b"\\x0f\\x0b", "aarch64": b"\\0\\0\\0\\0", "arm64": b"\\0\\0\\0\\0"}[platform.machine()]
page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(code)
ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
"""


async def test_killed_while_loading_by_nobody_knows_whom(bench):
    ending = await bench.end(strike=("load", sends(signal.SIGKILL)))
    assert ending.error.code == "worker_killed"
    assert "could not be loaded: its process was killed by SIGKILL, and the sender is unknown" in ending.error.message
    assert "no out-of-memory kill was counted" in ending.error.message
    assert "load it again with `uml load org/smol`" in ending.error.message
    assert not ending.error.permanent
    assert ending.error.detail


@only_server
async def test_killed_while_it_answers(bench):
    ending = await bench.end(strike=(READY, sends(signal.SIGKILL)), state="busy")
    assert ending.error.code == "worker_killed"
    assert "'org/smol' stopped: its process was killed by SIGKILL" in ending.error.message
    assert "send the request again" in ending.error.message


@only_server
async def test_a_crash_while_it_answers(bench):
    ending = await bench.end(strike=(READY, sends(signal.SIGSEGV)), state="busy")
    assert ending.exit.signal == signal.SIGSEGV
    assert ending.error.code == "worker_crashed"
    assert "'org/smol' stopped: its engine crashed (SIGSEGV: it reached for memory" in ending.error.message
    assert not ending.error.permanent
    said = "\n".join(ending.exit.log_tail)  # Python writes it in pieces, between which the engine's log may get
    assert "Fatal Python error: " in said
    assert "Segmentation fault" in said


@only_server
async def test_a_file_that_gets_shorter_while_it_is_in_use(bench, altered):
    """The engine maps the file: what is cut off can't be read any more."""
    source = altered.cut(None)

    def cut_and_ask(process, launch):
        os.truncate(source.path, 0)
        threading.Thread(target=ask, args=(launch,)).start()

    ending = await bench.end(source, strike=(READY, cut_and_ask), state="busy")
    assert ending.exit.signal == signal.SIGBUS
    assert ending.error.code == "worker_crashed"
    assert "one of its files was shortened while it was in use, or the disk failed (SIGBUS)" in ending.error.message


def sends(number):
    return lambda process, launch: os.kill(process.pid, number)


def ask(launch):
    body = json.dumps({"prompt": "Hello", "max_tokens": 4}).encode()
    headers = {"Authorization": f"Bearer {launch.token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://{launch.host}:{launch.port}/v1/completions", body, headers)
    with contextlib.suppress(OSError, http.client.HTTPException):
        urllib.request.urlopen(request, timeout=20).close()


async def test_an_engine_that_was_built_for_another_processor(bench, tmp_path):
    """In the engine's place is a module that runs an instruction which no processor has."""
    for name in ("xllamacpp", "llama_cpp"):
        (tmp_path / f"{name}.py").write_text(TRAP)
    ending = await bench.end(environment={"PYTHONPATH": str(tmp_path)})
    assert ending.exit.signal == signal.SIGILL
    assert ending.error.code == "worker_crashed"
    assert "built for a processor that has more instructions than this one (SIGILL)" in ending.error.message
    assert ending.error.permanent


@only_server
async def test_an_engine_that_checks_itself(bench, altered):
    """The normalisation is said to be of whole numbers, which is found out in the first calculation."""
    ending = await bench.end(altered.tensor_type(b"blk.0.attn_norm.weight", 26))
    assert ending.exit.signal == signal.SIGABRT
    assert "binary_op: unsupported types" in ending.error.message
    assert "download the model again, update the engine" in ending.error.message
