"""The log of a container, where the engines' own options are wrong for lines longer than 16 KiB.

Docker stores a longer line in pieces of 16 KiB. Its `tail` counts pieces, and its `timestamps` puts one before each
piece. Each piece arrives in a frame of its own, so both can be put right here.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..streams import Output, OutputStream, demultiplex
from .transport import StreamResponse

__all__ = ["LogQuery", "TailUnit", "read_log"]

#: What an engine's `tail` counts: lines, the pieces of lines, or nothing useful (the whole log is read then).
TailUnit = Literal["line", "piece", "none"]

_STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) ")
_PIECE = 16384  # bytes; without frames (a terminal's log), pieces are found by their size
_GROWTH = 4  # how many times more pieces are read if the pieces read hold too few lines


@dataclass(frozen=True, slots=True)
class LogQuery:
    """What is read of a log.

    Attributes:
        tail: the last lines only; None for all.
        tty: the container has a terminal, so its log has no frames.
    """

    stdout: bool
    stderr: bool
    follow: bool
    since: float | None
    until: float | None
    tail: int | None
    timestamps: bool
    tty: bool

    def params(self) -> dict[str, Any]:
        """Return the query of the request."""
        return {
            "stdout": self.stdout,
            "stderr": self.stderr,
            "follow": self.follow,
            "since": None if self.since is None else f"{self.since:.9f}",
            "until": None if self.until is None else f"{self.until:.9f}",
            "tail": "all" if self.tail is None else str(self.tail),
            "timestamps": self.timestamps,
        }

    def parse(self, response: StreamResponse) -> OutputStream:
        """Return the output in a response; one Output for each piece where that matters."""
        outputs: Iterator[Output]
        if self.tty:
            outputs = (Output("stdout", chunk) for chunk in response.chunks)
        else:
            outputs = demultiplex(response.chunks, whole=self.timestamps or self.tail is not None)
        return OutputStream(outputs, on_close=response.close)


def read_log(query: LogQuery, fetch: Callable[[LogQuery], OutputStream], unit: TailUnit) -> OutputStream:
    """Return the log that a query describes.

    Args:
        fetch: send one request for a log.
        unit: what the engine's own `tail` counts.
    """
    if query.tail and unit != "line":
        if not query.follow:
            return _stamped_once(OutputStream(iter(_last_lines(query, fetch, unit)[0])), query)
        if unit == "piece":
            query = replace(query, tail=_last_lines(query, fetch, unit)[1])
    return _stamped_once(fetch(query), query)


def _last_lines(query: LogQuery, fetch: Callable[[LogQuery], OutputStream], unit: TailUnit) -> tuple[list[Output], int]:
    """Return the outputs of the last `query.tail` lines, and how many pieces from the end they begin."""
    wanted = query.tail or 0
    pieces = wanted + 1 if unit == "piece" else None
    before: list[Output] | None = None
    while True:
        with fetch(replace(query, follow=False, tail=pieces)) as stream:
            found = list(_split(stream)) if query.tty else list(stream)
        whole = pieces is None or found == before or (not query.tty and len(found) < pieces)
        first, enough = _first_of_last(found, wanted, whole=whole)
        if enough or whole or pieces is None:
            return found[first:], len(found) - first
        before, pieces = found, pieces * _GROWTH


def _split(outputs: Iterable[Output]) -> Iterator[Output]:
    """Yield one Output for each line of a log without frames."""
    rest = b""
    for output in outputs:
        *lines, rest = (rest + output.data).split(b"\n")
        yield from (Output("stdout", line + b"\n") for line in lines)
    if rest:
        yield Output("stdout", rest)


def _first_of_last(outputs: list[Output], wanted: int, *, whole: bool) -> tuple[int, bool]:
    """Return the index at which the last lines begin, and whether that many lines are known to be complete.

    Args:
        whole: `outputs` is the whole log, so that the first piece of each stream begins a line.
    """
    starts: deque[int] = deque(maxlen=wanted)
    inside = {"stdout": not whole, "stderr": not whole}  # whether the next piece continues a line
    for index, output in enumerate(outputs):
        if not inside[output.stream]:
            starts.append(index)
        inside[output.stream] = not output.data.endswith(b"\n")
    return (starts[0] if starts else 0), len(starts) == wanted


def _stamped_once(stream: OutputStream, query: LogQuery) -> OutputStream:
    """Return the stream with one timestamp for each line, not for each piece of a line."""
    if not query.timestamps:
        return stream
    outputs = _without_inner_stamps_of_tty(stream) if query.tty else _without_inner_stamps(stream)
    return OutputStream(outputs, on_close=stream.close)


def _without_inner_stamps(outputs: Iterable[Output]) -> Iterator[Output]:
    inside = {"stdout": False, "stderr": False}
    for output in outputs:
        data = output.data
        if inside[output.stream] and (stamp := _STAMP.match(data)):
            data = data[stamp.end() :]
        inside[output.stream] = not data.endswith(b"\n")
        yield Output(output.stream, data)


def _without_inner_stamps_of_tty(outputs: Iterable[Output]) -> Iterator[Output]:
    for output in _split(outputs):
        line = output.data
        first = _STAMP.match(line)
        end = first.end() + _PIECE if first else len(line)  # of the piece
        while inner := _STAMP.match(line, end):
            line = line[:end] + line[inner.end() :]
            end += _PIECE
        yield Output("stdout", line)
