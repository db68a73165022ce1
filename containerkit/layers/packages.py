"""Packages per layer: which layer installed, replaced or removed which packages, and how many bytes it brought."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..oci.layer import FileEntry
from ..oci.packages import Installed, PackageKind, is_document, is_rpm, is_unread, parse_files, parse_packages
from ..oci.tree import Stack, Tree
from ..values import PrintedValue, ValueTuple

if TYPE_CHECKING:
    from ..display import Table

__all__ = ["LayerPackages", "Package", "Packages", "find_packages"]

_DOCUMENT_BYTES = 64 << 20
_RPM_BYTES = 256 << 20  # a desktop's
Data = Callable[[int, Sequence[FileEntry]], Iterator[tuple[str, Iterator[bytes]]]]
_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Package(PrintedValue):
    """One installed package.

    Attributes:
        kind: "deb", "apk", "rpm" or "python".
        arch: its architecture; "" for Python.
        bytes: Σ size of the package's files that the layer holds; None if the image does not list its files.
    """

    kind: PackageKind
    name: str
    version: str
    arch: str = ""
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class LayerPackages(PrintedValue):
    """Changes of one layer to the installed packages. A package of another version is in `added` and in `removed`.

    Attributes:
        index: 0 is the base.
        created_by: the instruction that made the layer, if it is known.
        bytes: Σ of the added packages whose files are known.
    """

    index: int
    created_by: str | None
    added: tuple[Package, ...]
    removed: tuple[Package, ...]

    @property
    def bytes(self) -> int:
        """Σ size of the files of the added packages."""
        return sum(one.bytes or 0 for one in self.added)


@dataclass(frozen=True, slots=True)
class Packages(PrintedValue):
    """The packages of an image, layer by layer.

    Attributes:
        installed: the packages of the whole image.
        layers: base first, those without packages too.
        unread: databases that were not read: damaged, too large, or with a journal of changes beside them.
    """

    installed: tuple[Package, ...]
    layers: tuple[LayerPackages, ...]
    unread: tuple[str, ...] = field(default=())

    def table(self) -> Table:
        """Return one row per layer, base first."""
        from ..display import Table, bytes_cell

        rows = [
            (one.index, one.created_by or "unknown", len(one.added), len(one.removed), bytes_cell(one.bytes))
            for one in self.layers
        ]
        notes = [f"Not read: {path}." for path in self.unread]
        columns = ("layer", "instruction", "added", "removed", "bytes of the added")
        plural = "" if len(self.installed) == 1 else "s"
        return Table(f"{len(self.installed)} package{plural}", columns, rows, notes=notes)


def find_packages(layers: Sequence[Sequence[FileEntry]], instructions: Sequence[str | None], data: Data) -> Packages:
    """Return the packages of an image. See LayerStack.packages.

    Args:
        layers: the entries of each layer, base first.
        instructions: what made each layer.
        data: function that yields the contents of files of a layer.
    """
    stack = Stack()
    documents: dict[str, tuple[Installed, ...]] = {}
    files: dict[_Key, tuple[str, ...]] = {}
    before: dict[_Key, Package] = {}
    known: dict[_Key, Package] = {}
    found: list[LayerPackages] = []
    unread: dict[str, None] = {}
    for index, entries in enumerate(layers):
        stack.apply(entries, index)
        own = {entry.path: entry for entry in entries if entry.type == "file"}
        wanted = [entry for path, entry in own.items() if is_document(path)]
        unread.update(dict.fromkeys(path for path in own if is_unread(path) and own[path].size))
        unread.update(dict.fromkeys(entry.path for entry in wanted if not _fits(entry)))
        for path, raw in _read(data, index, [entry for entry in wanted if _fits(entry)]):
            try:
                documents[path] = parse_packages(path, raw) if raw else ()
            except ValueError:
                documents[path] = ()
                unread[path] = None
            if (listed := parse_files(path, raw)) is not None:
                files[listed[0]] = listed[1]
        documents = {path: value for path, value in documents.items() if value and stack.find(path) is not None}
        now = dict(_keyed(documents, files))
        added = [key for key, package in now.items() if before.get(key) != package]
        sizes = _Sizes(own, Tree(index + 1, 0, stack.root, 0))
        weighed = [replace(now[key], bytes=sizes.of(files.get(key))) for key in added]
        known.update(zip(added, weighed, strict=True))
        gone = [package for key, package in before.items() if now.get(key) != package]
        found.append(LayerPackages(index, instructions[index], ValueTuple(weighed), ValueTuple(gone)))
        before = now
    return Packages(ValueTuple(known[key] for key in before), ValueTuple(found), tuple(unread))


def _fits(entry: FileEntry) -> bool:
    return entry.size <= (_RPM_BYTES if is_rpm(entry.path) else _DOCUMENT_BYTES)


def _read(data: Data, index: int, entries: Sequence[FileEntry]) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content) of documents; of a path that comes twice in a layer the later one counts."""
    for entry in entries:
        if not entry.size:
            yield entry.path, b""
    full = [entry for entry in entries if entry.size]
    if full:
        for path, chunks in data(index, full):
            yield path, b"".join(chunks)


def _keyed(
    documents: Mapping[str, Iterable[Installed]], files: dict[_Key, tuple[str, ...]]
) -> Iterator[tuple[_Key, Package]]:
    """Yield each package with a key that is the same at every height; enter its files in `files`."""
    for path, installed in documents.items():
        for one in installed:
            key: _Key = (one.kind, one.name, one.arch)
            if one.kind == "rpm":  # it installs several versions of a package beside each other
                key = ("rpm", f"{one.name}-{one.version}", one.arch)
            if one.kind == "python":
                key = ("python", path.rpartition("/")[0], "")
            elif one.files:
                files[key] = one.files
            elif key not in files and (one.kind, one.name, "") in files:
                files[key] = files[one.kind, one.name, ""]
            yield key, Package(one.kind, one.name, one.version, one.arch)


class _Sizes:
    """Sizes of a layer's files by the paths that databases state, which may lead through symlinks such as /bin."""

    def __init__(self, own: Mapping[str, FileEntry], tree: Tree) -> None:
        self._own = own
        self._tree = tree
        self._folders: dict[str, str] = {}

    def of(self, paths: Iterable[str] | None) -> int | None:
        """Return Σ size of the files that the layer holds, each once; None if the paths are unknown."""
        if paths is None:
            return None
        real = {self._real(path) for path in paths}
        return sum(self._own[path].size for path in real if path in self._own)

    def _real(self, path: str) -> str:
        folder, _, name = path.rpartition("/")
        if folder not in self._folders:
            try:
                self._folders[folder] = self._tree.locate(folder)[0]
            except KeyError:
                self._folders[folder] = folder
        return f"{self._folders[folder]}/{name}"
