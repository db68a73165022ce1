"""Capture: packets of a collision domain or of one cable, as pcap: into a file, or as a stream."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Unsupported

if TYPE_CHECKING:
    from ..resources.container import Container

_numbers = itertools.count()

_START = """\
command -v tcpdump >/dev/null || exit 127
tcpdump -Z root --immediate-mode -i "$1" -U -w "$2" >/dev/null 2>"$2.log" </dev/null &
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  grep -q listening "$2.log" && { echo $!; exit 0; }
  sleep 0.1
done
cat "$2.log" >&2; exit 1
"""
_STOP = 'kill -INT "$1"; while kill -0 "$1" 2>/dev/null; do sleep 0.05; done'


_STREAM = """\
command -v tcpdump >/dev/null || exit 127
mkdir -p /tmp; echo $$ >"$2"
exec tcpdump -Z root --immediate-mode -i "$1" -U -w - 2>/dev/null
"""
_END = 'kill "$(cat "$1")"'


def _missing(text: str = "") -> Unsupported:
    return Unsupported(
        f"no capture: the image of the container for the cables has no tcpdump (helper_image=) {text}".rstrip()
    )


def stream_packets(helper: Container, device: str) -> Generator[bytes, None, None]:
    """Yield a pcap file piece by piece, as packets come. Closing the iterator ends the capture."""
    number = f"/tmp/capture-{next(_numbers)}.pid"
    with helper.open_exec(["sh", "-c", _STREAM, "sh", device, number], user="0") as terminal:
        try:
            for output in terminal:
                if output.stream == "stdout":
                    yield output.data
            if terminal.wait() == 127:
                raise _missing()
        finally:  # tcpdump that nobody reads would live until the next packet
            helper.exec(["sh", "-c", _END, "sh", number], user="0", timeout=10)


class Capture:
    """A running capture. Leaving its `with` block stops it.

    Attributes:
        data: the pcap file so far; complete after stop().
    """

    def __init__(self, helper: Container, device: str) -> None:
        self._helper = helper
        self._path = f"/tmp/capture-{next(_numbers)}.pcap"
        result = helper.exec(["sh", "-c", f"mkdir -p /tmp\n{_START}", "sh", device, self._path], user="0")
        if result.exit_code:
            raise _missing(result.stderr)
        self._pid: str | None = result.stdout.strip()

    @property
    def data(self) -> bytes:
        """The pcap file so far; complete after stop()."""
        return self._helper.read_file(self._path)

    def stop(self) -> bytes:
        """End the capture and return the pcap file. Safe to call twice."""
        if self._pid:
            self._helper.exec(["sh", "-c", _STOP, "sh", self._pid], user="0", timeout=10)
            self._pid = None
        return self.data

    def save(self, path: str | Path) -> Path:
        """End the capture and write the pcap file. Return its path."""
        target = Path(path)
        target.write_bytes(self.stop())
        return target

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
