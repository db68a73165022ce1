"""Fill in Go templates of --format: fields, functions, pipelines, range, if, with, and variables."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click

__all__ = ["TemplateError", "fill", "titles"]

_ACTION = re.compile(r"(\s*)\{\{(- )?\s*(.*?)\s*( -)?\}\}(\s*)", re.DOTALL)
_WORD = re.compile(
    r'\s*(?:("(?:[^"\\]|\\.)*"|`[^`]*`)|(-?\d+(?:\.\d+)?)|(\$?\w*(?:\.\w+)+|\.|\$\w*)|([A-Za-z_]\w*)|(:=|[()|,]))'
)


class TemplateError(click.ClickException):
    """A template that cannot be filled in; `broken`: whatever the value is."""

    def __init__(self, what: str, *, broken: bool = False) -> None:
        self.broken = broken
        super().__init__(f"--format: {what}; functions are {', '.join(sorted(_FUNCTIONS))}; --json prints everything")


def fill(template: str, value: Any) -> str:
    """Return the template with each action replaced by its value.

    Raises:
        TemplateError: what is no Go template, an unknown function, or a field that does not exist.
    """
    return _run(_parse(template), {"": value, "$": value})


def titles(template: str, names: Mapping[str, str]) -> str:
    """Return the title line of a `table` template: each action is replaced by the title of its field."""

    def title(found: re.Match[str]) -> str:
        field = re.search(r"\.(\w+)", found[3])
        name = field[1] if field else ""
        known = names.get(name) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).upper()
        return f"{found[1]}{known}{found[5]}"

    return _ACTION.sub(title, _unescaped(template))


def _unescaped(template: str) -> str:
    return template.replace("\\t", "\t").replace("\\n", "\n")


# ---------------------------------------------------------------- parsing
def _parse(template: str) -> list[Any]:
    """Return the nodes of a template: texts, and (words, body, alternative) of actions."""
    root: list[Any] = []
    stack: list[tuple[list[Any], list[Any]]] = []  # (where the nodes go, the block's node)
    body, place = root, 0
    text = _unescaped(template)
    for found in _ACTION.finditer(text):
        body.append(text[place : found.start()] + ("" if found[2] else found[1]))
        place = found.end() if found[4] else found.end() - len(found[5])
        words = _words(found[3])
        head = words[0] if words else None
        if head in ("range", "if", "with"):
            node: list[Any] = [words, [], []]
            body.append(node)
            stack.append((body, node))
            body = node[1]
        elif head == "else" and stack:
            node = stack[-1][1]
            body = node[2]
            if len(words) > 1:  # else if
                inner: list[Any] = [words[1:], [], []]
                body.append(inner)
                stack[-1] = (stack[-1][0], inner)
                body = inner[1]
        elif head == "end" and stack:
            body, _ = stack.pop()
        elif head in ("else", "end"):
            raise TemplateError(f"{{{{{head}}}}} without a block", broken=True)
        elif not found[3].startswith("/*"):
            body.append([words, [], []])
    if stack:
        raise TemplateError("a block without its {{end}}", broken=True)
    if "{{" in text[place:]:
        raise TemplateError("a {{ without its }}", broken=True)
    root.append(text[place:])
    return root


def _words(action: str) -> list[Any]:
    words: list[Any] = []
    place = 0
    while action[place:].strip() and not action.startswith("/*"):
        found = _WORD.match(action, place)
        if found is None:
            raise TemplateError(f"{{{{{action}}}}} is no action", broken=True)
        text, number, field, name, sign = found.groups()
        if text is not None:
            words.append(("value", text[1:-1] if text[0] == "`" else json.loads(text)))
        elif number is not None:
            words.append(("value", float(number) if "." in number else int(number)))
        elif field is not None:
            tight = found.start(3) == place and words[-1:] == [")"]
            words.append(("member" if tight else "field", field))
        else:
            words.append(name or sign)
        place = found.end()
    return words


# ---------------------------------------------------------------- running
def _run(nodes: list[Any], scope: dict[str, Any]) -> str:
    return "".join(node if isinstance(node, str) else _node(node, scope) for node in nodes)


def _node(node: list[Any], scope: dict[str, Any]) -> str:
    words, body, alternative = node
    head = words[0] if words else None
    if head not in ("range", "if", "with"):
        names, words = _variables(words)
        value = _pipeline(words, scope)
        if names:
            scope[names[-1]] = value
            return ""
        return _plain(value)
    names, words = _variables(words[1:])
    value = _pipeline(words, scope)
    if not value and not (head == "range" and value == 0):
        return _run(alternative, dict(scope))
    if head != "range":
        return _run(body, {**scope, **({"": value} if head == "with" else {}), **({names[-1]: value} if names else {})})
    pairs = sorted(value.items()) if isinstance(value, Mapping) else enumerate(_items(value))
    return "".join(
        _run(body, {**scope, "": each, **dict(zip(reversed(names), (each, key), strict=False))}) for key, each in pairs
    )


def _items(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return value
    raise TemplateError(f"range over {_plain(value)}, which is no list")


def _variables(words: list[Any]) -> tuple[list[str], list[Any]]:
    """Return the variables that `$a, $b :=` sets, and the other words."""
    if ":=" not in words:
        return [], words
    place = words.index(":=")
    return [word[1] for word in words[:place] if word != ","], words[place + 1 :]


def _pipeline(words: list[Any], scope: dict[str, Any]) -> Any:
    commands: list[list[Any]] = [[]]
    depth = 0
    for word in words:
        depth += (word == "(") - (word == ")")
        if word == "|" and depth == 0:
            commands.append([])
        else:
            commands[-1].append(word)
    value: list[Any] = []
    for command in commands:
        value = [_command(command, value, scope)]
    return value[0]


def _command(words: list[Any], piped: list[Any], scope: dict[str, Any]) -> Any:
    if not words:
        raise TemplateError("an empty action", broken=True)
    if isinstance(words[0], str) and words[0] != "(":
        function = _FUNCTIONS.get(words[0])
        if words[0] in ("true", "false", "nil"):
            return {"true": True, "false": False}.get(words[0])
        if function is None:
            raise TemplateError(f"no function {words[0]}", broken=True)
        arguments = [*_operands(words[1:], scope), *piped]
        try:
            return function(*arguments)
        except (TypeError, ValueError, KeyError, IndexError) as exc:
            raise TemplateError(f"{words[0]}: {exc}") from None
    found = [*_operands(words, scope), *piped]
    if callable(found[0]):  # a method, like .Label "team"
        return found[0](*found[1:])
    if len(found) != 1:
        raise TemplateError("a value is no function")
    return found[0]


def _operands(words: list[Any], scope: dict[str, Any]) -> list[Any]:
    values: list[Any] = []
    place = 0
    while place < len(words):
        word = words[place]
        place += 1
        if word == "(":
            start, depth = place, 1
            while depth and place < len(words):
                depth += (words[place] == "(") - (words[place] == ")")
                place += 1
            if depth:
                raise TemplateError("a ( without its )", broken=True)
            values.append(_pipeline(words[start : place - 1], scope))
        elif isinstance(word, str):
            values.append(_command([word], [], scope))
        elif word[0] == "value":
            values.append(word[1])
        elif word[0] == "member":
            values[-1] = _field(values[-1], word[1])
        else:
            variable, _, path = word[1].partition(".")
            if variable not in scope:
                raise TemplateError(f"no variable {variable}")
            values.append(_field(scope[variable], f".{path}" if path else "."))
    return values


def _field(value: Any, path: str) -> Any:
    for name in path.split(".")[1:] if path != "." else ():
        if not isinstance(value, Mapping) or name not in value:
            raise TemplateError(f"no field {path}")
        value = value[name]
    return value


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key, "")
        elif value in (None, "", ()):
            return ""
        else:
            value = value[key]
    return value


def _json(value: Any) -> str:
    return json.dumps(value, default=str, separators=(",", ":"), ensure_ascii=False)


def _printf(form: str, values: Iterator[Any]) -> str:
    """Return a text of Go's verbs, which are Python's and %v, %q, %t."""

    def write(found: re.Match[str]) -> str:
        if found[2] == "%":
            return "%"
        value = next(values, "%!" + found[2] + "(MISSING)")
        if found[2] == "q":
            return str(f"%{found[1]}s" % json.dumps(value if isinstance(value, str) else _plain(value)))
        if found[2] in "vst":
            return str(f"%{found[1].lstrip('+#')}s" % _plain(value))
        return str(f"%{found[1]}{found[2]}" % value)

    return re.sub(r"%([-+# 0]*\d*(?:\.\d+)?)([a-zA-Z%])", write, form)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "json": _json,
    "index": _index,
    "len": lambda value: len(value or ()),
    "lower": lambda value: _plain(value).lower(),
    "upper": lambda value: _plain(value).upper(),
    "title": lambda value: _plain(value).title(),
    "join": lambda value, by: by.join(map(_plain, value or ())),
    "split": lambda value, by: _plain(value).split(by),
    "truncate": lambda value, width: _plain(value)[:width],
    "print": lambda *values: "".join(map(_plain, values)),
    "println": lambda *values: " ".join(map(_plain, values)) + "\n",
    "printf": lambda form, *values: _printf(form, iter(values)),
    "slice": lambda value, *ends: value[slice(*(ends if len(ends) > 1 else (*ends, None)))],
    "eq": lambda one, *others: one in others,
    "ne": lambda one, other: one != other,
    "lt": lambda one, other: one < other,
    "le": lambda one, other: one <= other,
    "gt": lambda one, other: one > other,
    "ge": lambda one, other: one >= other,
    "not": lambda value: not value,
    "and": lambda *values: next((value for value in values if not value), values[-1]),
    "or": lambda *values: next((value for value in values if value), values[-1]),
}  # fmt: skip


def _plain(value: Any) -> str:
    """Return a value as Go prints it."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "<no value>"
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{key}:{_plain(each)}" for key, each in sorted(value.items())) + "]"
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(map(_plain, value)) + "]"
    return str(value)
