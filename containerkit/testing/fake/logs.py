"""Logs and events of the engine in memory: read at once, or followed."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ...backends.base import Event
from ...streams import Output, OutputStream, Stream
from .processes import ProcessVerbs
from .state import FakeContainer, Filters, fits, labelled

__all__ = ["LogVerbs"]

Row = tuple[float, str, bytes]


class LogVerbs(ProcessVerbs):
    """The methods of logs and events."""

    def logs_container(
        self,
        ref: str,
        *,
        stdout: bool,
        stderr: bool,
        follow: bool,
        since: float | None,
        until: float | None,
        tail: int | None,
        timestamps: bool,
        tty: bool,
    ) -> OutputStream:
        wanted = {name for name, on in (("stdout", stdout), ("stderr", stderr)) if on}

        def chosen(row: Row) -> bool:
            early, late = since is not None and row[0] < since, until is not None and row[0] > until
            return row[1] in wanted and not early and not late

        with self._changed:
            found = self._container(ref, f"reading the log of container {ref}")
            lines = [line for row in found.log for line in _lines(row) if chosen(line)]
            seen = len(found.log)
        lines = lines if tail is None else lines[len(lines) - tail if tail < len(lines) else 0 :] if tail else []

        def outputs() -> Iterator[Output]:
            for line in lines:
                yield _output(line, timestamps)
            at = seen
            while follow:
                rows = self._written(found, at, stream)
                if not rows:
                    return
                at += len(rows)
                for row in rows:
                    for line in filter(chosen, _lines(row)):
                        yield _output(line, timestamps)

        stream = OutputStream(outputs(), on_close=self._wake)
        return stream

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _written(self, container: FakeContainer, at: int, stream: OutputStream) -> list[Row]:
        """Return new output; nothing once the container ended or the stream was closed."""
        with self._changed:
            self._changed.wait_for(lambda: stream.closed or len(container.log) > at or not container.alive)
            return [] if stream.closed else container.log[at:]

    def _happened(self, at: int, until: float | None, stream: Stream[Event]) -> list[Event]:
        """Return new events; nothing once the time is over or the stream was closed."""
        with self._changed:
            left = None if until is None else max(0.0, until - time.time())
            self._changed.wait_for(lambda: stream.closed or len(self._events) > at, left)
            return self._events[at:]

    def events(self, *, since: float | None, until: float | None, filters: Filters) -> Stream[Event]:
        with self._changed:
            first = 0 if since is not None else len(self._events)
            fits(Event("", "", "", "", 0.0, {}), filters, _EVENT_FILTERS, "events")  # refuses unknown filters

        def happened() -> Iterator[Event]:
            at = first
            while not stream.closed:
                rows = self._happened(at, until, stream)
                at += len(rows)
                for event in rows:
                    in_time = (since is None or event.time >= since) and (until is None or event.time <= until)
                    if in_time and fits(event, filters, _EVENT_FILTERS, "events"):
                        yield event
                if until is not None and time.time() >= until and not rows:
                    return

        stream = Stream(happened(), on_close=self._wake)
        return stream


def _of(kind: str) -> Any:
    return lambda event, value: event.type == kind and (event.name == value or event.id.startswith(value))


_EVENT_FILTERS: Mapping[str, Any] = {
    "type": lambda event, value: event.type == value,
    "event": lambda event, value: event.action == value or event.action.startswith(f"{value}:"),
    "label": lambda event, value: labelled(event.attributes, value),
    "image": lambda event, value: event.attributes.get("image", event.name) == value,
    **{kind: _of(kind) for kind in ("container", "volume", "network")},
}


def _lines(row: Row) -> list[Row]:
    moment, stream, data = row
    return [(moment, stream, line) for line in re.findall(rb"[^\n]*\n|[^\n]+", data)] if b"\n" in data else [row]


def _output(row: Row, timestamps: bool) -> Output:
    moment, stream, data = row
    if timestamps:
        data = dt.datetime.fromtimestamp(moment, dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ ").encode() + data
    return Output("stderr" if stream == "stderr" else "stdout", data)
