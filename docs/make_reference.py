"""Write docs/reference.md from the package: public names, signatures, the first sentence of each docstring.

python docs/make_reference.py
"""

from __future__ import annotations

import enum
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import containerkit as ck
from containerkit import errors, isolation, labs, layers, streams, wait
from containerkit.cli import app
from containerkit.resources import containers, images, networks, volumes

PAGE = Path(__file__).with_name("reference.md")
COMMAND = "python docs/make_reference.py"

#: heading -> its functions and classes, as users look for them.
GROUPS: dict[str, tuple[Any, ...]] = {
    "Connect and clean up": (ck.connect, ck.discover, ck.cleanup, ck.Endpoint, ck.Cleaned),
    "Engine": (ck.Engine, ck.EngineInfo, ck.Capability, ck.Event, ck.RunResult, ck.Mapped, ck.Output),
    "Containers": (
        *(
            containers.Containers,
            ck.Container,
            ck.ExecResult,
            ck.Terminal,
            ck.Logs,
            ck.Address,
            ck.Change,
            ck.Processes,
            ck.Stats,
            ck.StatsSeries,
        ),
        *(ck.Mount, ck.PortBinding, ck.NetworkAttachment, ck.HealthCheck, ck.Ulimit),
    ),
    "Waiting": tuple(getattr(wait, name) for name in wait.__all__ if name != "wait_until"),
    "Images": (
        *(
            images.Images,
            ck.Image,
            ck.HistoryEntry,
            ck.FoundImage,
            ck.Progress,
            ck.ProgressBars,
            ck.Pruned,
            ck.RemovedImage,
        ),
        ck.RegistryAuth,
    ),
    "Networks": (networks.Networks, ck.Network),
    "Volumes": (volumes.Volumes, ck.Volume),
    "Streams": (streams.Stream, ck.OutputStream, ck.ByteStream),
    "Layers": (
        ck.open_archive,
        ck.open_registry,
        ck.list_tags,
        *(each for name in sorted(layers.__all__) if inspect.isclass(each := getattr(layers, name))),
    ),
    "Isolation": (
        ck.check_host,
        ck.compare_reports,
        isolation.statements,
        ck.IsolationReport,
        ck.CheckResult,
        ck.AuditReport,
        ck.ContainerAudit,
        isolation.Exposure,
        ck.load_baseline,
        ck.Baseline,
        isolation.Known,
        ck.to_sarif,
        ck.to_junit,
        ck.to_page,
    ),
    "Labs": (
        labs.load,
        labs.Lab,
        labs.View,
        labs.from_compose,
        labs.ComposeFile,
        labs.Service,
        labs.Project,
        labs.ServiceStatus,
        labs.to_kubernetes,
        labs.Topology,
        labs.Host,
        labs.Interface,
        labs.HostStatus,
        labs.Reachability,
        labs.Capture,
    ),
    "Errors": tuple(getattr(errors, name) for name in errors.__all__),
    "For adapters to other engines": (ck.Backend,),
}
#: Said once for all; and what the package's own rooms ask of an Engine.
LEFT_OUT = {"to_dict"}


def first_sentence(thing: Any) -> str:
    """Return the first sentence of a docstring, on one line."""
    paragraph = (inspect.getdoc(thing) or "").partition("\n\n")[0]
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", " ".join(paragraph.split())).replace("``", "`")
    return re.split(r"(?<=[.!?])\s+(?=[A-Z`(])", text)[0]


def signature(thing: Any, name: str) -> str:
    """Return a signature without the types of parameters; `**options` stands for those of docs/options.md."""
    found = inspect.signature(thing)
    words: list[str] = []
    stars: dict[Any, str] = {inspect.Parameter.VAR_KEYWORD: "**", inspect.Parameter.VAR_POSITIONAL: "*"}
    for each in found.parameters.values():
        if each.name == "self" or each.name.startswith("_") or each.name in getattr(thing, "option_names", ()):
            continue
        if each.kind is each.KEYWORD_ONLY and not any(word.startswith("*") for word in words):
            words.append("*")
        default = "" if each.default is each.empty else f"={each.default!r}"
        words.append(f"{stars.get(each.kind, '')}{each.name}{default if each.name != 'mode' else '=0o644'}")
    words += ["**options"] if hasattr(thing, "option_names") else []
    answer = found.return_annotation
    silent = inspect.isclass(thing) or answer in (found.empty, "None", None)
    return f"{name}({', '.join(words)})" + ("" if silent else f" -> {answer}")


def members(thing: type) -> Iterator[str]:
    """Yield a line for each public property and method, those of base classes first."""
    lines: dict[str, str] = {}
    for base in reversed([each for each in thing.__mro__ if each.__module__.startswith("containerkit")]):
        for name, value in vars(base).items():
            if name.startswith("_") or LEFT_OUT & {name, f"{thing.__name__}.{name}"}:
                continue
            if isinstance(value, property):
                lines[name] = f"- `{name}`: {first_sentence(value)}"
            elif inspect.isfunction(value):
                lines[name] = f"- `{signature(value, name)}`: {first_sentence(value)}"
    yield from sorted(lines.values(), key=lambda line: "(" in line.partition("`:")[0])


def describe(thing: Any) -> Iterator[str]:
    """Return a public name, and below a class its members."""
    name = thing.__name__
    if inspect.isclass(thing) and issubclass(thing, errors.ContainerKitError):
        given = inspect.signature(thing).parameters.values() if "__init__" in vars(thing) else ()
        carried = [f"`{each.name}`" for each in given if each.name not in ("message", "args", "kwargs")]
        yield f"- `{name}`: {first_sentence(thing)}" + (f" Carries {', '.join(carried)}." if carried else "")
    elif not inspect.isclass(thing) or (issubclass(thing, wait.Strategy) and thing is not wait.Strategy):
        yield f"- `{signature(thing, name)}`: {first_sentence(thing)}"
    else:
        yield f"\n### {name}\n\n{first_sentence(thing)}\n"
        if issubclass(thing, enum.Enum):
            yield f"Values: {', '.join(f'`{each.name}` ({each.value})' for each in thing)}."
        elif is_dataclass(thing):
            fields = [each for each in thing.__dataclass_fields__ if not each.startswith("_")]
            yield f"Attributes: {', '.join(f'`{each}`' for each in fields)}.\n"
        if thing is ck.Backend:
            yield "Its methods, and what each promises, are in `containerkit/backends/base.py`."
        elif not issubclass(thing, enum.Enum):
            yield from members(thing)


def reference() -> str:
    """Return the whole page."""
    lines = ["# Reference", "", f"Made by `{COMMAND}` from the package; `help(name)` has more of each. Every value has"]
    lines += ["`to_dict()`, JSON-ready.", ""]
    for heading, things in GROUPS.items():
        lines += [f"## {heading}", ""]
        if heading == "Waiting":
            lines += ["For `container.wait_until(strategy, timeout=60.0)`; all of these are in `ck.wait`.", ""]
        if heading == "Errors":
            tree = (errors.__doc__ or "").partition("::\n\n")[2].partition("\n\nA message")[0]
            lines += ["```", textwrap.dedent(tree), "```", ""]
        for thing in things:
            lines += describe(thing)
        lines.append("")
    lines += ["## Options", "", "`**options` are those of [options.md](options.md).", ""]
    lines += ["## Commands", "", "`containerkit NAME --help` has their options.", ""]
    lines += [
        f"- `containerkit {name}`: {command.get_short_help_str(200)}"
        for name, command in sorted(app.commands.items())
        if not command.hidden
    ]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(reference())
