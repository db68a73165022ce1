"""Patterns of .dockerignore files."""

from __future__ import annotations

import re
from collections.abc import Callable

from .._text import split_lines
from ..errors import InvalidOption

__all__ = ["is_ignored", "parse_ignore"]

#: (True for a "!" pattern, which includes again; the paths it matches).
Pattern = tuple[bool, "re.Pattern[str]"]
_WILD = re.compile(r"[*?\[\\]")


def parse_ignore(text: str) -> list[Pattern]:
    """Parse the patterns of a .dockerignore, in order.

    The rules are those of https://docs.docker.com/build/concepts/context/#dockerignore-files: Go's filepath.Match per
    component, "**" for any number of components, "!" to include again, "#" for comments; the last match decides.

    Raises:
        InvalidOption: a pattern is malformed, such as "[z-a]".
    """
    patterns = []
    for line in split_lines(text.removeprefix("\ufeff")):
        if line.startswith("#"):
            continue
        pattern = line.strip()
        include = pattern.startswith("!")
        pattern = pattern[1:].strip() if include else pattern
        components: list[str] = []
        for part in pattern.split("/"):
            if part == ".." and components:
                components.pop()
            elif part not in ("", ".", ".."):
                components.append(part)
        if components:
            try:
                patterns.append((include, re.compile(_regex(components), re.DOTALL)))
            except (re.error, ValueError) as exc:
                raise InvalidOption("context", line, f"valid patterns in its ignore file ({exc})") from None
    return patterns


def _regex(components: list[str]) -> str:
    """Return a regular expression for the path and everything below it."""
    ending = "/".join(components).removeprefix("**")
    if components[0].startswith("**") and components[0] != "**" and not _WILD.search(ending):
        return f"^.*{re.escape(ending)}(?:/.*)?$"  # "**.log": since Docker 23 every path that ends so
    regex = ""
    for index, component in enumerate(components):
        last = index == len(components) - 1
        if component == "**":
            regex += ".*" if last else "(?:[^/]+/)*"
            continue
        regex += _component(component) + ("" if last else "/")
    return f"^{regex}(?:/.*)?$"


def _component(pattern: str) -> str:
    """Return the regular expression of one component. Raises ValueError, re.error."""
    regex, index = "", 0
    while index < len(pattern):
        char = pattern[index]
        if pattern.startswith("**", index):  # also a part of a component may stand for folders
            index += 1
            regex += ".*" if index + 1 == len(pattern) else "(?:.*/)?"
        elif char == "*":
            regex += "[^/]*"
        elif char == "?":
            regex += "[^/]"
        elif char == "[":
            end = pattern.find("]", index)
            if end <= index + 1:
                raise ValueError("an empty or open set of characters")
            inside = re.sub(r"[\\\[&~|]", r"\\\g<0>", pattern[index + 1 : end])
            regex += f"[{inside}]"
            index = end
        elif char == "\\":
            index += 1
            if index == len(pattern):
                raise ValueError("a backslash at the end")
            regex += re.escape(pattern[index])
        else:
            regex += re.escape(char)
        index += 1
    return regex


def is_ignored(patterns: list[Pattern]) -> Callable[[str], bool]:
    """Return a function that tells whether a path of the context is ignored."""

    def ignored(path: str) -> bool:
        result = False
        for include, pattern in patterns:
            if result == include and pattern.match(path):
                result = not include
        return result

    return ignored
