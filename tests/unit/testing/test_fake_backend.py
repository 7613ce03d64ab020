"""The fake backend's script: what may be asked for is what the worker knows."""

import ast
import inspect

import pytest
from pydantic import ValidationError

from uml_core.errors import InvalidModelFileError
from uml_core.testing import FAKE_FORMAT, FakeBackend, FakeOptions, fake_worker, read_fake_model, write_fake_model

BACKEND_ONLY = {"accepts", "ready_timeout_s", "stop_grace_s"}


def test_the_options_are_the_keys_of_the_script():
    assert set(FakeOptions.model_fields) - BACKEND_ONLY == set(fake_worker.DEFAULTS) - {"context_length"}


def test_every_stream_fault_is_known_to_the_worker():
    schema = FakeOptions.model_json_schema()["properties"]["stream_fault"]
    assert set(schema["anyOf"][0]["enum"]) == {"none", *fake_worker.FAULTS}


def test_every_quirk_is_known_to_the_worker():
    words = {
        node.value for node in ast.walk(ast.parse(inspect.getsource(fake_worker))) if isinstance(node, ast.Constant)
    }
    schema = FakeOptions.model_json_schema()["properties"]["quirk"]
    assert set(schema["anyOf"][0]["enum"]) <= words


def test_the_worker_needs_the_standard_library_only():
    for node in ast.walk(ast.parse(inspect.getsource(fake_worker))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) else []
        assert not [name for name in names if name.startswith("uml_core")]


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


def test_two_fake_backends_share_the_format_of_one():
    assert list(FakeBackend("other", formats=False).uml_model_formats()) == []
