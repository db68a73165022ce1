"""Patterns of .dockerignore files."""

from __future__ import annotations

import re
from collections.abc import Callable

from .._text import split_lines

__all__ = ["is_ignored", "parse_ignore"]

#: (True for a "!" pattern, which includes again; the paths it matches).
Pattern = tuple[bool, "re.Pattern[str]"]


def parse_ignore(text: str) -> list[Pattern]:
    """Parse the patterns of a .dockerignore, in order.

    The rules are those of https://docs.docker.com/build/concepts/context/#dockerignore-files: Go's filepath.Match per
    component, "**" for any number of components, "!" to include again, "#" for comments; the last match decides.
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
            patterns.append((include, re.compile(_regex(components), re.DOTALL)))
    return patterns


def _regex(components: list[str]) -> str:
    """Return a regular expression for the path and everything below it."""
    regex = ""
    for index, component in enumerate(components):
        last = index == len(components) - 1
        if component == "**":
            regex += ".*" if last else "(?:[^/]+/)*"
            continue
        regex += _component(component) + ("" if last else "/")
    return f"^{regex}(?:/.*)?$"


def _component(pattern: str) -> str:
    regex, index = "", 0
    while index < len(pattern):
        char = pattern[index]
        if char == "*":
            while pattern[index + 1 : index + 2] == "*":
                index += 1
            regex += "[^/]*"
        elif char == "?":
            regex += "[^/]"
        elif char == "[" and "]" in pattern[index + 2 :]:
            end = pattern.index("]", index + 2)
            inside = pattern[index + 1 : end].replace("\\", r"\\")
            regex += f"[{inside}]"
            index = end
        elif char == "\\" and index + 1 < len(pattern):
            index += 1
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
