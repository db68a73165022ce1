"""The terminal program that browses an image: its layers, and the tree of files with each layer's changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import DataTable, Footer, Input, Static, Tree
from textual.widgets.tree import TreeNode

from .output import cell

if TYPE_CHECKING:
    from containerkit import LayerStack

__all__ = ["Explorer"]

_COLOURS = {"added": "green", "modified": "yellow", "removed": "red"}
_SIGNS = {"added": "+", "modified": "~", "removed": "-", "": " "}


@dataclass
class _Node:
    """A file or folder with the sum of what is below it."""

    name: str
    size: int = 0
    change: str = ""
    detail: str = ""
    children: dict[str, _Node] = field(default_factory=dict)

    def sorted(self, by_size: bool) -> list[_Node]:
        """Return the children, largest or first by name first."""
        return sorted(self.children.values(), key=lambda one: (-one.size if by_size else 0, one.name))


class Explorer(App[None]):
    """Browse the layers of one image.

    Args:
        stack: the image.
    """

    TITLE = "containerkit explore"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #left { width: 2fr; border-right: solid $primary; }
    #right { width: 3fr; }
    #layers { height: 1fr; }
    #facts { height: auto; padding: 0 1; border-top: solid $primary; }
    #filter { display: none; }
    #filter.shown { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "quit"),
        Binding("ctrl+c", "quit", "quit", show=False, priority=True),
        Binding("tab", "focus_next", "other side", priority=True),  # else the screen's own hides it at the bottom
        Binding("c", "only_changes", "only changes"),
        Binding("s", "sort", "size/name"),
        Binding("slash,ctrl+f", "filter", "filter"),
        Binding("escape", "no_filter", "no filter", show=False),
    ]

    def __init__(self, stack: LayerStack) -> None:
        super().__init__()
        self.stack = stack
        self.selected = len(stack) - 1
        self.only_changes = False
        self.by_size = True
        self.wanted = ""
        self._waste = stack.waste()

    def compose(self) -> ComposeResult:
        """Lay out layers and facts at the left, files at the right."""
        with Horizontal():
            with Vertical(id="left"):
                yield DataTable(id="layers", cursor_type="row")
                yield Static(id="facts")
            with Vertical(id="right"):
                yield Input(id="filter", placeholder="part of a path; Enter applies, Escape ends")
                yield Tree("/", id="files")
        yield Footer()

    def on_mount(self) -> None:
        """Fill the table of layers."""
        layers = self.query_one("#layers", DataTable)
        layers.add_columns("#", "size", "instruction")
        for layer in self.stack:
            instruction = " ".join((layer.created_by or "unknown").split())  # a row is one line high
            layers.add_row(str(layer.index), cell("bytes", layer.sizes.content).text, Text(_shown(instruction)))
        if len(self.stack):
            layers.move_cursor(row=self.selected)
        layers.focus()
        self.show_files()

    # ---------------------------------------------------------------- the tree
    def _entries(self) -> Iterator[tuple[str, str, int, str]]:
        """Yield (path, change, size, detail) of the tree of the selected layer, removed files too."""
        diff = self.stack.diff(self.selected)
        changes = {change.path: change.kind for change in diff}
        tree = self.stack.tree(self.selected)
        for path, entry in tree.items():
            link = f" -> {entry.link_target}" if entry.link_target else ""
            size = entry.size if entry.type == "file" else 0
            yield path, changes.get(path, ""), size, f"{entry.mode:04o} {entry.uid}:{entry.gid}{link}"
        for change in diff.removed:
            yield change.path, "removed", 0, ""

    def _root(self) -> _Node:
        root = _Node("/")
        for path, change, size, detail in self._entries():
            if (self.only_changes and not change) or self.wanted.lower() not in path.lower():
                continue
            node = root
            node.size += size
            for part in path.strip("/").split("/"):
                node = node.children.setdefault(part, _Node(part))
                node.size += size
            node.change, node.detail = change, detail
        return root

    def show_files(self) -> None:
        """Build the tree of files again."""
        files: Tree[_Node] = self.query_one("#files", Tree)
        root = self._root() if len(self.stack) else _Node("/")
        files.clear()
        files.root.data = root
        files.root.set_label(_label(root))
        self._fill(files.root, root, deep=bool(self.wanted))
        files.root.expand()
        waste = self._waste
        self.query_one("#facts", Static).update(
            Text(
                f"{_shown(self.stack.ref)}\n{cell('bytes', waste.total_bytes).text} in files, "
                f"{cell('bytes', waste.visible_bytes).text} seen, {cell('bytes', waste.wasted_bytes).text} wasted, "
                f"{waste.efficiency:.1%} efficient\n"
                + (f"layer {self.selected} of {len(self.stack) - 1}; " if len(self.stack) else "no layers; ")
                + f"{'only changes' if self.only_changes else 'all files'}; by {'size' if self.by_size else 'name'}"
                + (f"; filter {self.wanted!r}" if self.wanted else "")
            )
        )

    def _fill(self, node: TreeNode[_Node], folder: _Node, *, deep: bool = False) -> None:
        for child in folder.sorted(self.by_size):
            if child.children:
                inner = node.add(_label(child), data=child, expand=deep)
                if deep:
                    self._fill(inner, child, deep=True)
            else:
                node.add_leaf(_label(child), data=child)

    def on_tree_node_expanded(self, event: Tree.NodeExpanded[_Node]) -> None:
        """Fill a folder when it is opened."""
        if event.node.data is not None and not event.node.children:
            self._fill(event.node, event.node.data)

    # ---------------------------------------------------------------- keys
    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Show the files of the layer under the cursor."""
        if event.cursor_row != self.selected and 0 <= event.cursor_row < len(self.stack):
            self.selected = event.cursor_row
            self.show_files()

    def action_only_changes(self) -> None:
        """Show only what the layer changes, or everything."""
        self.only_changes = not self.only_changes
        self.show_files()

    def action_sort(self) -> None:
        """Sort by size, or by name."""
        self.by_size = not self.by_size
        self.show_files()

    def action_filter(self) -> None:
        """Ask for a part of a path."""
        field = self.query_one("#filter", Input)
        field.add_class("shown")
        field.focus()

    def action_no_filter(self) -> None:
        """Show all files again."""
        field = self.query_one("#filter", Input)
        field.value = self.wanted = ""
        field.remove_class("shown")
        self.query_one("#files", Tree).focus()
        self.show_files()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Apply the filter."""
        self.wanted = event.value
        self.query_one("#files", Tree).focus()
        self.show_files()


def _shown(text: str) -> str:
    """Return text of an image on one line, with its control characters as codes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _label(node: _Node) -> Text:
    name = node.name + ("/" if node.children and node.name != "/" else "")
    text = Text(f"{_SIGNS[node.change]} {cell('bytes', node.size).text:>9}  ", style=_COLOURS.get(node.change, ""))
    text.append(_shown(name), style=_COLOURS.get(node.change, ""))
    return text.append(f"  {_shown(node.detail)}" if node.detail else "", style="dim")
