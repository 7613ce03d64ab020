"""What the commands say of the models on a machine: beside a gateway, beside another `uml`, on a terminal."""

import json
import re

import pytest

from uml_core.storage.peek import peek
from uml_core.testing.gguf import write_gguf

SLOW = """
import time
from uml_core import hookimpl
from uml_core.types import ModelFormat, ModelSource

uml_api_version = 1

def read(path):
    time.sleep(0.02)
    return ModelSource(path=path, format="slow", files=(path,), size_bytes=path.stat().st_size)

@hookimpl
def uml_model_formats():
    yield ModelFormat(name="slow", claims=lambda path, head: path.suffix == ".slow", read=read, suffixes=(".slow",))
"""
MANY = 200


def plain(text):
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).replace("\r\n", "\n")


@pytest.fixture
def models(machine):
    """UML's own models folder with one model of two quants and one that the fake backend can load."""
    machine.model("tiny")
    folder = machine.folder / "data" / "models"
    metadata = {"general.architecture": "llama", "llama.context_length": 8192, "llama.block_count": 1}
    for quant, elements in (("Q4_0", 1024), ("Q8_0", 2048)):
        write_gguf(folder / f"some-model-with-a-long-name-{quant}.gguf", metadata, tensors={"x": (elements,)})
    return folder


def test_with_and_without_a_gateway_it_is_the_same(machine, models):
    machine.uml("alias", "t", "tiny")
    machine.uml("pin", "some-model-with-a-long-name-Q8_0")
    commands = [("list",), ("show", "t")]
    alone = [json.loads(machine.uml(*command, "--json").stdout) for command in commands]
    assert [card["id"] for card in alone[0] if card["pinned"]] == ["some-model-with-a-long-name-Q8_0"]
    assert alone[1]["places"][0]["path"] == str(models / "tiny.gguf")
    machine.serve()
    assert [json.loads(machine.uml(*command, "--json").stdout) for command in commands] == alone
    machine.uml("load", "tiny")
    refused = machine.uml("rm", "tiny", "--yes")
    assert (refused.returncode, "`uml unload`" in refused.stderr) == (5, True)
    assert re.search(r"^tiny .* t +loaded$", machine.uml("list").stdout, re.MULTILINE)
    advice = json.loads(machine.uml("recommend", "--task", "text-generation", "--json").stdout)
    assert [one["model"] for one in advice["data"]] == ["tiny"]
    (models / "some-model-with-a-long-name-Q4_0.gguf").unlink()
    assert re.match(r"2 models: .*1 gone", machine.uml("scan").stderr)
    assert next(iter(json.loads(machine.uml("jobs", "--json").stdout)))["kind"] == "scan"


@pytest.fixture
def slow(machine):
    """Models that take 20 ms each, so that somebody can be impatient."""
    info = machine.folder / "site" / "uml_slow-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: uml-slow\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[uml]\nslow = uml_slow\n")
    (machine.folder / "site" / "uml_slow.py").write_text(SLOW)
    machine.allowed = "fake,slow"
    folder = machine.folder / "data" / "models"
    folder.mkdir(parents=True)
    for number in range(MANY):
        (folder / f"model{number:03}.slow").write_bytes(b"slow%d" % number)
    return folder


@pytest.mark.parametrize("served", [False, True], ids=["alone", "gateway"])
def test_ctrl_c_ends_a_scan_and_what_was_read_is_kept(machine, slow, served):
    if served:
        machine.serve()
    terminal = machine.terminal("scan")
    terminal.expect(f" of {MANY}")
    terminal.type("\x03")
    terminal.expect("what was read is kept")
    assert terminal.end() == 130
    assert "Traceback" not in terminal.seen
    rows = peek(machine.folder / "data", ("models",)).tables["models"]
    assert 0 < sum(bool(row.get("card")) for row in rows.values()) < MANY


def test_beside_another_uml_it_lists_and_changes_nothing(machine, models):
    machine.model("talker", tokens=10_000, token_s=0.01)
    running = machine.start("run", "talker", "Go on")
    assert running.stdout.read(5) == b"Hello"
    assert len(json.loads(machine.uml("list", "--json").stdout)) == 4
    refused = machine.uml("alias", "x", "talker")
    assert (refused.returncode, f"pid {running.pid}" in refused.stderr) == (5, True)


def test_a_table_fits_the_terminal(machine, models):
    terminal = machine.terminal("list", columns=80)
    assert terminal.end() == 0
    lines = plain(terminal.seen).splitlines()
    assert lines[0].startswith("MODEL")
    assert all(len(line) <= 80 for line in lines)
    for id in ("tiny", "some-model-with-a-long-name-Q4_0", "some-model-with-a-long-name-Q8_0"):
        assert any(line.strip().startswith(id) for line in lines)


def test_somebody_is_asked_before_a_model_is_removed(machine, models):
    for typed, code, stays in (("\n", 1, True), ("y\n", 0, False)):
        terminal = machine.terminal("rm", "tiny", columns=400)
        assert str(models / "tiny.gguf") in terminal.expect("? [y/N]")
        terminal.type(typed)
        assert terminal.end() == code
        assert (models / "tiny.gguf").exists() is stays
