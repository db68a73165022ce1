"""Logs: what a container has written, kept by its engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._text import printable, split_lines
from ..errors import InvalidOption
from ..options import parse_flag, parse_integer, parse_time
from .container_state import ContainerState

if TYPE_CHECKING:
    from ..streams import Output, OutputStream


@dataclass(frozen=True, slots=True)
class Logs:
    """Output of a container so far, to the byte.

    Attributes:
        stdout_bytes, stderr_bytes: each stream alone.
        text: both streams in the order in which the engine returns them, as UTF-8.
    """

    stdout_bytes: bytes
    stderr_bytes: bytes
    text: str

    @property
    def stdout(self) -> str:
        """Standard output as UTF-8, with U+FFFD for bytes that are not UTF-8."""
        return self.stdout_bytes.decode("utf-8", "replace")

    @property
    def stderr(self) -> str:
        """Standard error as UTF-8, with U+FFFD for bytes that are not UTF-8."""
        return self.stderr_bytes.decode("utf-8", "replace")

    def __str__(self) -> str:
        return printable(self.text)

    def _repr_html_(self) -> str:
        from ..display import output_html

        return output_html({"": self.text}, "" if self.text else "no output")

    def __iter__(self) -> Iterator[str]:
        """Iterate over the lines of both streams, in the engine's order."""
        return iter(split_lines(self.text))

    def __contains__(self, text: str) -> bool:
        return text in self.text

    def to_dict(self) -> dict[str, Any]:
        """Return both streams as JSON-ready types."""
        return {"stdout": self.stdout, "stderr": self.stderr}


def open_logs(
    container: ContainerState,
    *,
    stream: str | None = None,
    follow: bool = False,
    since: float | None = None,
    until: float | None = None,
    tail: int | None = None,
    timestamps: bool = False,
) -> OutputStream:
    """Check the options of a log request and open the log. Raises InvalidOption."""
    if stream is not None and (not isinstance(stream, str) or stream not in ("stdout", "stderr")):
        raise InvalidOption("stream", stream, '"stdout", "stderr" or None for both')
    parsed: dict[str, Any] = {
        "follow": parse_flag("follow", follow),
        "since": parse_time("since", since),
        "until": parse_time("until", until),
        "tail": None if tail is None else parse_integer("tail", tail, low=0, high=2**31 - 1),
        "timestamps": parse_flag("timestamps", timestamps),
    }
    return container._core.backend.logs_container(
        container.id, stdout=stream != "stderr", stderr=stream != "stdout", tty=container.record.tty, **parsed
    )


def read_logs(outputs: Iterable[Output]) -> Logs:
    """Read a log to its end."""
    parts: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
    both: list[bytes] = []
    for output in outputs:
        parts[output.stream].append(output.data)
        both.append(output.data)
    text = b"".join(both).decode("utf-8", "replace")
    return Logs(b"".join(parts["stdout"]), b"".join(parts["stderr"]), text)
