"""Frames of output, in pieces of any length; pieces that end with whole characters or lines."""

from __future__ import annotations

import itertools
from typing import Literal

import hypothesis.strategies as st
import pytest
from hypothesis import given

import containerkit as ck
from containerkit.streams import Output, demultiplex, whole_characters, whole_lines


def frame(number: int, data: bytes) -> bytes:
    return bytes([number, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


DATA = frame(1, b"out\n") + frame(2, b"err\n") + frame(1, b"") + frame(0, b"more" * 100)


def joined(outputs: list[Output], stream: str) -> bytes:
    return b"".join(output.data for output in outputs if output.stream == stream)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 13, 5000])
def test_demultiplex(size: int, whole: bool) -> None:
    """The output is the same for pieces of any length; with `whole`, each frame comes in one piece."""
    outputs = list(demultiplex((DATA[at : at + size] for at in range(0, len(DATA), size)), whole=whole))
    assert joined(outputs, "stdout") == b"out\n" + b"more" * 100
    assert joined(outputs, "stderr") == b"err\n"
    if whole or size == 5000:
        assert [len(output.data) for output in outputs if output.data] == [4, 4, 400]


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("length", [n for n in range(1, len(DATA)) if n not in (12, 24, 32)])
def test_a_cut_frame(length: int, whole: bool) -> None:
    """A stream that ends inside a frame raises EngineUnavailable."""
    with pytest.raises(ck.EngineUnavailable, match="in the middle of an output frame"):
        list(demultiplex([DATA[:length]], whole=whole))


@pytest.mark.parametrize(
    "data", [b"hello world", bytes([4, 0, 0, 0, 0, 0, 0, 1]) + b"x", bytes([1, 0, 1, 0, 0, 0, 0, 1])]
)
def test_no_frame(data: bytes) -> None:
    """Bytes that are no frame raise EngineUnavailable."""
    with pytest.raises(ck.EngineUnavailable, match="invalid header of an output frame"):
        list(demultiplex([data]))


def test_an_error_of_the_engine() -> None:
    """A frame with an error of the engine raises EngineUnavailable with its words."""
    with pytest.raises(ck.EngineUnavailable, match="ended the output with an error: broken"):
        list(demultiplex([frame(1, b"a"), frame(3, b"broken")]))


def test_a_frame_too_large() -> None:
    """A frame larger than engines send is not collected in memory."""
    header = bytes([1, 0, 0, 0]) + (65 << 20).to_bytes(4, "big")
    with pytest.raises(ck.EngineUnavailable, match="larger than engines send"):
        list(demultiplex([header, b"x"], whole=True))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_whole_characters(size: int) -> None:
    """Text of each piece joins to the whole text, wherever a character is divided."""
    text = "aé€😀é€😀z"
    data = text.encode()
    pieces = [Output("stdout", data[at : at + size]) for at in range(0, len(data), size)]
    found = list(whole_characters(pieces))
    assert "".join(output.text for output in found) == text
    assert all(output.data for output in found)


def test_bytes_are_kept() -> None:
    """Bytes that are not UTF-8 are neither lost nor held back without end; streams are apart."""
    pieces = [
        Output("stdout", b"a\xe2\x82"),
        Output("stderr", b"\xff\x80"),
        Output("stderr", b"b"),
        Output("stdout", b"\x82"),
    ]
    found = list(whole_characters(pieces))
    assert joined(found, "stdout") == b"a\xe2\x82\x82"
    assert joined(found, "stderr") == b"\xff\x80b"
    assert found[0].data == b"a"
    assert [output.data for output in whole_characters([Output("stdout", b"\x80\x80\x80\x80")])] == [b"\x80" * 4]
    assert [output.data for output in whole_characters([Output("stdout", b"x\xf0\x9f")])] == [b"x", b"\xf0\x9f"]


@given(
    pieces=st.lists(
        st.tuples(st.sampled_from(["stdout", "stderr"]), st.text("ab\n", max_size=6).map(str.encode)), max_size=20
    )
)
def test_whole_lines(pieces: list[tuple[Literal["stdout", "stderr"], bytes]]) -> None:
    """The bytes of each stream stay, in one piece per line; a limit cuts the end of a long line only."""
    outputs = [Output(stream, data) for stream, data in pieces]
    found = list(whole_lines(outputs))
    for stream in ("stdout", "stderr"):
        everything = b"".join(data for name, data in pieces if name == stream)
        lines = [output.data for output in found if output.stream == stream]
        assert lines == everything.splitlines(keepends=True)
        short = [output.data for output in whole_lines(outputs, most=3) if output.stream == stream]
        assert [line.rstrip(b"\n") for line in short] == [line.rstrip(b"\n")[:3] for line in lines]


def test_a_line_of_many_pieces_costs_as_much_as_its_bytes() -> None:
    """The pieces of a long line are joined once: a line of 64 MiB in 8 KiB pieces would else copy 256 GiB."""
    piece = Output("stdout", b"x" * 8192)
    (line,) = whole_lines(itertools.repeat(piece, 1 << 13))
    assert len(line.data) == 8192 << 13
    (cut,) = whole_lines(itertools.repeat(piece, 1 << 13), most=100)
    assert len(cut.data) == 100
