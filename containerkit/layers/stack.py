"""LayerStack: the layers of one image, wherever its contents are read from."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, overload

import msgspec

from ..errors import InvalidOption
from ..oci.archive import open_image
from ..oci.config import History, ImageConfig, Mapped, map_history
from ..oci.digest import chain_ids, sha256, sha256_of
from ..oci.dockerfile import dockerfile, instruction
from ..oci.layer import FileEntry
from ..oci.problems import Limits
from ..oci.tree import Diff, Tree, compare, stack
from ..options import parse_platform
from ..values import Shown, ValueTuple
from .contents import Contents, Reader, Sizes, Verification
from .readers import BlobReader

if TYPE_CHECKING:
    from ..display import LayerDrawing, Table
    from .comparing import FileDiff, LayerChange
    from .configs import ConfigChange
    from .packages import Packages
    from .rules import RuleResult
    from .waste import Waste

__all__ = ["Layer", "LayerStack", "build_stack", "open_archive"]


@dataclass(frozen=True, slots=True)
class Layer(Shown):
    """One layer of an image.

    Attributes:
        index: 0 is the base.
        diff_id: digest of its uncompressed tar.
        chain_id: digest of it and everything below; layers are shared on disk if this is equal.
        created_by: the instruction that made it; None if no history entry can be assigned to it.
        mapping: ``exact`` if the image states which history entry made it, ``inferred`` if that was concluded.
        history_index: index in ``LayerStack.history``, or None.
    """

    index: int
    diff_id: str
    chain_id: str
    created_by: str | None
    mapping: Mapped
    history_index: int | None = field(default=None, repr=False)
    _contents: Contents | None = field(default=None, repr=False, compare=False)

    @property
    def shared_with(self) -> tuple[str, ...]:
        """Names (else IDs) of the engine's other images that have this chain_id now; () for an archive.

        The first access requests all images of the engine.
        """
        return () if self._contents is None else self._contents.others(self.chain_id)

    @property
    def sizes(self) -> Sizes:
        """Sizes of the layer; its headers are read if no cheaper source has them."""
        return Sizes() if self._contents is None else self._contents.sizes(self.index)

    def files(self) -> tuple[FileEntry, ...]:
        """Return what the layer adds, replaces and (as whiteouts) removes, in the order of its tar.

        Raises:
            InvalidImage: it cannot be read completely, or violates the image-spec; with every violation.
        """
        return ValueTuple() if self._contents is None else ValueTuple(self._contents.entries(self.index))

    def extract(self, path: str, dst: str | os.PathLike[str]) -> Path:
        """Write a file or folder that this layer itself holds; whiteouts make no file. See LayerStack.extract."""
        from .extraction import extract_path

        tree = stack([self.files()], [self.index])
        return extract_path(tree, self._contents, path, dst, f"layer {self.index}")

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as JSON-ready types."""
        return {
            "index": self.index,
            "diff_id": self.diff_id,
            "chain_id": self.chain_id,
            "created_by": self.created_by,
            "mapping": self.mapping,
            "history_index": self.history_index,
            "shared_with": list(self.shared_with),
            "sizes": self.sizes.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class LayerStack(Sequence[Layer]):
    """The layers of one image, base first; a sequence of Layer.

    Attributes:
        ref: the name or path by which it was requested.
        image_id: the engine's image ID; for an archive the config's digest.
        config_digest: digest of the config's bytes; None if only the engine's summary is available.
        history: every entry, including those that made no layer.
        config: the image's config, if available.
    """

    ref: str
    image_id: str
    config_digest: str | None
    layers: tuple[Layer, ...]
    history: tuple[History, ...] = field(repr=False)
    config: ImageConfig | None = field(default=None, repr=False, compare=False)
    _contents: Contents | None = field(default=None, repr=False, compare=False)

    @overload
    def __getitem__(self, index: int) -> Layer: ...
    @overload
    def __getitem__(self, index: slice) -> ValueTuple[Layer]: ...
    def __getitem__(self, index: int | slice) -> Layer | ValueTuple[Layer]:
        return ValueTuple(self.layers[index]) if isinstance(index, slice) else self.layers[index]

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __repr__(self) -> str:
        return f"<LayerStack {self.ref} {self.image_id[:19]} {len(self.layers)} layers>"

    def table(self) -> Table:
        """Return one row per layer, base first.

        Raises:
            InvalidImage: the sizes must be read from a layer that cannot be read.
        """
        from ..display import Table, bytes_cell

        rows = [
            (layer.index, self._written(layer), layer.diff_id[:19], bytes_cell(layer.sizes.content))
            for layer in self.layers
        ]
        return Table(f"Layers of {self.ref}", ("layer", "instruction", "diff_id", "file bytes"), rows)

    def picture(self, *, container: bool = True) -> LayerDrawing:
        """Return the layers as a stack of sheets; with a container's read-write layer on top, unless it is False.

        Raises:
            InvalidImage: the sizes must be read from a layer that cannot be read.
        """
        from ..display import LayerDrawing, Sheet

        sheets = [Sheet(self._written(layer), layer.sizes.content) for layer in self.layers]
        sheets += [Sheet("a container's own layer", writable=True)] if container else []
        return LayerDrawing(f"Layers of {self.ref}", sheets)

    @staticmethod
    def _written(layer: Layer) -> str:
        """Return a layer's instruction as one would write it."""
        text = " ".join((instruction(layer.created_by or "")[0] or layer.created_by or "unknown").split())
        return re.sub(
            r"\b((?:file|dir|multi):[0-9a-f]{12})[0-9a-f]{52}\b", r"\1", text
        )  # the classic builder's sources

    def to_page(self) -> str:
        """Return a complete HTML page on which layers, files, sizes and waste are browsed. It needs no network.

        Raises:
            InvalidImage: a layer cannot be read.
        """
        from ..display import explorer_page
        from .browsing import browsing_data

        return explorer_page(
            browsing_data(
                self.ref,
                [self._written(layer) for layer in self.layers],
                [layer.sizes for layer in self.layers],
                [self.diff(layer.index) for layer in self.layers],
                self.waste(),
            )
        )

    def _repr_html_(self) -> str:
        return self.picture().to_html() + self.table().to_html()

    @property
    def sizes(self) -> Sizes:
        """Sums over all layers; None if any of them is unknown."""
        return Sizes.total(layer.sizes for layer in self.layers)

    @property
    def reader(self) -> str:
        """Source of the contents: "archive", "tar-split", "content store" or "save stream"."""
        return "none" if self._contents is None else self._contents.reader.name

    def files(self) -> tuple[FileEntry, ...]:
        """Return what a container of the image sees, in path order: whiteouts applied, hard links as files."""
        return self.tree().files()

    def tree(self, at: int | None = None) -> Tree:
        """Return the merged tree of the layers up to and including index ``at``.

        Args:
            at: index of a layer, negative from the top; None for all layers.

        Raises:
            IndexError: no such layer.
            InvalidOption: `at` is not an index.
            InvalidImage: a layer cannot be read.
        """
        count = len(self.layers)
        if at is not None and (not isinstance(at, int) or isinstance(at, bool)):
            raise InvalidOption("at", at, "the index of a layer, or None for all")
        if at is not None and not -count <= at < count:
            raise IndexError(f"layer {at} of {count}")
        height = count if at is None else at % count + 1
        return stack([layer.files() for layer in self.layers[:height]])

    def read_file(self, path: str, *, at: int | None = None) -> bytes:
        """Return the content of a file as a container of the image sees it, without a container.

        Symlinks are followed inside the image. The file is read into memory. If the store cannot be read, the image
        is copied to a temporary file once.

        Args:
            path: the file, such as "/etc/os-release".
            at: read the tree of the layers up to this one; None for all layers.

        Raises:
            InvalidOption: the tree has no regular file at this path.
            InvalidImage: a layer, or the file, cannot be read.
        """
        layer, entry = self._origin(path, at)
        if entry.type != "file":
            raise InvalidOption("path", path, f"a regular file of {self.ref}, and not a {entry.type}")
        if not entry.size:
            return b""
        assert self._contents is not None
        return self._contents.file_bytes(layer, entry)

    def extract(self, path: str, dst: str | os.PathLike[str], *, at: int | None = None) -> Path:
        """Write a file or folder of the image, placed as `docker cp` places it, without a container.

        Nothing is written through a symbolic link below `dst`, whether the image or an earlier copy made it. Owners,
        extended attributes and setuid are not kept.

        Args:
            path: the path, such as "/etc". Symlinks on the way to it are followed inside the image; "folder/." means
                the folder's content, and "/" the whole tree.
            dst: local path; an existing folder receives the copy under its own name.
            at: the tree of the layers up to this one; None for all layers.

        Returns:
            The path of the copy.

        Raises:
            InvalidOption: the tree has no such path.
            InvalidImage: a layer or file cannot be read, or one is a device, which cannot be made here.
            FileNotFoundError: the folder to copy into does not exist.
        """
        from .extraction import extract_path

        return extract_path(self.tree(at), self._contents, path, dst, self.ref)

    def blame(self, path: str, *, at: int | None = None) -> Layer:
        """Return the layer that last wrote a file or folder; its `created_by` is the instruction.

        Symlinks are followed inside the image.

        Raises:
            InvalidOption: the tree has no such path.
            InvalidImage: a layer cannot be read.
        """
        return self.layers[self._origin(path, at)[0]]

    def _origin(self, path: str, at: int | None) -> tuple[int, FileEntry]:
        if not isinstance(path, str):
            raise InvalidOption("path", path, "a path in the image")
        try:
            return self.tree(at).origin(path)
        except KeyError:
            raise InvalidOption("path", path, f"a path that exists in {self.ref}") from None

    def diff(self, index: int) -> FileDiff:
        """Return what layer ``index`` adds, modifies and removes in the tree below it."""
        if not isinstance(index, int) or isinstance(index, bool):
            raise InvalidOption("index", index, "the index of a layer")
        number = range(len(self.layers))[index]
        below = stack([layer.files() for layer in self.layers[:number]])
        ids = None if self._contents is None else self._contents.content_ids
        return _shown(compare(below, self.tree(number), ids))

    def compare(self, other: LayerStack, *, times: bool = True) -> FileDiff:
        """Return what differs in the files of another image, seen from this image.

        Either image may be of an engine, an archive or a registry. Contents of files in layers that are not shared are
        compared by what both images state of them: SHA-256, or the CRC-64 of two stores with tar-split records. Of
        files for which they state different ones, the bytes are read and hashed.

        Args:
            other: the image to compare with; what only it has is `added`.
            times: False ignores modification times, as for reproducible builds.

        Raises:
            InvalidImage: a layer cannot be read.

        Example::

            old, new = open_archive("old.tar"), open_archive("new.tar")
            print([change.path for change in old.compare(new).added])
        """
        if not isinstance(other, LayerStack):
            raise InvalidOption("other", other, "a LayerStack")
        own, count = [layer.chain_id for layer in self.layers], len(self.layers)
        theirs = [layer.chain_id for layer in other.layers]
        shared = next((n for n, pair in enumerate(zip(own, theirs, strict=False)) if pair[0] != pair[1]), None)
        shared = min(count, len(theirs)) if shared is None else shared
        # Layers that are not shared get numbers of their own, so that each entry leads to the image it is from.
        numbers = [n if n < shared else n + count for n in range(len(theirs))]

        def content_ids(layer: int, paths: Collection[str]) -> Mapping[str, str]:
            contents, number = (self._contents, layer) if layer < count else (other._contents, layer - count)
            return {} if contents is None else contents.content_ids(number, paths)

        def digests(layer: int, paths: Collection[str]) -> Mapping[str, str]:
            contents, number = (self._contents, layer) if layer < count else (other._contents, layer - count)
            if contents is None:
                return {}
            files = {one.path: one for one in contents.entries(number) if one.type == "file" and one.path in paths}
            whole = [one for one in files.values() if one.stored == one.size]  # no tar holds the holes of the others
            return {path: sha256_of(chunks)[0] for path, chunks in contents.files_data(number, whole)}

        before = stack([_entries(layer, times) for layer in self.layers])
        after = stack([_entries(layer, times) for layer in other.layers], numbers)
        return _shown(compare(before, after, content_ids, digests))

    def compare_layers(self, other: LayerStack) -> tuple[LayerChange, ...]:
        """Return the layers of both images: shared, of the same content on other layers, removed and added.

        Raises:
            InvalidImage: the sizes must be read from a layer that cannot be read.
        """
        from .comparing import compare_layers

        if not isinstance(other, LayerStack):
            raise InvalidOption("other", other, "a LayerStack")
        return ValueTuple(compare_layers(self.layers, other.layers))

    def compare_config(self, other: LayerStack) -> tuple[ConfigChange, ...]:
        """Return the settings in which another image differs: environment, command, user, labels, ports, platform.

        Raises:
            InvalidOption: the configuration of one of them cannot be read, since the engine's store cannot be read.
        """
        from .configs import compare_configs

        if not isinstance(other, LayerStack):
            raise InvalidOption("other", other, "a LayerStack")
        for stack_ in (self, other):
            if stack_.config is None:
                raise InvalidOption("other", stack_.ref, "an image of an archive, or of a store that can be read")
        assert self.config is not None
        assert other.config is not None
        return compare_configs(self.config, other.config)

    def dockerfile(self) -> str:
        """Return the instructions of the history as the text of a Dockerfile; what is unknown is a comment in it."""
        return dockerfile(self.history)

    def verify(self) -> Verification:
        """Check the image's bytes against all its digests and sizes, and every entry of every layer.

        Raises:
            InvalidImage: with all violations at once.
        """
        if self._contents is None:
            return Verification((), ("contents",))
        return self._contents.verify()

    def waste(self) -> Waste:
        """Return every byte that the image carries and no container sees, with its cause."""
        from .waste import find_waste

        return find_waste(
            [layer.files() for layer in self.layers],
            [layer.created_by for layer in self.layers],
            None if self._contents is None else self._contents.content_ids,
        )

    def packages(self) -> Packages:
        """Return which layer installed, replaced or removed which packages of dpkg, apk, rpm and Python.

        Raises:
            InvalidImage: a layer or a database cannot be read.
        """
        from .packages import find_packages

        contents = self._contents
        return find_packages(
            [layer.files() for layer in self.layers],
            [layer.created_by for layer in self.layers],
            contents.files_data if contents is not None else lambda index, entries: iter(()),
        )

    def cyclonedx(self) -> str:
        """Return the installed packages as a software bill of materials: JSON of CycloneDX 1.6, with package URLs.

        Properties of each component name the layer that installed it. Needs the extra `containerkit[sbom]`.

        Raises:
            Unsupported: cyclonedx-python-lib is not installed.
            InvalidImage: a layer or a database cannot be read.

        Example::

            Path("image.cdx.json").write_text(stack.cyclonedx())
        """
        from .bom import OS_RELEASE, cyclonedx, os_release

        release: Mapping[str, str] = {}
        for path in OS_RELEASE:
            with contextlib.suppress(InvalidOption):  # an image without that file
                release = release or os_release(self.read_file(path).decode("utf-8", "replace"))
        diff_ids = [layer.diff_id for layer in self.layers]
        digest = self.config_digest
        return cyclonedx(self.packages(), ref=self.ref, digest=digest, diff_ids=diff_ids, release=release)

    def judge(self, rules: str) -> tuple[RuleResult, ...]:
        """Judge the image by the rules of dive, with dive's own figures and its defaults for rules that are not stated.

        Args:
            rules: content of a `.dive-ci` file.

        Raises:
            InvalidOption: a line is no rule, or its value no limit.
            InvalidImage: a layer cannot be read.

        Example::

            failed = [one for one in stack.judge(Path(".dive-ci").read_text()) if one.status == "fail"]
        """
        from .rules import judge_waste

        if not isinstance(rules, str):
            raise InvalidOption("rules", rules, "the text of a .dive-ci file")
        user_bytes = sum(entry.size for layer in self.layers[1:] for entry in layer.files() if entry.type == "file")
        return judge_waste(rules, self.waste(), user_bytes)

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes and the ``sizes`` of the whole as JSON-ready types."""
        return {
            "ref": self.ref,
            "image_id": self.image_id,
            "config_digest": self.config_digest,
            "layers": [layer.to_dict() for layer in self.layers],
            "history": [line.to_dict() for line in self.history],
            "sizes": self.sizes.to_dict(),
        }


def build_stack(
    ref: str,
    *,
    diff_ids: Sequence[str],
    history: Sequence[History],
    image_id: str,
    config_digest: str | None = None,
    config: ImageConfig | None = None,
    reader: Callable[[], Reader] | None = None,
    still_there: Callable[[], object] | None = None,
    others: Callable[[], Mapping[str, tuple[str, ...]]] | None = None,
) -> LayerStack:
    """Build a stack from what an engine or an archive states; contents are read on first use.

    Args:
        history: oldest first; missing flags are inferred, and the mapping is marked so.
        reader: function that returns the reader, or None if there is nothing to read.
        still_there: function that raises if the image was removed; called when reading fails.
        others: function that returns chain ID -> the other images that have it.
    """
    contents = Contents(reader, still_there=still_there, others=others) if reader is not None else None
    mapping, lines = map_history(history, len(diff_ids))
    layers = tuple(
        Layer(
            index=index,
            diff_id=diff_id,
            chain_id=chain_id,
            created_by=_instruction(history, lines[index]),
            mapping=mapping,
            history_index=lines[index],
            _contents=contents,
        )
        for index, (diff_id, chain_id) in enumerate(zip(diff_ids, chain_ids(diff_ids), strict=True))
    )
    return LayerStack(ref, image_id, config_digest, layers, tuple(history), config, contents)


def _shown(diff: Diff) -> FileDiff:
    from .comparing import FileDiff

    return FileDiff(diff.added, diff.modified, diff.removed)


def _entries(layer: Layer, times: bool) -> Sequence[FileEntry]:
    """Return the entries of a layer; with time 0 if `times` is False."""
    return layer.files() if times else [msgspec.structs.replace(entry, mtime=0) for entry in layer.files()]


def _instruction(history: Sequence[History], line: int | None) -> str | None:
    return None if line is None else history[line].created_by


def _place(path: str | os.PathLike[str] | BinaryIO) -> str:
    return os.fspath(path) if isinstance(path, (str, os.PathLike)) else str(getattr(path, "name", "stream"))


def open_archive(
    path: str | os.PathLike[str] | BinaryIO,
    *,
    ref: str | None = None,
    platform: str | None = None,
    limits: Limits | None = None,
) -> LayerStack:
    """Open an image archive and return its layers. Needs no engine; nothing is unpacked.

    Args:
        path: a docker-archive or OCI layout, as a tar, a compressed tar (gzip, zstd, xz, bzip2), a folder (also of
            skopeo's `dir:`), or a file open for reading bytes, such as a pipe, which is copied to a temporary file.
            The tar of a file system, as `docker export` writes it, is one layer, and the image's ID its diff_id.
        ref: name or config digest of the image, if the archive holds several.
        platform: such as "linux/arm64", if an OCI layout holds the image for several; None for this machine's.
        limits: what is refused from untrusted bytes.

    Raises:
        InvalidImage: the path holds no image, or parts are missing or out of bounds; with every violation.
        InvalidOption: the archive holds several images, or none of that name or platform.
        OSError: the path cannot be read.
    """
    if ref is not None and not isinstance(ref, str):
        raise InvalidOption("ref", ref, "an image's name in the archive, or None")
    if not isinstance(path, (str, os.PathLike)) and not callable(getattr(path, "read", None)):
        raise InvalidOption("path", path, "a path, or a file that is open for reading bytes")
    if limits is not None and not isinstance(limits, Limits):
        raise InvalidOption("limits", limits, "Limits, or None for the default")
    wanted = None if platform is None else parse_platform("platform", platform)
    image = open_image(path, ref=ref, limits=limits, platform=wanted, file_systems=True)
    if not image.raw_config:
        diff_ids = image.config.diff_ids
        return build_stack(
            _place(path),
            diff_ids=diff_ids,
            history=(),
            image_id=diff_ids[0],
            reader=lambda: BlobReader("archive", image.layers, diff_ids=diff_ids, limits=limits),
        )
    digest = sha256(image.raw_config)
    return build_stack(
        ref or (image.refs[0] if image.refs else _place(path)),
        diff_ids=image.config.diff_ids,
        history=image.config.history,
        image_id=digest,
        config_digest=digest,
        config=image.config,
        reader=lambda: BlobReader("archive", image.layers, image=image, limits=limits),
    )
