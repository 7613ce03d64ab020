"""The two ways to run the server with a real model, without a supervisor: the package in a Python, and a program."""

import socket
import sys
from pathlib import Path

import attrs
import openai
import pytest

pytest.importorskip("xllamacpp")
pytestmark = pytest.mark.engine

PATIENCE_S = 60.0
CONTEXT = 512


@pytest.fixture(params=["package", "program"])
def settings(request, tmp_path):
    """Nothing, or a program in the place of llama-server."""
    if request.param == "package":
        return {}
    program = tmp_path / "llama-server"
    script = Path(__file__).with_name("llama_server.py")
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    program.chmod(0o755)
    return {"binary": program}


def test_it_answers_behind_its_token(start, settings):
    server = start(settings=settings, parallel=2).wait_ready()
    answer = server.ask("What is the capital of France?", max_tokens=12, temperature=0)
    assert answer.choices[0].message.content.strip()
    assert answer.model == "org/smol"
    assert server.http.get("/props", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert server.http.get("/slots").status_code in {404, 501}
    assert server.http.get("/").status_code == 404
    props = server.http.get("/props").json()
    assert (props["total_slots"], props["default_generation_settings"]["n_ctx"]) == (2, CONTEXT)
    assert "canary" not in server.log


def test_a_too_long_prompt_has_a_type_that_the_plugin_maps(start, settings):
    server = start(settings=settings).wait_ready()
    with pytest.raises(openai.BadRequestError) as raised:
        server.ask("word " * 2 * CONTEXT)
    assert server.command.error_codes[raised.value.type] == "context_length_exceeded"


def test_options_reach_the_engine(start):
    server = start(
        cache_type_k="q8_0", cache_type_v="q8_0", flash_attn="on", load_mode="none", n_batch=64, n_ubatch=32,
        warmup=False, swa_full=True, rope_freq_base=1e5, split_mode="none", main_gpu=0, tensor_split=[1], cache_ram=16,
    ).wait_ready()  # fmt: skip
    assert server.ask("Hello", max_tokens=1).usage.completion_tokens == 1


def test_term_ends_it_with_0_also_while_it_answers(start):
    server = start().wait_ready()
    stream = server.ask("Count to one thousand.", stream=True)
    next(stream)
    server.process.terminate()
    assert server.process.wait(5) == 0
    stream.close()


def broken(model, path, content):
    path.write_bytes(content)
    return attrs.evolve(model, path=path)


def test_a_file_that_is_gone(start, model, tmp_path):
    server = start(attrs.evolve(model, path=tmp_path / "gone.gguf"))
    assert server.process.wait(PATIENCE_S) == 3
    assert server.log.splitlines()[-1] == f"'{tmp_path / 'gone.gguf'}' can't be read: No such file or directory"


def test_a_file_of_another_format(start, model, tmp_path):
    server = start(broken(model, tmp_path / "text.gguf", b"only text"))
    assert server.process.wait(PATIENCE_S) == 3
    assert server.log.splitlines()[-1] == f"'{tmp_path / 'text.gguf'}' is no GGUF file; fetch it again"


def test_a_file_that_the_engine_refuses(start, model, tmp_path):
    server = start(broken(model, tmp_path / "cut.gguf", model.path.read_bytes()[: 2**22]))
    assert server.process.wait(PATIENCE_S) == 1
    *said, last = server.log.splitlines()
    assert last.startswith(f"llama.cpp could not load '{tmp_path / 'cut.gguf'}'")
    assert any("not within the file bounds" in line for line in said)


def test_a_port_that_is_taken(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = start(port=taken.getsockname()[1])
        assert server.process.wait(PATIENCE_S) == 1
    assert server.log.splitlines()[-1] == f"port {server.port} can't be listened on: Address already in use"
