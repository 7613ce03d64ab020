"""Cutting a stream of bytes into whole frames, wherever the pieces fall."""

from __future__ import annotations

import pytest

from uml_core.errors import WorkerCrashedError
from uml_core.server.frames import FrameCutter, renamed, renamed_body, split

LF = b'data: {"a": 1}\n\n: ping\n\ndata: {"b":\ndata: 2}\n\n\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize("stream", [LF, LF.replace(b"\n", b"\r\n"), LF + LF.replace(b"\n", b"\r\n") + LF])
@pytest.mark.parametrize("tail", [b"", b"data: par", b"data: x\n", b"data: x\r\n\r", b"\r"])
def test_every_way_to_cut_in_three_gives_the_same(stream, tail):
    whole = stream + tail
    for first in range(len(whole) + 1):
        for second in range(first, len(whole) + 1, 5):
            cutter, given = FrameCutter(), []
            for piece in (whole[:first], whole[first:second], whole[second:]):
                block = cutter.feed(piece)
                assert block == b"" or block.endswith((b"\n\n", b"\n\r\n"))
                given.append(block)
            assert b"".join(given) == stream


def test_byte_by_byte_gives_each_frame_as_soon_as_it_is_whole():
    cutter = FrameCutter()
    blocks = [block for byte in LF if (block := cutter.feed(bytes([byte])))]
    assert blocks[:2] == [b'data: {"a": 1}\n\n', b": ping\n\n"]
    assert b"".join(blocks) == LF


def test_whole_frames_are_not_copied():
    assert FrameCutter().feed(LF) == LF


def test_a_long_frame_in_small_pieces_takes_linear_time():
    cutter = FrameCutter()
    for _ in range(100_000):
        assert cutter.feed(b"x" * 100) == b""
    assert len(cutter.feed(b"\n\n")) == 10_000_002


def test_a_frame_that_never_ends_is_refused():
    cutter = FrameCutter()
    for _ in range(16):
        assert cutter.feed(b"x" * 2**20) == b""
    with pytest.raises(WorkerCrashedError, match="never ends"):
        cutter.feed(b"x")


@pytest.mark.parametrize("block", [LF, LF.replace(b"\n", b"\r\n"), b"\n\ndata: x\n\n", b"data: x\n\n"])
def test_split_loses_nothing(block):
    frames = split(block)
    assert b"".join(frames) == block
    assert all(frame.endswith((b"\n\n", b"\n\r\n")) for frame in frames)


def test_split_knows_its_frames():
    assert split(b"data: a\n\n: c\n\n") == [b"data: a\n\n", b": c\n\n"]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (b'data: {"model":"x","a":"\xc3\xb6"}\n\n', b'data: {"model":"me","a":"\xc3\xb6"}\n\n'),
        (b'data:{"a":1}\r\n\r\n', b'data:{"a":1,"model":"me"}\r\n\r\n'),
        (b"data: [DONE]\n\n", b"data: [DONE]\n\n"),
        (b"data: {broken}\n\n", b"data: {broken}\n\n"),
        (b": comment {}\n\n", b": comment {}\n\n"),
    ],
)
def test_frames_get_the_name_that_clients_know(frame, expected):
    assert renamed(frame, "me") == expected


@pytest.mark.parametrize("data", [b"[1]", b"oops", b""])
def test_what_is_no_object_has_no_name(data):
    assert renamed_body(data, "me") == data
