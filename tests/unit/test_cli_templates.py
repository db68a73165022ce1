"""--format, and the management forms of commands."""

from __future__ import annotations

import click
import pytest

from containerkit.cli import app
from containerkit.cli.templates import fill

VALUE = {"Name": "web", "State": {"Running": True, "Status": "running"}, "Cmd": ["a", "b"], "Labels": {"k": "v"}}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.Name}}", "web"),
        ("{{ .State.Status }}: {{.State.Running}}", "running: true"),
        ("{{json .Cmd}}", '["a","b"]'),
        ("{{.Cmd}}", "[a b]"),
        ("{{.Labels}}", "map[k:v]"),
        ('{{index .Labels "k"}}', "v"),
        ("{{index .Cmd 1}}", "b"),
        ("{{len .Cmd}}", "2"),
        ("{{upper .Name}}\\t{{.Labels.k}}", "WEB\tv"),
        ("plain", "plain"),
    ],
)
def test_templates_are_filled_as_go_fills_them(template: str, text: str) -> None:
    """Fields, json, index, len, lower, upper."""
    assert fill(template, VALUE) == text


@pytest.mark.parametrize("template", ["{{.Nonsense}}", "{{.Name", "{{range .Cmd}}{{.}}{{end}}", "{{.Name | x}}"])
def test_what_is_not_supported_is_an_error(template: str) -> None:
    """The message lists what is."""
    with pytest.raises(click.BadParameter, match="--json"):
        fill(template, VALUE)


@pytest.mark.parametrize(("group", "word", "short"), [("container", "ls", "ps"), ("image", "rm", "rmi")])
def test_management_forms_are_the_short_forms(group: str, word: str, short: str) -> None:
    """One command under two names."""
    commands = app.commands[group]
    assert isinstance(commands, click.Group)
    assert commands.commands[word] is app.commands[short]
