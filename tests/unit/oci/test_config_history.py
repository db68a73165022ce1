"""Which line of history made which layer."""

from __future__ import annotations

import json

import pytest

from containerkit.errors import InvalidImage
from containerkit.oci.config import History, ImageConfig, infer_empty, map_history
from containerkit.oci.digest import chain_ids, sha256
from containerkit.testing.archives import ImageBuilder


def unflagged(*lines: str) -> list[History]:
    return [History(line, empty_layer=None) for line in lines]


def test_empty_lines_are_passed_over() -> None:
    """Lines that made no layer take none, so the label gets nothing and the copy its own."""
    history = [History("ADD base"), History("LABEL a=1", empty_layer=True), History("COPY x /")]
    assert map_history(history, 2) == ("exact", (0, 2))


def test_no_history_is_exact_and_says_nothing() -> None:
    """History is optional: without it no layer has an instruction, and nothing was guessed."""
    assert map_history([], 2) == ("exact", (None, None))


def test_short_history_is_marked_inferred() -> None:
    """Too few lines go to the lowest layers, marked as inferred."""
    assert map_history([History("ADD base")], 2) == ("inferred", (0, None))


def test_long_history_maps_nothing() -> None:
    """Too many lines leave every layer without one rather than with a wrong one."""
    assert map_history([History("a"), History("b")], 1) == ("inferred", (None,))


def test_missing_flags_are_inferred_and_counted() -> None:
    """Without flags the instruction decides, and the result is marked inferred."""
    lines = unflagged("/bin/sh -c #(nop) ADD file:1 in /", '/bin/sh -c #(nop)  CMD ["sh"]', "/bin/sh -c mkdir /x")
    assert map_history(lines, 2) == ("inferred", (0, 2))


@pytest.mark.parametrize(("layers", "expected"), [(2, (0, 1)), (1, (0,))])
def test_workdir_follows_the_count(layers: int, expected: tuple[int, ...]) -> None:
    """WORKDIR makes a layer with one builder and none with another: the number of layers decides."""
    assert map_history(unflagged("COPY a /", "WORKDIR /x"), layers) == ("inferred", expected)


def test_count_that_cannot_come_out() -> None:
    """If no reading gives the right number of layers, none is offered."""
    assert infer_empty(unflagged("ENV A=1"), 1) is None
    assert map_history(unflagged("ENV A=1"), 1) == ("inferred", (None,))


def test_size_means_a_layer() -> None:
    """A line with bytes made a layer whatever its instruction is called."""
    (line,) = infer_empty([History("buildah run", empty_layer=None, size=7)], 1) or ()
    assert line.empty_layer is False


def test_chain_ids() -> None:
    """The base's chain_id is its diff_id; above, the digest of the one below, a space, and the diff_id."""
    first, second = sha256(b"1"), sha256(b"2")
    assert chain_ids([first, second]) == (first, sha256(f"{first} {second}".encode()))


def test_config_reads_what_was_written() -> None:
    """A config keeps diff_ids, history with its flags, and the run parameters."""
    image = ImageBuilder("amd64").layer(files={"a": 1}).metadata("ENV A=1").run_config(Env=["A=1"])
    config = ImageConfig.parse(image.config_bytes())
    assert (config.diff_ids, config.architecture, config.os) == (image.diff_ids, "amd64", "linux")
    assert [line.empty_layer for line in config.history] == [False, True]
    assert config.config == {"Env": ["A=1"]}


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"rootfs":{"diff_ids":["x"]}}', b"[" * 100_000, b"\xff"])
def test_broken_configs_are_refused(raw: bytes) -> None:
    """Anything but a config raises InvalidImage, however odd."""
    with pytest.raises(InvalidImage):
        ImageConfig.parse(raw)


def test_times_of_a_config() -> None:
    """The config's own time and those of its history stay as the builder wrote them."""
    document = {
        "created": "2026-01-02T03:04:05Z",
        "rootfs": {"type": "layers", "diff_ids": []},
        "history": [{"created_by": "COPY a /", "created": "2025-01-01T00:00:00Z"}],
    }
    config = ImageConfig.parse(json.dumps(document).encode())
    assert config.created == "2026-01-02T03:04:05Z"
    assert config.history[0].created == "2025-01-01T00:00:00Z"


@pytest.mark.parametrize("history", [{"a": 1}, "x", [1], [{}, None]])
def test_history_of_another_type(history: object) -> None:
    with pytest.raises(InvalidImage, match="history"):
        ImageConfig.parse(json.dumps({"rootfs": {"type": "layers", "diff_ids": []}, "history": history}).encode())
