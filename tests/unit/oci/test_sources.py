"""Sources of tar bytes and decompression, compared with slices of the same bytes."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis.strategies as st
import pytest
import zstandard
from hypothesis import given, settings

from containerkit.oci.compression import decompress
from containerkit.oci.digest import sha256_of
from containerkit.oci.sources import FileSource, Source, StreamSource

DATA = bytes(range(256)) * 100
STEPS = st.lists(st.tuples(st.sampled_from(["take", "skip", "chunks"]), st.integers(0, 9000)), max_size=12)


def pieces(sizes: list[int]) -> Iterator[bytes]:
    """Yield DATA in pieces of these sizes, then the rest; pieces may be empty."""
    at = 0
    for size in sizes:
        yield DATA[at : at + size]
        at += size
    yield DATA[at:]


def walk(source: Source, steps: list[tuple[str, int]], data: bytes) -> None:
    """Apply steps to a source; every result and position is that of a slice."""
    at = 0
    for step, count in steps:
        expected = data[at : at + count]
        if step == "take":
            assert source.take(count) == expected
        elif step == "skip":
            assert source.skip(count) == len(expected)
        else:
            assert b"".join(source.chunks(count)) == expected
        at += len(expected)
        assert source.position == at
    assert b"".join(source.chunks()) == data[at:]
    assert source.position == len(data)


@given(steps=STEPS, sizes=st.lists(st.integers(0, 9000), max_size=8))
@settings(max_examples=300, deadline=None)
def test_a_stream_in_pieces_of_any_size(steps: list[tuple[str, int]], sizes: list[int]) -> None:
    walk(StreamSource(pieces(sizes)), steps, DATA)


@given(steps=STEPS, start=st.integers(0, 5000), size=st.integers(0, 20_000))
@settings(max_examples=300, deadline=None)
def test_a_part_of_a_file(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], start: int, size: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "source"
    if not path.exists():
        path.write_bytes(DATA)
    fd = os.open(path, os.O_RDONLY)
    try:
        walk(FileSource(fd, start, size), steps, DATA[start : start + size])
    finally:
        os.close(fd)


@pytest.mark.parametrize("name", ["none", "gzip", "zstd", "xz", "bzip2"])
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_decompression_finds_the_method(name: str, size: int) -> None:
    """The first bytes decide, also after empty pieces."""
    packed = {
        "none": DATA,
        "gzip": gzip.compress(DATA),
        "zstd": zstandard.ZstdCompressor().compress(DATA),
        "xz": lzma.compress(DATA),
        "bzip2": bz2.compress(DATA),
    }[name]
    parts = [b"", packed[:10], *(packed[at : at + size] for at in range(10, len(packed), size))]
    assert b"".join(decompress(parts, None)) == DATA


@pytest.mark.parametrize("parts", [[], [b""], [b"", b""]])
def test_decompression_of_nothing(parts: list[bytes]) -> None:
    assert b"".join(decompress(parts, None)) == b""


def test_digest_and_length() -> None:
    assert sha256_of([b"a", b"", b"bc"]) == (
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        3,
    )


def test_a_file_that_shrinks(tmp_path: Path) -> None:
    """Chunks end where the file does."""
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    fd = os.open(path, os.O_RDONLY)
    try:
        assert b"".join(FileSource(fd, 1, 100).chunks()) == b"bc"
    finally:
        os.close(fd)
