"""An image as a stack of layers: what users hold, wherever its contents are read from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from containerkit.errors import InvalidOption
from containerkit.layers.contents import Contents, Reader, Sizes, Verification
from containerkit.layers.readers import BlobReader
from containerkit.oci.archive import open_image
from containerkit.oci.config import History, ImageConfig, Mapped, map_history
from containerkit.oci.digest import chain_ids, sha256
from containerkit.oci.layer import FileEntry
from containerkit.oci.problems import Limits
from containerkit.oci.tree import Diff, Tree, compare, stack

if TYPE_CHECKING:
    from ..display import Table
    from .waste import Waste

__all__ = ["Layer", "LayerStack", "build_stack", "open_archive"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of an image.

    Attributes:
        index: 0 is the base.
        diff_id: digest of its uncompressed tar.
        chain_id: digest of it and all below; layers are shared on disk when this is equal.
        created_by: the instruction that made it, or None where no line of history can be told to be its own.
        mapping: ``exact`` if the image states which line is its own, ``inferred`` if that was concluded.
        history_index: the line of ``LayerStack.history``, or None.
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
        """The other images of the engine that have this chain_id now, by name (else ID); of an archive none. The first
        look at it asks the engine for all its images."""
        return () if self._contents is None else self._contents.others(self.chain_id)

    @property
    def sizes(self) -> Sizes:
        """What it weighs; its headers are read for it where nothing cheaper tells."""
        return Sizes() if self._contents is None else self._contents.sizes(self.index)

    def files(self) -> tuple[FileEntry, ...]:
        """What it adds, replaces and (whiteouts) removes, in the order of its tar.

        Raises:
            InvalidImage: it cannot be read whole, or holds what no layer may; with every breach.
        """
        return () if self._contents is None else self._contents.entries(self.index)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; keys as the attributes."""
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
    """The layers of one image, base first; a sequence of them.

    Attributes:
        ref: what it was asked for by: a name, or a path.
        image_id: as the engine calls the image; in an archive the config's digest.
        config_digest: digest of the config's bytes, or None where only an engine's summary could be had.
        history: every line, those that made no layer among them.
        config: what the image says about itself, where its config could be had.
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
    def __getitem__(self, index: slice) -> tuple[Layer, ...]: ...
    def __getitem__(self, index: int | slice) -> Layer | tuple[Layer, ...]:
        return self.layers[index]

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __repr__(self) -> str:
        return f"<LayerStack {self.ref} {self.image_id[:19]} {len(self.layers)} layers>"

    def table(self) -> Table:
        """One row a layer, base first.

        Raises:
            InvalidImage: the sizes must be read from a layer that cannot be read.
        """
        from ..display import Table, bytes_cell

        rows = [
            (layer.index, layer.created_by or "unknown", layer.diff_id[:19], bytes_cell(layer.sizes.content))
            for layer in self.layers
        ]
        return Table(f"Layers of {self.ref}", ("layer", "instruction", "diff_id", "file bytes"), rows)

    def _repr_html_(self) -> str:
        return self.table().to_html()

    @property
    def sizes(self) -> Sizes:
        """Sums over all layers; None where any of them is unknown."""
        return Sizes.total(layer.sizes for layer in self.layers)

    @property
    def reader(self) -> str:
        """What the contents are read from: "archive", "tar-split", "content store", "save stream"."""
        return "none" if self._contents is None else self._contents.reader.name

    def files(self) -> tuple[FileEntry, ...]:
        """What a container of the image sees, in path order; whiteouts applied, hardlinks as the files they are."""
        return self.tree().files()

    def tree(self, at: int | None = None) -> Tree:
        """The merged tree of the layers up to and including index ``at``; None: of all. Negative ones count from the
        top.

        Raises:
            IndexError: no such layer. InvalidOption: no index.
            InvalidImage: a layer cannot be read.
        """
        count = len(self.layers)
        if at is not None and (not isinstance(at, int) or isinstance(at, bool)):
            raise InvalidOption("at", at, "the index of a layer, or None for all")
        if at is not None and not -count <= at < count:
            raise IndexError(f"layer {at} of {count}")
        height = count if at is None else at % count + 1
        return stack([layer.files() for layer in self.layers[:height]])

    def diff(self, index: int) -> Diff:
        """What layer ``index`` adds to, modifies in and removes from the tree below it."""
        if not isinstance(index, int) or isinstance(index, bool):
            raise InvalidOption("index", index, "the index of a layer")
        number = range(len(self.layers))[index]
        below = stack([layer.files() for layer in self.layers[:number]])
        return compare(below, self.tree(number), None if self._contents is None else self._contents.content_ids)

    def verify(self) -> Verification:
        """Checks the image's bytes against all its digests and sizes, and every entry of every layer.

        Raises:
            InvalidImage: with all violations at once.
        """
        if self._contents is None:
            return Verification((), ("contents",))
        return self._contents.verify()

    def waste(self) -> Waste:
        """Every byte the image carries and no container of it sees, with its cause."""
        from .waste import find_waste

        return find_waste(
            [layer.files() for layer in self.layers],
            [layer.created_by for layer in self.layers],
            None if self._contents is None else self._contents.content_ids,
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the attributes, and ``sizes`` of the whole."""
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
    """A stack from what an engine or an archive says; its contents are read when first looked at.

    Args:
        history: oldest first; flags that are missing are inferred, and the mapping is marked so.
        reader: chooses what to read contents from, or None if there is nothing to read.
        still_there: raises if the image is gone; asked when a reading fails.
        others: chain ID -> the other images that have it.
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


def _instruction(history: Sequence[History], line: int | None) -> str | None:
    return None if line is None else history[line].created_by


def open_archive(path: str | os.PathLike[str], *, ref: str | None = None, limits: Limits | None = None) -> LayerStack:
    """The layers of an image archive; no engine is needed, and nothing is unpacked.

    Args:
        path: a docker-archive or OCI layout, as a tar (also one compressed as a whole) or a folder.
        ref: which image, where the archive holds several.
        limits: what is refused from bytes that nobody vouches for.

    Raises:
        InvalidImage: it is none, or parts are missing or out of bounds; with every breach.
        InvalidOption: the archive holds several images, or none of that name.
        OSError: the path cannot be read.
    """
    if ref is not None and not isinstance(ref, str):
        raise InvalidOption("ref", ref, "an image's name in the archive, or None")
    if limits is not None and not isinstance(limits, Limits):
        raise InvalidOption("limits", limits, "Limits, or None for the usual ones")
    image = open_image(path, ref=ref, limits=limits)
    digest = sha256(image.raw_config)
    return build_stack(
        ref or (image.refs[0] if image.refs else os.fspath(path)),
        diff_ids=image.config.diff_ids,
        history=image.config.history,
        image_id=digest,
        config_digest=digest,
        config=image.config,
        reader=lambda: BlobReader("archive", image.layers, image=image, limits=limits),
    )
