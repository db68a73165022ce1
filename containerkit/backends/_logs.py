"""The log of a container, where the engines' own options are wrong for long lines.

Docker stores a line in pieces of 16 KiB, Podman in pieces of 8 KiB, and each piece arrives in a frame of its own.
Docker's `tail` counts pieces; Podman's loses pieces (5.4) or joins them with other lines (4.3). Both put a timestamp
before each piece. So lines are counted here, and inner timestamps removed.
"""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..streams import Output, OutputStream, demultiplex, whole_lines
from .transport import StreamResponse

#: What an engine's `tail` counts: the pieces of lines, or nothing useful (the whole log is read then).
TailUnit = Literal["piece", "none"]

_STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) ")
_PIECE = 16384  # bytes; without frames (a terminal's log), pieces are found by their size
_GROWTH = 4  # how many times more pieces are read if the pieces read hold too few lines


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Options of a log request.

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
    if not query.tail:
        return _stamped_once(fetch(query), query, unit)
    if query.follow and query.tty:  # without frames, pieces cannot be counted
        unit = "none"
    lines = _last_lines(query, fetch, unit)
    if not query.follow:
        return _stamped_once(OutputStream(iter(lines.outputs)), query, unit)
    if unit == "piece":
        return _stamped_once(fetch(replace(query, tail=lines.pieces)), query, unit)
    stream = fetch(replace(query, tail=None))
    later = itertools.islice(whole_lines(stream) if query.tty else stream, lines.before, None)
    return _stamped_once(OutputStream(later, on_close=stream.close), query, unit)


class _Lines:
    """The last lines of a log, collected in memory of that size.

    Attributes:
        outputs: their pieces, in order.
        complete: how many lines are known to begin with their first piece.
        before: how many pieces come before them, and `pieces` from their first piece on.
    """

    def __init__(self, outputs: Iterable[Output], wanted: int, *, whole: bool) -> None:
        lines: deque[list[tuple[int, Output]]] = deque(maxlen=wanted)
        # If the log is read from its middle, the first piece of a stream may continue a line.
        unfinished: dict[str, list[tuple[int, Output]]] = {} if whole else {"stdout": [], "stderr": []}
        self.count = 0
        for output in outputs:
            line = unfinished.pop(output.stream, None)
            if line is None:
                line = []
                lines.append(line)
            line.append((self.count, output))
            if not output.data.endswith(b"\n"):
                unfinished[output.stream] = line
            self.count += 1
        kept = sorted((piece for line in lines for piece in line), key=lambda piece: piece[0])
        self.outputs = [output for _, output in kept]
        self.complete = len(lines)
        self.before = kept[0][0] if kept else self.count
        self.pieces = self.count - self.before


def _last_lines(query: LogQuery, fetch: Callable[[LogQuery], OutputStream], unit: TailUnit) -> _Lines:
    """Return the last `query.tail` lines, from as few pieces as hold them if the engine can count those."""
    wanted = query.tail or 0
    pieces = wanted + 1 if unit == "piece" else None
    former = -1
    while True:
        with fetch(replace(query, follow=False, tail=pieces)) as stream:
            outputs = whole_lines(stream) if query.tty else stream
            read = list(outputs) if pieces else outputs
            count = len(read) if isinstance(read, list) else former
            whole = pieces is None or count == former or (not query.tty and count < pieces)
            lines = _Lines(read, wanted, whole=whole)
        if whole or lines.complete == wanted or pieces is None:
            return lines
        former, pieces = count, pieces * _GROWTH


def _stamped_once(stream: OutputStream, query: LogQuery, unit: TailUnit) -> OutputStream:
    """Return the stream with one timestamp for each line, not for each piece of a line."""
    if not query.timestamps:
        return stream
    by_size = query.tty and unit == "piece"
    outputs = _without_inner_stamps_by_size(stream) if by_size else _without_inner_stamps(stream)
    return OutputStream(outputs, on_close=stream.close)


def _without_inner_stamps(outputs: Iterable[Output]) -> Iterator[Output]:
    """Yield pieces without the timestamp of those that continue a line."""
    inside = {"stdout": False, "stderr": False}
    for output in outputs:
        data = output.data
        if inside[output.stream] and (stamp := _STAMP.match(data)):
            data = data[stamp.end() :]
        inside[output.stream] = not data.endswith(b"\n")
        yield Output(output.stream, data)


def _without_inner_stamps_by_size(outputs: Iterable[Output]) -> Iterator[Output]:
    """Yield lines without the timestamps that stand inside at a distance of whole pieces."""
    for output in whole_lines(outputs):
        first = _STAMP.match(output.data)
        start, end = 0, first.end() + _PIECE if first else len(output.data)  # of the piece
        pieces = []
        while inner := _STAMP.match(output.data, end):
            pieces.append(output.data[start:end])
            start, end = inner.end(), inner.end() + _PIECE
        yield Output("stdout", b"".join([*pieces, output.data[start:]]))
