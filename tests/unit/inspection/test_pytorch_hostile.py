"""Pickles that would do harm if they were loaded, and files that were cut off, damaged, or made to hurt."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import random
import shutil
import struct
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest

from uml_core.errors import InvalidModelFileError
from uml_core.inspection import inspect, plugin
from uml_core.inspection.pytorch import claims, read_checkpoint
from uml_core.inspection.pytorch.machine import Machine, Malformed
from uml_core.inspection.pytorch.opcodes import run
from uml_core.testing.gguf import write_gguf
from uml_core.testing.safetensors import write_safetensors

DATA = Path(__file__).parents[2] / "data" / "pytorch"
FORMATS = tuple(plugin.uml_model_formats())
LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}."
EMPTY_ZIP_END = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 0)


class Touch:
    """Loading it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch '{self.path}'",)


def zipped(content: bytes, *, name: str = "archive/data.pkl", method: int = zipfile.ZIP_STORED) -> bytes:
    with zipfile.ZipFile(buffer := io.BytesIO(), "w", method) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


WRAPS = {
    "bare": lambda content: content,
    "in an archive": zipped,
    "packed in an archive": lambda content: zipped(content, method=zipfile.ZIP_DEFLATED),
    "as a legacy checkpoint": lambda content: LEGACY + content + b"\x80\x02].",
}


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_code_in_a_pickle_is_described_and_not_run(tmp_path, wrap, protocol):
    proof = tmp_path / "it ran"
    pickled = pickle.dumps({"weights": [1, 2.5], "evil": Touch(proof)}, protocol=protocol)
    pickle.loads(pickled)
    assert proof.exists(), "the pickle must be a dangerous one"
    proof.unlink()
    (path := tmp_path / "model.pt").write_bytes(WRAPS[wrap](pickled))
    card = inspect(path, FORMATS)
    assert not proof.exists()
    assert (card.kind, card.hazards, card.format) == ("other", ("pickle",), "pytorch")
    assert "posix.system" in card.metadata["pickle.globals"]


WAYS_TO_CALL = {
    "a global's lines": b"cos\nsystem\n(S'touch {}'\ntR.",
    "an instance's lines": b"(S'touch {}'\nios\nsystem\n.",
    "an object": b"(cos\nsystem\nS'touch {}'\no.",
    "a global off the stack": b"\x8c\x02os\x8c\x06system\x93\x8c" + b"{}" + b"\x85R.",
    "a class": b"cos\nsystem\n(S'touch {}'\nt\x81.",
    "a class with names": b"cos\nsystem\n(S'touch {}'\nt}\x92.",
    "an extension": b"\x82\x01(S'touch {}'\ntR.",
    "a state": b"cos\nsystem\n)R(S'touch {}'\ntb.",
    "a persistent id": b"cos\nsystem\n(S'touch {}'\ntRQ.",
    "a key": b"}cos\nsystem\n(S'touch {}'\ntRK\x01s.",
}


@pytest.mark.parametrize("way", WAYS_TO_CALL)
def test_every_way_to_call_something(tmp_path, way):
    proof = tmp_path / "it-ran"
    command = f"touch {proof}".encode() if b"'touch" not in WAYS_TO_CALL[way] else str(proof).encode()
    content = WAYS_TO_CALL[way]
    if way == "a global off the stack":
        content = content.replace(b"{}", bytes([len(command)]) + command)
    (path := tmp_path / "model.pt").write_bytes(b"\x80\x02" + content.replace(b"{}", command))
    assert inspect(path, FORMATS).kind == "other"
    assert not proof.exists()


@pytest.mark.parametrize("name", ["state.pt", "state_legacy.pt", "views.pt", "script.pt", "module.pt"])
def test_cut_off_anywhere(tmp_path, name):
    size_bytes = (DATA / name).stat().st_size
    shutil.copy(DATA / name, path := tmp_path / name)
    for length in reversed(range(0, size_bytes, 1 if size_bytes < 2000 else 97)):
        os.truncate(path, length)
        with pytest.raises(InvalidModelFileError):
            read_checkpoint(path)


@pytest.mark.parametrize("name", ["state.pt", "state_legacy.pt", "views_legacy.pt", "script.pt"])
def test_damaged_anywhere(tmp_path, name):
    """It is read, or refused with a sentence; whatever else happens is a bug that pytest shows."""
    whole, path, chance = (DATA / name).read_bytes(), tmp_path / name, random.Random(name)
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged)
        with contextlib.suppress(InvalidModelFileError):
            read_checkpoint(path)


def test_noise(tmp_path):
    chance = random.Random(4)
    for _ in range(1000):
        machine = Machine(
            bytes(chance.choices(b"().012FIKMNPQRSTUXabcd}eghijlopqrstu]\x80\x81\x85\x88\x8a\x8c\x93\x94", k=40))
        )
        with contextlib.suppress(Malformed):
            run(machine)


def deep_tuple(depth: int) -> bytes:
    """Each tuple twice in the next one: to hash or to print it takes 2**depth steps."""
    return b"\x80\x02}q\x00)" + b"2\x86" * depth + b"K\x01s."


def bombs(many: int) -> dict[str, bytes]:
    return {
        "a note with a huge number": b"\x80\x02Nr\xff\xff\xff\xff.",
        "a text of 2**60 bytes": b"\x80\x04\x8d" + (2**60).to_bytes(8, "little") + b"x.",
        "bytes of 4 GB": b"\x80\x03B\xff\xff\xff\xffx.",
        "a number of 2 GB": b"\x80\x02\x8b\xff\xff\xff\x7fx.",
        "a line without an end": b"\x80\x02I" + b"9" * many,
        "a number of 4,000 digits": b"\x80\x02I" + b"9" * 4000 + b"\n.",
        "tuples in tuples as a key": deep_tuple(60),
        "empty dicts": b"\x80\x02(" + b"}" * many + b"t.",
        "many opcodes": b"\x80\x02" + b"N0" * many + b".",
        "lists nested deep": b"\x80\x02" + b"]" * (many // 10) + b"a" * (many // 10 - 1) + b".",
        "a list in itself": b"\x80\x02]q\x00h\x00a.",
        "a dict in itself": b"\x80\x02}q\x00U\x01ah\x00s.",
        "doublings": b"\x80\x02]" + b"2" * many + b".",
        "marks": b"\x80\x02" + b"(" * many + b".",
        "long keys in long keys": b"\x80\x02"
        + b"".join(b"}T\x00\x08\x00\x00" + b"k" * 2048 for _ in range(500))
        + b"N"
        + b"s" * 500
        + b".",
    }


FEW, MANY = bombs(30_000), bombs(10**6)


@pytest.mark.parametrize("wrap", ["bare", "in an archive"])
@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("pickles", [FEW, pytest.param(MANY, marks=pytest.mark.proof)], ids=["few", "many"])
def test_a_pickle_made_to_take_memory_or_time(tmp_path, pickles, name, wrap):
    (path := tmp_path / "m.pt").write_bytes(WRAPS[wrap](pickles[name]))
    started = time.process_time()
    tracemalloc.start()
    with contextlib.suppress(InvalidModelFileError):
        inspect(path, FORMATS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 256 * 2**20
    assert time.process_time() - started < 30  # tracemalloc slows it down by far more than ten


def test_ten_thousand_tensors_with_wide_names_take_bounded_memory(tmp_path):
    storage = b"(U\x07storageq\x00ctorch\nFloatStorage\nU\x010U\x03cpuK\x01tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"%sK\x00)))\x89Nt" + b"R"
    content = b"\x80\x02](" + b"".join(tensor.replace(b"%s", b"") for _ in range(10_000)) + b"e."
    (path := tmp_path / "m.pt").write_bytes(content)
    assert len(read_checkpoint(path).weights) == 1  # all of them views of one number


def tensor(
    *, offset: int = 0, shape: bytes = b"K\x02\x85", stride: bytes = b"K\x01\x85", elements: bytes = b"K\x02"
) -> bytes:
    storage = b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpu" + elements + b"tQ"
    place = b"J" + struct.pack("<i", offset)
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + storage + place + shape + stride + b"\x89NtR."


def archive_of(content: bytes, data: bytes | None) -> bytes:
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as archive:
        archive.writestr("a/data.pkl", content)
        if data is not None:
            archive.writestr("a/data/0", data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "data", "sentence"),
    [
        (tensor(), bytes(8), None),
        (tensor(), bytes(7), "are not all there: it was cut off"),
        (tensor(), None, "are not all there: it was cut off"),
        (tensor(offset=1), bytes(8), "reaches beyond the numbers"),
        (tensor(shape=b"K\x03\x85"), bytes(8), "reaches beyond the numbers"),
        (tensor(stride=b"K\x02\x85"), bytes(8), "reaches beyond the numbers"),
        (tensor(shape=b"\x8a\x08" + b"\xff" * 7 + b"\x3f\x85"), bytes(8), "reaches beyond the numbers"),
        (tensor(elements=b"\x8a\x08" + b"\xff" * 7 + b"\x3f"), bytes(8), "are not all there"),
    ],
)
def test_a_tensor_must_lie_within_its_storage(tmp_path, content, data, sentence):
    (path := tmp_path / "m.pt").write_bytes(archive_of(content, data))
    if sentence is None:
        assert read_checkpoint(path).weights[0].shape == (2,)
        return
    with pytest.raises(InvalidModelFileError, match=sentence):
        inspect(path, FORMATS)


@pytest.mark.parametrize(
    "bad", [tensor(offset=-1), tensor(shape=b"J\xff\xff\xff\xff\x85"), tensor(stride=b")"), tensor(elements=b"N")]
)
def test_what_is_not_a_tensor_is_not_counted(tmp_path, bad):
    (path := tmp_path / "m.pt").write_bytes(archive_of(bad, bytes(8)))
    assert inspect(path, FORMATS).parameters is None


def many_entries() -> bytes:
    name = b"a/data/0"
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 0, 0, 0, 0, 0, 0, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0) + name
    contents = entry * 1000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1000, 1000, len(contents), 0, 0)
    return contents + end


def wide_end(count: int, length: int, start: int) -> bytes:
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 0, 0, 0, 0, count, count, length, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 60, 1)
    return end64 + locator + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)


FIRST = zipped(b"\x80\x02}.")[: 30 + len("archive/data.pkl")]
ARCHIVES = {
    "no list of contents": FIRST,
    "an empty list": FIRST + EMPTY_ZIP_END,
    "the same name many times": FIRST + many_entries(),
    "10**12 entries": FIRST.ljust(60, b"\0") + wide_end(10**12, 100, 0),
    "a list of 2**40 bytes": FIRST.ljust(60, b"\0") + wide_end(1, 2**40, 0),
    "a list behind the end": FIRST.ljust(60, b"\0") + wide_end(1, 50, 2**62),
    "a list of more entries than bytes": FIRST.ljust(60, b"\0") + wide_end(90_000, 40, 0),
    "no pickle": zipped(b"x", name="archive/version"),
    "a pickle too deep in it": zipped(b"\x80\x02}.", name="archive/data/data.pkl"),
    "packed by bzip2": zipped(b"\x80\x02}.", method=zipfile.ZIP_BZIP2),
    "packed to a thousandth": zipped(b"\x80\x02" + bytes(10**8), method=zipfile.ZIP_DEFLATED),
    "no pickle in the pickle": zipped(b"GGUF"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives(tmp_path, name):
    (path := tmp_path / "m.pt").write_bytes(ARCHIVES[name])
    tracemalloc.start()
    with pytest.raises(InvalidModelFileError, match=r"^'m\.pt' is "):
        inspect(path, FORMATS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 2**20


def test_two_pickles_in_one_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}.")
        archive.writestr("b/data.pkl", b"\x80\x02}.")
    with pytest.raises(InvalidModelFileError, match=r"it needs one 'data\.pkl'"):
        inspect(tmp_path / "m.pt", FORMATS)


def test_a_packed_pickle_that_lies_about_its_size(tmp_path):
    whole = bytearray(zipped(b"\x80\x02" + bytes(10**6), method=zipfile.ZIP_DEFLATED))
    at = whole.rfind(b"PK\x01\x02")
    whole[at + 24 : at + 28] = (100).to_bytes(4, "little")
    (path := tmp_path / "m.pt").write_bytes(whole)
    with pytest.raises(InvalidModelFileError):
        inspect(path, FORMATS)
    assert zlib.decompress(zlib.compress(b"")) == b""


def test_a_pickle_of_more_than_is_read(tmp_path):
    with (path := tmp_path / "m.pt").open("wb") as file:
        file.write(b"\x80\x02B" + (2**31).to_bytes(4, "little"))
        file.truncate(2**31 + 100)
    with pytest.raises(InvalidModelFileError, match="its description takes more than"):
        inspect(path, FORMATS)


@pytest.mark.parametrize(
    ("name", "head", "claimed"),
    [
        ("m.pt", b"\x80\x02}.", True),
        ("m.pkl", b"\x80\x05}.", True),
        ("m.dat", b"\x80\x02}.", False),
        ("m.dat", LEGACY, True),
        ("m.dat", zipped(b"\x80\x02}."), True),
        ("m.pt", zipped(b"x", name="word/document.xml"), False),
        ("m.pt", zipped(b"x", name="data.pkl"), False),
        ("m.pt", b"PK\x03\x04", False),
        ("m.bin", b"\x06\0\0\0", False),
        ("m.bin", b"", False),
    ],
)
def test_claims(name, head, claimed):
    assert claims(Path("/nowhere") / name, head) is claimed


def test_one_file_that_is_two(tmp_path):
    """What stands first decides, as it does for engines; nothing goes by the name or by the end."""
    archive = zipped(b"\x80\x02}.")
    gguf = write_gguf(tmp_path / "a.pt", {"general.architecture": "llama"}, tensors={"a": (32,)})
    gguf.write_bytes(gguf.read_bytes() + archive)
    assert inspect(gguf, FORMATS).format == "gguf"
    (other := tmp_path / "b.gguf").write_bytes(archive)
    assert inspect(other, FORMATS).format == "pytorch"
    weights = write_safetensors(tmp_path / "c.safetensors", {"a.weight": ("U8", (len(archive),))})
    weights.write_bytes(weights.read_bytes()[: -len(archive)] + archive)
    assert inspect(weights, FORMATS).format == "safetensors"
