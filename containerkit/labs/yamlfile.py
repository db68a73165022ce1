"""YAML with line numbers: values, the line of each, and mistakes that name file and line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from ..errors import InvalidLab, Unsupported

__all__ = ["Item", "read_yaml"]


@dataclass(frozen=True, slots=True)
class Item:
    """A value of a YAML file, and where it stands.

    Attributes:
        value: plain.
        where: the keys that lead to it, as "topology.nodes.r1".
        path: the file. line: its line there.
    """

    value: Any
    where: str
    path: Path
    line: int
    inside: dict[Any, Item] = field(default_factory=dict, repr=False)

    def fail(self, text: str) -> NoReturn:
        """Raise InvalidLab for this value."""
        raise InvalidLab(f"{self.where}: {text}" if self.where else text, path=str(self.path), line=self.line)

    def get(self, key: Any) -> Item | None:
        """Return the value of a key; None if it is missing or null."""
        if not isinstance(self.value, dict):
            self.fail(f"expected keys and values, found {self.value!r}")
        found = self.inside.get(key)
        return None if found is None or found.value is None else found

    def items(self) -> Iterator[tuple[str, Item]]:
        """Yield keys and values of a mapping."""
        if not isinstance(self.value, dict):
            self.fail(f"expected keys and values, found {self.value!r}")
        for key, item in self.inside.items():
            yield str(key), item

    def each(self) -> Iterator[Item]:
        """Yield the values of a list."""
        if not isinstance(self.value, list):
            self.fail(f"expected a list, found {self.value!r}")
        yield from self.inside.values()

    def text(self) -> str:
        """Return a word or a number as text."""
        if isinstance(self.value, bool) or not isinstance(self.value, (str, int, float)):
            self.fail(f"expected text, found {self.value!r}")
        return str(self.value)

    def texts(self) -> list[str]:
        """Return a list of texts."""
        return [item.text() for item in self.each()]

    def pairs(self) -> dict[str, str]:
        """Return a mapping, or a list of NAME=VALUE, as a mapping of texts."""
        if isinstance(self.value, list):
            return {text.partition("=")[0]: text.partition("=")[2] for text in self.texts()}
        return {key: "" if item.value is None else _plain(item) for key, item in self.items()}

    def only(self, known: Iterable[str], reasons: dict[str, str]) -> None:
        """Raise InvalidLab for the first key that is not known, with its reason if there is one."""
        for key, item in self.items():
            if key not in known and not key.startswith("x-"):
                item.fail(f"not supported{': ' + reasons[key] if key in reasons else ''}")


def _plain(item: Item) -> str:
    return str(item.value).lower() if isinstance(item.value, bool) else item.text()


def read_yaml(path: Path) -> Item:
    """Return the content of a YAML file.

    Raises:
        InvalidLab: it is no YAML, with its line.
        Unsupported: PyYAML is not installed.
    """
    try:
        import yaml  # type: ignore[import-untyped, unused-ignore]
    except ImportError as exc:
        raise Unsupported("reading YAML needs PyYAML: pip install containerkit[labs]") from exc
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        mark = getattr(exc, "problem_mark", None)
        line = mark.line + 1 if mark else None
        raise InvalidLab(f"no YAML: {getattr(exc, 'problem', exc)}", path=str(path), line=line) from exc

    def item(node: Any, where: str) -> Item:
        line = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            loader.flatten_mapping(node)
            pairs = [(loader.construct_object(key, deep=True), key, value) for key, value in node.value]
            # a mapping stands where its key stands
            found = {name: item(value, f"{where}.{name}".lstrip(".")) for name, _, value in pairs}
            for name, key, _ in pairs:
                found[name] = Item(
                    found[name].value, found[name].where, path, key.start_mark.line + 1, found[name].inside
                )
            return Item({name: each.value for name, each in found.items()}, where, path, line, found)
        if isinstance(node, yaml.SequenceNode):
            listed = {number: item(value, f"{where}[{number}]") for number, value in enumerate(node.value)}
            return Item([each.value for each in listed.values()], where, path, line, listed)
        return Item(loader.construct_object(node, deep=True), where, path, line)

    return Item({}, "", path, 1) if node is None else item(node, "")
