"""Rules for CI: limits from a project's settings, and verdicts as messages, annotations and JUnit files."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

if TYPE_CHECKING:
    from containerkit import RuleResult

__all__ = ["RuleCommand", "enforce", "write_junit"]

#: Command -> the options that a project's settings may hold.
_RULES = {
    "waste": {"max_bytes", "max_percent", "min_efficiency", "ignore"},
    "layers": {"max_size", "max_layers"},
}


class RuleCommand(click.Command):
    """A command whose limits may stand in `.containerkit.toml` or in `[tool.containerkit]` of `pyproject.toml` here."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Make the context, with the settings as defaults of the options."""
        extra["default_map"] = _settings(str(self.name))
        return super().make_context(info_name, args, parent, **extra)


def _settings(command: str) -> dict[str, Any]:
    own = Path(".containerkit.toml")
    file = own if own.is_file() else Path("pyproject.toml")
    document = _toml(file) if file.is_file() else {}
    if file is not own:
        document = document.get("tool", {}).get("containerkit", {})
    for section, values in document.items():
        if section not in _RULES or not isinstance(values, dict):
            raise click.UsageError(f"{file}: [{section}] is none of {', '.join(f'[{name}]' for name in _RULES)}")
        for name in values:
            if name.replace("-", "_") not in _RULES[section]:
                known = ", ".join(sorted(name.replace("_", "-") for name in _RULES[section]))
                raise click.UsageError(f"{file}: {name!r} in [{section}] is none of {known}")
    return {name.replace("-", "_"): value for name, value in document.get(command, {}).items()}


def _toml(file: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise click.UsageError(f"{file}: {exc}") from exc


def enforce(command: str, ref: str, verdicts: Sequence[RuleResult]) -> None:
    """Exit with 1 and a message if a rule is broken. Under GitHub Actions each broken rule is an annotation, too."""
    broken = [one for one in verdicts if one.status == "fail"]
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for one in broken:
            title = _escaped(f"containerkit {command}: {one.rule}").replace(":", "%3A").replace(",", "%2C")
            click.echo(f"::error title={title}::{_escaped(f'{ref}: {one.message}')}", err=True)
    if broken:
        raise click.ClickException(f"{ref}: " + "; ".join(f"{one.rule}: {one.message}" for one in broken))


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def write_junit(file: BinaryIO, ref: str, verdicts: Sequence[RuleResult]) -> None:
    """Write one test case per rule in JUnit's XML."""
    from xml.etree import ElementTree

    count = Counter(one.status for one in verdicts)
    facts = {"tests": str(len(verdicts)), "failures": str(count["fail"]), "skipped": str(count["skip"])}
    suite = ElementTree.Element("testsuite", {"name": ref, **facts})
    for one in verdicts:
        case = ElementTree.SubElement(suite, "testcase", {"classname": ref, "name": one.rule})
        if one.status != "pass":
            kind = "failure" if one.status == "fail" else "skipped"
            ElementTree.SubElement(case, kind, {"message": one.message})
    file.write(ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True))
