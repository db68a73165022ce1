"""Read from a Dockerfile which images a build may pull."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_ARG = re.compile(r"^[ \t]*ARG[ \t]+(\w+)=(\"[^\"\n]*\"|'[^'\n]*'|\S+)", re.IGNORECASE | re.MULTILINE)
_FROM = re.compile(
    r"^[ \t]*FROM[ \t]+(?:--\S+[ \t]+)*(?P<image>\S+)(?:[ \t]+AS[ \t]+(?P<stage>\S+))?|--from=(?P<copied>\S+)",
    re.IGNORECASE | re.MULTILINE,
)
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-([^}]*))?\})")


def dockerfile_text(context: Any, name: str, given: str | None) -> str:
    """Return the Dockerfile of a build context that was accepted; "" if it cannot be read, which the build reports.

    Args:
        context: a folder or a mapping.
        name: the Dockerfile's path in the context.
        given: the path that the caller gave; in a folder it may lead out of the context.
    """
    value = context.get(name, "") if isinstance(context, Mapping) else Path(context, name)
    if isinstance(value, Path) and not value.is_file() and given:
        value = next((path for path in (Path(context, given), Path(given)) if path.is_file()), value)
    try:
        content = Path(value).read_bytes() if isinstance(value, os.PathLike) else value
    except OSError:
        return ""
    return content.decode("utf-8", "replace") if isinstance(content, bytes) else str(content)


def base_images(dockerfile: str, build_args: Mapping[str, str]) -> tuple[str, ...]:
    """Return the images named by FROM and --from, with build arguments filled in, without stages of the build.

    A name that needs a variable which only the builder knows is left out.
    """
    arguments = {key: value.strip("\"'") for key, value in _ARG.findall(dockerfile)} | dict(build_args)
    found: dict[str, None] = {}
    stages = {"scratch"}
    for match in _FROM.finditer(dockerfile):
        name = _VARIABLE.sub(lambda m: arguments.get(m[1] or m[2]) or m[3] or m[0], match["image"] or match["copied"])
        if name.lower() not in stages and not name.isdecimal() and "$" not in name:
            found[name] = None
        if match["stage"]:
            stages.add(match["stage"].lower())
    return tuple(found)
