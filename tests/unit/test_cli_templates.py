"""--format, and the management forms of commands."""

from __future__ import annotations

import click
import pytest

from containerkit.cli import app
from containerkit.cli.templates import TemplateError, fill, titles

VALUE = {"Name": "web", "State": {"Running": True, "Status": "running"}, "Cmd": ["a", "b"], "Labels": {"k": "v"},
         "Ports": {}, "Binds": {"80/tcp": {"HostPort": "8080"}}, "Label": "the label {}".format}  # fmt: skip


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
        ("{{range .Cmd}}{{.}},{{end}}", "a,b,"),
        ("{{range $i, $v := .Cmd}}{{$i}}={{$v}} {{end}}", "0=a 1=b "),
        ("{{range $k, $v := .Labels}}{{$k}}{{$v}}{{else}}none{{end}}", "kv"),
        ("{{range .Ports}}x{{else}}none{{end}}", "none"),
        ("{{if .State.Running}}up{{else}}down{{end}}", "up"),
        ('{{if eq .Name "x"}}1{{else if eq .Name "web"}}2{{else}}3{{end}}', "2"),
        ("{{with .State}}{{.Status}}{{end}}", "running"),
        ('{{join .Cmd ","}} {{.Cmd | len}}', "a,b 2"),
        ('{{(index .Binds "80/tcp" | index).HostPort}}', "8080"),
        ('{{$n := .Name}}{{printf "%s-%d" $n 3}}', "web-3"),
        ('{{.Name | printf "%q %5d|%-4v|%t%% %s" "x" 7 "y" true}}', '"x"     7|y   |true% web'),
        ("{{slice .Name 1}}{{slice .Name 0 2}}", "ebwe"),
        ('{{.Label "k"}}', "the label k"),
        ("a  {{- .Name -}}  b", "awebb"),
        ("{{/* a remark */}}{{println .Name}}", "web\n"),
    ],
)
def test_templates_are_filled_as_go_fills_them(template: str, text: str) -> None:
    """Fields, json, index, len, lower, upper."""
    assert fill(template, VALUE) == text


@pytest.mark.parametrize(
    "template",
    ["{{.Nonsense}}", "{{.Name", "{{range .Cmd}}{{.}}", "{{.Name | x}}", "{{end}}", "{{(.Name}}", "{{%}}", "{{$x}}"],
)
def test_what_is_not_supported_is_an_error(template: str) -> None:
    """The message lists what is."""
    with pytest.raises(TemplateError, match="--json"):
        fill(template, VALUE)


def test_the_titles_of_a_table_are_those_of_its_fields() -> None:
    """A field without a title of its own is spelt in capitals."""
    assert titles("{{.ID}}\\t{{.RunningFor}}", {"ID": "CONTAINER ID"}) == "CONTAINER ID\tRUNNING FOR"


@pytest.mark.parametrize(("group", "word", "short"), [("container", "ls", "ps"), ("image", "rm", "rmi")])
def test_management_forms_are_the_short_forms(group: str, word: str, short: str) -> None:
    """One command under two names."""
    commands = app.commands[group]
    assert isinstance(commands, click.Group)
    assert commands.commands[word] is app.commands[short]
