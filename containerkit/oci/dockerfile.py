"""Write an image's history as the instructions of a Dockerfile, without what builders add to them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from .config import History

__all__ = ["dockerfile", "instruction"]

_SHELL = "/bin/sh -c "
_NOP = re.compile(r"^/bin/sh -c #\(nop\)\s*")
_ARGS = re.compile(r"^(?:RUN )?\|(\d+) (.*?)\s?/bin/sh -c ", re.DOTALL)
_SOURCE = re.compile(r"^(ADD|COPY) ((?:--\S+ )*)((?:file|dir|multi):[0-9a-f]{64}) in (.+)$", re.DOTALL)
_GO_LIST = re.compile(r'^(CMD|ENTRYPOINT|SHELL) \[("(?:[^"\\]|\\.)*"(?: "(?:[^"\\]|\\.)*")*)\]$')
_PORTS = re.compile(r"^EXPOSE (?:map)?\[(.*)\]$")
_VOLUMES = re.compile(r"^VOLUME (?:map)?\[([^\"].*)\]$")


def instruction(created_by: str) -> tuple[str, str]:
    """Return an instruction as one would write it, and a remark about what cannot be known; either may be "".

    Args:
        created_by: the line of the history, by the classic builder, BuildKit or Buildah.
    """
    text = created_by.strip().removesuffix("# buildkit").rstrip()
    if not text:
        return "", "an instruction that the image does not state"
    if found := _NOP.match(text):
        text = text[found.end() :]
    elif found := _ARGS.match(text):
        return f"RUN {text[found.end() :]}", f"with build arguments: {found[2]}" if found[2] else ""
    elif text.startswith(_SHELL):
        return f"RUN {text.removeprefix(_SHELL)}", ""
    text = text.replace(f"RUN {_SHELL}", "RUN ", 1) if text.startswith(f"RUN {_SHELL}") else text
    if found := _SOURCE.match(text):
        return f"{found[1]} {found[2]}{found[3]} {found[4].strip()}", "the image states only a digest of the source"
    if found := _GO_LIST.match(text):
        return f"{found[1]} [{', '.join(re.findall(_WORD, found[2]))}]", ""
    if found := _PORTS.match(text):
        return "EXPOSE " + " ".join(word.partition(":")[0] for word in found[1].split()), ""
    if found := _VOLUMES.match(text):
        return f"VOLUME {json.dumps([word.removesuffix(':{}') for word in found[1].split()])}", ""
    if re.match(r"^[A-Z]+( |$)", text):
        return text, ""
    return "", f"not an instruction of a Dockerfile: {text}"


_WORD = r'"(?:[^"\\]|\\.)*"'


def dockerfile(history: Sequence[History]) -> str:
    """Return the text of a Dockerfile with the instructions of a history, oldest first.

    A comment replaces each fact that the image does not state. The text documents an image; a build of it makes
    another one.
    """
    lines = [
        "# From the image's history. It does not state which base it was built from, nor other stages of its build.",
        "FROM scratch",
    ]
    for line in history:
        if line.comment.startswith("FROM "):  # Buildah notes the base with the first instruction on top of it
            lines.append(f"# on top of {_one_line(line.comment.removeprefix('FROM '))}")
        written, remark = instruction(line.created_by)
        lines += [f"# {_one_line(remark)}"] if remark else []
        lines += [written] if written else []
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    return " ".join(text.split())
