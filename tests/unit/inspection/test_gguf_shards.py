from __future__ import annotations

import pytest

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.gguf import read
from uml_core.testing.gguf import write_gguf


@pytest.mark.parametrize("asked", [0, 1, 2])
def test_any_part_stands_for_the_whole_model(splits, asked):
    parts = splits(3)
    source = read(parts[asked])
    assert source.path == parts[0]
    assert source.files == tuple(parts)
    assert source.parameters == 3 * 32
    assert source.size_bytes == sum(part.stat().st_size for part in parts)
    assert source.name == "Tiny"


@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("asked", [0, 1, 2])
def test_a_missing_part_is_named(splits, missing, asked):
    parts = splits(3)
    parts[missing].unlink()
    if asked == missing:
        asked = 0
    source = read(parts[asked])
    assert source.missing == (parts[missing].name,)
    assert not source.complete
    assert source.path == parts[0]
    assert source.files == tuple(part for part in parts if part != parts[missing])
    assert (source.kind, source.name, source.architecture, source.quantization) == ("model", "Tiny", "llama", "Q4_1")
    assert (source.parameters, source.bits_per_weight) == (None, None)
    assert source.size_bytes == sum(part.stat().st_size for part in source.files)


def test_without_its_first_part_a_model_is_still_one(splits):
    parts = splits(3)
    parts[0].unlink()
    source = read(parts[2])
    assert (source.kind, source.path, source.files) == ("model", parts[1], (parts[1], parts[2]))
    assert source.missing == (parts[0].name,)
    assert (source.name, source.architecture, source.shape, source.tasks) == (None, None, None, ("text-generation",))


def test_all_that_are_missing_are_named(splits):
    parts = splits(4)
    for part in parts[:3]:
        part.unlink()
    assert read(parts[3]).missing == tuple(part.name for part in parts[:3])


def test_a_link_to_a_part_that_was_never_downloaded(splits):
    parts = splits(3)
    parts[1].unlink()
    parts[1].symlink_to(parts[1].with_name("blob"))
    assert read(parts[0]).missing == (parts[1].name,)


def test_a_link_that_leads_back_to_itself_is_a_missing_part(splits):
    parts = splits(2)
    parts[1].unlink()
    parts[1].symlink_to(parts[1].name)
    assert read(parts[0]).missing == (parts[1].name,)


def test_a_part_that_is_another_one_again(splits):
    parts = splits(3)
    parts[2].unlink()
    parts[2].symlink_to(parts[1].name)
    with pytest.raises(InvalidModelFileError, match=r"'big-00003-of-00003\.gguf' is not part 3 of 3"):
        read(parts[0])


def test_a_truncated_part_is_named(splits):
    parts = splits(3)
    parts[2].write_bytes(parts[2].read_bytes()[:-1])
    with pytest.raises(InvalidModelFileError, match=r"'big-00003-of-00003\.gguf' is not a whole GGUF file"):
        read(parts[0])


def test_parts_that_were_swapped(splits):
    parts = splits(3)
    swapped = parts[2].read_bytes()
    parts[2].write_bytes(parts[1].read_bytes())
    parts[1].write_bytes(swapped)
    with pytest.raises(InvalidModelFileError, match=r"'big-00002-of-00003\.gguf' is not part 2 of 3"):
        read(parts[0])


def test_a_part_of_another_model_with_as_many_parts(splits):
    parts = splits(2)
    metadata = {"split.count": 2, "split.no": 1, "split.tensors.count": 2}
    write_gguf(parts[1], metadata, tensors={"blk.0.weight": (4, 8)})
    with pytest.raises(InvalidModelFileError, match="is not part 2 of 2"):
        read(parts[0])
    write_gguf(parts[1], metadata, tensors={"a": (1,), "b": (1,)})
    with pytest.raises(InvalidModelFileError, match="hold 3 tensors, not 2"):
        read(parts[0])


def test_a_part_under_another_name(splits):
    part = splits(2)[0].rename(splits(2)[0].with_name("renamed.gguf"))
    with pytest.raises(InvalidModelFileError, match=r"'renamed\.gguf' is one of 2 parts, but its name"):
        read(part)


def test_a_whole_model_that_is_named_like_a_part(tmp_path):
    path = write_gguf(tmp_path / "odd-00001-of-00009.gguf", {"general.architecture": "llama"}, tensors={"w": (4,)})
    assert read(path).files == (path,)


def test_a_count_that_nothing_can_have_is_refused(tmp_path):
    path = write_gguf(tmp_path / "big-00001-of-99999.gguf", {"split.count": 99999, "split.no": 0})
    with pytest.raises(InvalidModelFileError, match="one of 99999 parts, of which 1024 are allowed"):
        read(path)


def test_a_part_with_a_number_beyond_the_last(tmp_path):
    path = write_gguf(tmp_path / "big-00003-of-00002.gguf", {"split.count": 2, "split.no": 2})
    with pytest.raises(InvalidModelFileError, match="is one of 2 parts, but its name doesn't say so"):
        read(path)


def test_the_layers_of_all_parts_are_weighed(tmp_path):
    own = {"block_count": 2, "embedding_length": 64, "attention.head_count": 4}
    metadata = {"general.architecture": "llama", **{f"llama.{key}": own[key] for key in own}}
    tensors = [{"token_embd.weight": [64, 8], "blk.0.ffn_up.weight": [64]}, {"blk.1.ffn_up.weight": [64, 3]}]
    paths = [tmp_path / f"m-{number:05}-of-00002.gguf" for number in (1, 2)]
    for number, path in enumerate(paths):
        split = {"split.no": number, "split.count": 2, "split.tensors.count": 3}
        kinds = {"split.no": "uint16", "split.count": "uint16"}
        write_gguf(path, split | (metadata if number == 0 else {}), tensors=tensors[number], types=kinds)
    shape = read(paths[0]).shape
    assert ([layer.weight_bytes for layer in shape.layers], shape.tied) == ([4 * 64, 4 * 64 * 3], True)
    paths[1].unlink()
    shape = read(paths[0]).shape
    assert ([layer.weight_bytes for layer in shape.layers], shape.tied) == ([4 * 64, 0], False)
