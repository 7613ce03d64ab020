"""The fake backend's script: what may be asked for is what the worker knows."""

import ast
import sys

import pytest
from pydantic import ValidationError

from uml_core.errors import InvalidModelFileError
from uml_core.testing import FAKE_FORMAT, FakeBackend, FakeOptions, fake_worker, read_fake_model, write_fake_model
from uml_core.testing.fake_backend import read_memory
from uml_core.testing.fake_worker import faults
from uml_core.types import MemoryPart

BACKEND_ONLY = {"accepts", "ready_timeout_s", "stop_grace_s"}


def sources():
    return [ast.parse(path.read_text()) for path in fake_worker.PROGRAM.glob("*.py")]


def test_the_options_are_the_keys_of_the_script():
    assert set(FakeOptions.model_fields) - BACKEND_ONLY == set(fake_worker.DEFAULTS) - {"context_length"}


@pytest.mark.parametrize(
    ("option", "known"),
    [("stream_fault", faults.STREAM_FAULTS), ("probe_fault", faults.PROBE_FAULTS), ("busy_hang", faults.HANGS)],
)
def test_every_fault_is_known_to_the_worker(option, known):
    schema = FakeOptions.model_json_schema()["properties"][option]
    assert set(schema["anyOf"][0]["enum"]) == set(known)


def test_every_quirk_is_known_to_the_worker():
    words = {node.value for tree in sources() for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    schema = FakeOptions.model_json_schema()["properties"]["quirk"]
    assert set(schema["anyOf"][0]["enum"]) <= words


def test_the_worker_needs_the_standard_library_only():
    for node in [node for tree in sources() for node in ast.walk(tree)]:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


def test_no_module_of_the_worker_hides_one_of_the_standard_library():
    folders = (fake_worker.PROGRAM, fake_worker.PROGRAM.parent)
    names = {path.stem for folder in folders for path in folder.iterdir()} - {"__init__", "__main__"}
    assert not names & sys.stdlib_module_names


def test_a_written_model_is_claimed_and_read(tmp_path):
    path = write_fake_model(tmp_path / "a.fake", context_length=99, load_s=2.0)
    assert FAKE_FORMAT.claims(path, path.read_bytes())
    source = read_fake_model(path)
    assert (source.format, source.context_length, source.metadata["fake.load_s"]) == ("fake", 99, 2.0)


def test_a_script_with_an_unknown_key_is_refused(tmp_path):
    with pytest.raises(ValidationError):
        write_fake_model(tmp_path / "a.fake", laod_s=2.0)


@pytest.mark.parametrize("content", [b"FAKE1\n{", b"FAKE1\n7", b"FAKE1\n" + b" " * (2 << 20)])
def test_a_broken_model_is_refused(tmp_path, content):
    path = tmp_path / "a.fake"
    path.write_bytes(content)
    with pytest.raises(InvalidModelFileError):
        read_fake_model(path)


@pytest.mark.parametrize("line", ["", "memory", "memory cpu weights", "memory cpu colour 5", "load progress 0.4"])
def test_what_tells_of_no_memory(line):
    assert read_memory(line) is None


def test_a_line_of_memory():
    assert read_memory("memory cuda:0 kv_cache 123") == MemoryPart.exact("cuda:0", "kv_cache", 123, source="measured")


def test_two_fake_backends_share_the_format_of_one():
    assert list(FakeBackend("other", formats=False).uml_model_formats()) == []
