from __future__ import annotations

import os
from pathlib import Path

import pytest

from uml_core.errors import InvalidModelFileError
from uml_core.inspection import inspect, plugin
from uml_core.types import ModelFormat, ModelSource

GGUF = tuple(plugin.uml_model_formats())


def test_the_reader_of_the_format_that_claims_the_file_reads_it(tiny):
    assert inspect(tiny, GGUF).format == "gguf"


def test_content_decides_not_the_name(tiny):
    assert inspect(tiny.rename(tiny.with_name("model.txt")), GGUF).architecture == "llama"


def test_claims_see_the_path_and_the_first_4096_bytes(tmp_path):
    path, seen = tmp_path / "m", []
    path.write_bytes(b"x" * 10_000)
    source = ModelSource(path=path, format="mine", files=(path,), size_bytes=10_000)
    mine = ModelFormat(name="mine", claims=lambda *given: bool(seen.append(given)) or True, read=lambda _: source)
    assert inspect(path, [mine]) is source
    assert seen == [(path, b"x" * 4096)]


def test_a_claim_that_raises_is_a_no(tiny, caplog):
    broken = ModelFormat(name="broken", claims=lambda path, head: 1 / 0, read=lambda path: None)
    assert inspect(tiny, [broken, *GGUF]).format == "gguf"
    assert "'broken' failed to look at 'tiny.gguf'" in caplog.text


def test_a_reader_that_fails_is_named(tiny, caplog):
    broken = ModelFormat(name="broken", claims=lambda path, head: True, read=lambda path: 1 / 0)
    with pytest.raises(InvalidModelFileError, match=r"'tiny\.gguf' could not be read as broken: ZeroDivisionError"):
        inspect(tiny, [broken])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"PK\x03\x04", r"'m\.gguf' is in no format that UML knows here \(gguf, .*onnx\)"),
        (b"GGU", r"'m\.gguf' is in no format that UML knows here \(gguf, .*onnx\)"),
        (b"GGML....", "is in no format"),
        (b"\n<!DOCTYPE html><html>", r"'m\.gguf' is a web page .*; download it again"),
        (b"version https://git-lfs.github.com/spec/v1\n", r"'m\.gguf' is a Git LFS pointer"),
        (b"", r"'m\.gguf' is empty; download it again"),
    ],
)
def test_what_no_format_claims(tmp_path, content, sentence):
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(InvalidModelFileError, match=sentence) as caught:
        inspect(path, GGUF)
    assert (caught.value.code, caught.value.status, caught.value.permanent) == ("invalid_model_file", 422, True)


def test_no_formats_at_all(tiny):
    with pytest.raises(InvalidModelFileError, match=r"knows here \(none\)"):
        inspect(tiny, [])


@pytest.mark.parametrize("name", ["gone.gguf", "tiny.gguf/in-a-file", "n\0ul", "x" * 300])
def test_a_file_that_is_not_there(tiny, name):
    with pytest.raises(InvalidModelFileError):
        inspect(tiny.parent / name, GGUF)


def test_a_folder_that_is_no_model(tmp_path):
    with pytest.raises(InvalidModelFileError, match=r"is a folder, not a model file, .*; name the file in it"):
        inspect(tmp_path, GGUF)


def test_a_folder_is_claimed_by_its_path_and_no_bytes(tmp_path):
    seen = []
    source = ModelSource(path=tmp_path, format="mine", files=(), size_bytes=0)
    mine = ModelFormat(name="mine", claims=lambda *given: bool(seen.append(given)) or True, read=lambda _: source)
    assert inspect(tmp_path, [*GGUF, mine]) is source
    assert seen == [(tmp_path, b"")]


def test_a_named_pipe_is_not_opened(tmp_path):
    os.mkfifo(pipe := tmp_path / "pipe.gguf")
    with pytest.raises(InvalidModelFileError, match=r"'pipe\.gguf' is a pipe or a device"):
        inspect(pipe, GGUF)


def test_a_device_is_not_read():
    with pytest.raises(InvalidModelFileError, match="is a pipe or a device"):
        inspect(Path("/dev/zero"), GGUF)


def test_a_link_to_a_file_is_followed_and_a_loop_is_not(tiny):
    link, loop = tiny.with_name("link.gguf"), tiny.with_name("loop.gguf")
    link.symlink_to(tiny)
    loop.symlink_to(loop)
    assert inspect(link, GGUF).name == "Tiny"
    with pytest.raises(InvalidModelFileError, match="is a link that leads back to itself"):
        inspect(loop, GGUF)


def test_a_file_without_read_permission(tiny, request):
    tiny.chmod(0)
    request.getfixturevalue("unprivileged")
    with pytest.raises(InvalidModelFileError, match="can't be read by this user; give read permission"):
        inspect(tiny, GGUF)


def test_control_characters_of_a_name_stay_out_of_the_sentence(tmp_path):
    path = tmp_path / "a\x1b[31m\u202eb\n.gguf"
    path.write_bytes(b"zzzz")
    with pytest.raises(InvalidModelFileError) as caught:
        inspect(path, GGUF)
    assert str(caught.value).isprintable()
