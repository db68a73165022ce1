"""Fill in the commonest Go templates of --format: {{.Name}}, {{.State.Status}}, {{json .}}, {{index .Labels "key"}}."""

from __future__ import annotations

import json
import re
from typing import Any

import click

__all__ = ["fill"]

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_FIELD = r"\.(?:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)?"
_FORMS = re.compile(rf'(?:(json|len|lower|upper)\s+)?({_FIELD})|index\s+({_FIELD})\s+(?:"([^"]*)"|(\d+))')


def fill(template: str, value: Any) -> str:
    """Return the template with each action replaced by its value.

    Raises:
        click.BadParameter: an action of Go templates that is not supported, or a field that does not exist.
    """
    text = template.replace("\\t", "\t").replace("\\n", "\n")
    filled = _ACTION.sub(lambda found: _value(found[1], value), text)
    if "{{" in _ACTION.sub("", text):
        raise _wrong("a {{ without its }}")
    return filled


def _wrong(what: str) -> click.BadParameter:
    known = '{{.Field}}, {{json .Field}}, {{len .Field}}, {{lower .Field}}, {{upper .Field}}, {{index .Field "key"}}'
    return click.BadParameter(f"{what}; known are {known}; --json prints everything", param_hint="--format")


def _value(action: str, value: Any) -> str:
    form = _FORMS.fullmatch(action)
    if form is None:
        raise _wrong(f"{{{{{action}}}}} is not supported")
    function, field, indexed, key, place = form.groups()
    found = _field(value, field or indexed)
    if indexed:
        try:
            found = found[key if key is not None else int(place)]
        except (KeyError, IndexError, TypeError):
            found = ""
    if function == "json":
        return json.dumps(found, default=str, separators=(",", ":"), ensure_ascii=False)
    if function == "len":
        return str(len(found or ()))
    shown = _plain(found)
    return shown.lower() if function == "lower" else shown.upper() if function == "upper" else shown


def _field(value: Any, path: str) -> Any:
    for name in path.split(".")[1:] if path != "." else ():
        if not isinstance(value, dict) or name not in value:
            raise _wrong(f"no field {path}")
        value = value[name]
    return value


def _plain(value: Any) -> str:
    """Return a value as Go prints it."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "<no value>"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_plain(each)}" for key, each in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_plain, value)) + "]"
    return str(value)
