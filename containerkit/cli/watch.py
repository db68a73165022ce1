"""Commands that watch an engine: version, events, stats."""

from __future__ import annotations

import sys
import threading
import time
from datetime import datetime, timezone
from typing import Any

import click

from .app import engine_option, open_engine
from .listing import filters_option, format_option, print_rows, print_value, size_text
from .output import moment

__all__ = ["COMMANDS"]

_STATS = {
    "ID": "CONTAINER ID", "Name": "NAME", "CPUPerc": "CPU %", "MemUsage": "MEM USAGE / LIMIT", "MemPerc": "MEM %",
    "NetIO": "NET I/O", "BlockIO": "BLOCK I/O", "PIDs": "PIDS",
}  # fmt: skip


@click.command()
@format_option
@engine_option
def version(template: str | None) -> None:
    """Show the versions of this program and of the engine."""
    import platform

    import containerkit as ck

    with open_engine() as engine:
        info = engine.info()
    server = dict(info.raw.get("version") or {"Version": info.version, "ApiVersion": info.api_version, "Os": info.os})
    client = {"Version": ck.__version__, "Os": sys.platform, "Arch": platform.machine()}
    if template is not None:
        print_value({"Client": client, "Server": server}, template)
        return
    python = f"{platform.python_implementation()} {platform.python_version()}"
    click.echo(f"Client: containerkit\n Version:  {ck.__version__}\n Python:   {python}\n")
    click.echo(f"Server: {info.kind}\n Version:  {info.version}\n API:      {info.api_version}")
    click.echo(f" OS/Arch:  {info.os}/{info.arch}\n Kernel:   {info.kernel}")


@click.command()
@click.option("--since", metavar="TIME", help="Only events after a time: 10m, 1700000000, 2024-01-31T12:00:00Z.")
@click.option("--until", metavar="TIME", help="End at a time.")
@filters_option
@format_option
@engine_option
def events(since: str | None, until: str | None, filters: dict[str, list[str]], template: str | None) -> None:
    """Print what happens in the engine, until --until or Ctrl-C."""
    span: dict[str, Any] = {"since": moment("--since", since), "until": moment("--until", until)}
    with open_engine() as engine, engine.events(filters=filters, **span) as stream:
        for event in stream:
            if template is None:
                click.echo(_event_line(event))
            else:
                print_value(_event_fields(event), template)
            sys.stdout.flush()


def _event_fields(event: Any) -> dict[str, Any]:
    """Return an event by docker's names of fields."""
    actor = {"ID": event.id, "Attributes": dict(event.attributes)}
    return {"Type": event.type, "Action": event.action, "Status": event.action, "ID": event.id, "Actor": actor,
            "Time": int(event.time), "Name": event.name}  # fmt: skip


def _event_line(event: Any) -> str:
    when = datetime.fromtimestamp(event.time, timezone.utc).astimezone().isoformat()
    details = ", ".join(f"{key}={value}" for key, value in sorted(event.attributes.items()))
    line = f"{when} {event.type} {event.action} {event.id}" + (f" ({details})" if details else "")
    return "".join(char if char.isprintable() else " " for char in line)


@click.command()
@click.option("--all", "-a", "everything", is_flag=True, help="Those that do not run, too.")
@click.option("--no-stream", is_flag=True, help="Print the first figures, and end.")
@format_option
@engine_option
@click.argument("names", nargs=-1, metavar="[CONTAINER...]")
def stats(names: tuple[str, ...], everything: bool, no_stream: bool, template: str | None) -> None:
    """Show what containers use: processor, memory, network, disk, processes. Figures come every second."""
    with open_engine() as engine:
        found = [engine.containers.get(name) for name in names] if names else engine.containers.list(all=everything)
        watched = [_Watched(each) for each in found]
        try:
            for each in watched:
                each.first.wait(5.0)
                if each.refused is not None:
                    raise each.refused
            while True:
                rows = [each.row() for each in watched]
                if not no_stream and sys.stdout.isatty():
                    click.echo("\x1b[H\x1b[J", nl=False)
                print_rows(rows, _STATS, template)
                if no_stream:
                    break
                time.sleep(1.0)
        finally:
            for each in watched:
                each.close()


class _Watched:
    """The latest figures of one container, read by a thread of its own."""

    def __init__(self, container: Any) -> None:
        self.container = container
        self.latest: Any = None
        self.refused: Exception | None = None  # the engine cannot measure
        self.first = threading.Event()
        self._stream: Any = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        import containerkit as ck

        try:
            with self.container.stream_stats() as self._stream:
                for sample in self._stream:
                    self.latest = sample
                    if sample.cpu_percent is not None:
                        self.first.set()
        except ck.Unsupported as exc:
            self.refused = exc
        except (ck.ContainerKitError, OSError):
            self.latest = None
        finally:
            self.first.set()

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._thread.join(2.0)

    def row(self) -> dict[str, str]:
        """Return the figures by docker's names of fields."""
        it = self.latest
        names = {"ID": self.container.short_id, "Name": self.container.name, "Container": self.container.name}
        if it is None:
            return {**names, **{field: "--" for field in _STATS if field not in names}}
        used, limit = size_text(it.memory, digits=4, binary=True), size_text(it.memory_limit, digits=4, binary=True)
        return {
            **names,
            "CPUPerc": f"{it.cpu_percent or 0:.2f}%",
            "MemUsage": f"{used} / {limit}",
            "MemPerc": f"{100 * it.memory / it.memory_limit if it.memory_limit else 0:.2f}%",
            "NetIO": f"{size_text(it.network_rx)} / {size_text(it.network_tx)}",
            "BlockIO": f"{size_text(it.block_read)} / {size_text(it.block_write)}",
            "PIDs": str(it.pids),
        }


COMMANDS = (version, events, stats)
