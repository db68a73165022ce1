"""The frames in which an engine sends stdout and stderr over one connection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from ..errors import EngineUnavailable
from ..values import Value

#: A frame's header: 1 byte for the stream, 3 zero bytes, 4 bytes for the length (big-endian).
_HEADER = 8
_MAX_FRAME = 64 << 20  # bytes; Docker's frames of a log have up to 16 KiB
_NAMES: dict[int, Literal["stdout", "stderr"]] = {0: "stdout", 1: "stdout", 2: "stderr"}
#: The stream number of a frame that carries an error of the engine itself.
_ENGINE_ERROR = 3


@dataclass(frozen=True, slots=True)
class Output(Value):
    """A piece of what a process wrote.

    Pieces of one stream are in order. The order between the two streams is not known.

    Attributes:
        stream: "stdout" or "stderr".
        data: the bytes; a piece may end inside a line or a character.
    """

    stream: Literal["stdout", "stderr"]
    data: bytes

    @property
    def text(self) -> str:
        """The bytes as UTF-8; undecodable bytes become U+FFFD."""
        return self.data.decode("utf-8", "replace")


def demultiplex(chunks: Iterable[bytes], *, whole: bool = False) -> Iterator[Output]:
    """Parse the frames of a stream that arrives in pieces of any length.

    Args:
        whole: yield each frame in one piece; else yield parts of frames as they arrive.

    Raises:
        EngineUnavailable: the stream ends inside a frame, is not made of frames, or carries an error of the engine.
    """
    buffer = bytearray()
    left = 0  # bytes of the current frame still to come
    name: Literal["stdout", "stderr"] = "stdout"
    for chunk in chunks:
        buffer += chunk
        while buffer:
            if not left:
                if len(buffer) < _HEADER:
                    break
                if buffer[0] == _ENGINE_ERROR and buffer[1:4] == b"\0\0\0":
                    words = bytes(buffer[_HEADER:]).decode("utf-8", "replace")
                    raise EngineUnavailable(f"the engine ended the output with an error: {words}")
                if buffer[0] not in _NAMES or buffer[1:4] != b"\0\0\0":
                    raise EngineUnavailable(f"invalid header of an output frame: {bytes(buffer[:_HEADER])!r}")
                name = _NAMES[buffer[0]]
                left = int.from_bytes(buffer[4:_HEADER], "big")
                del buffer[:_HEADER]
                continue
            if whole and len(buffer) < left:
                if left > _MAX_FRAME:
                    raise EngineUnavailable(f"an output frame of {left} bytes is larger than engines send")
                break
            piece = bytes(buffer[:left])
            del buffer[: len(piece)]
            left -= len(piece)
            yield Output(name, piece)
    if buffer or left:
        raise EngineUnavailable("the connection was lost in the middle of an output frame")


def whole_characters(outputs: Iterable[Output]) -> Iterator[Output]:
    """Yield the same bytes in pieces that do not end inside a UTF-8 character, so that each piece has its own text.

    At most 3 bytes of each stream are held back until the next piece, or the end.
    """
    held: dict[Literal["stdout", "stderr"], bytes] = {"stdout": b"", "stderr": b""}
    for output in outputs:
        if not held[output.stream] and output.data[-1:] < b"\x80":  # the common case: the piece ends with ASCII
            if output.data:
                yield output
            continue
        data = held[output.stream] + output.data
        end = len(data) - _unfinished(data)
        held[output.stream] = data[end:]
        if end:
            yield Output(output.stream, data[:end])
    for name, rest in held.items():
        if rest:
            yield Output(name, rest)


def _unfinished(data: bytes) -> int:
    """Return how many bytes at the end begin a UTF-8 character that is not complete."""
    for back in range(1, min(3, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC0:  # the first byte of a character of 2, 3 or 4 bytes
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if length > back else 0
        if byte < 0x80:
            return 0
    return 0


def whole_lines(outputs: Iterable[Output], *, most: int | None = None) -> Iterator[Output]:
    """Yield the same bytes in one piece per line. Only the last line of each stream may lack its end.

    Args:
        most: bytes to keep of a line; the rest of a longer one is left out. None keeps all.
    """
    held: dict[Literal["stdout", "stderr"], list[bytes]] = {"stdout": [], "stderr": []}
    sizes = {"stdout": 0, "stderr": 0}
    for output in outputs:
        parts = held[output.stream]
        *ends, rest = output.data.split(b"\n")
        for end in ends:
            parts.append(_fitting(end, sizes[output.stream], most))
            yield Output(output.stream, b"".join(parts) + b"\n")
            parts.clear()
            sizes[output.stream] = 0
        if rest := _fitting(rest, sizes[output.stream], most):
            parts.append(rest)
            sizes[output.stream] += len(rest)
    yield from (Output(stream, b"".join(parts)) for stream, parts in held.items() if parts)


def _fitting(data: bytes, before: int, most: int | None) -> bytes:
    return data if most is None else data[: max(0, most - before)]
