"""Find the layers that images share, and predict what removing images would free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..oci.digest import chain_ids
from ..reference import begins_id, same_image_name
from ..values import Value
from .index import Index, steady

if TYPE_CHECKING:
    from ..backends.base import Backend, ImageRecord
    from ..display import SharingGraph, Table

__all__ = ["Reclaim", "SharedLayer", "Sharing", "image_reclaim", "image_sharing", "reclaim_of"]

#: Reason of an image that stays because nobody asked to remove it; not worth a row in a table.
_NOT_ASKED = "not asked for"


@dataclass(frozen=True, slots=True)
class SharedLayer(Value):
    """One distinct layer, and the IDs of the images that have it."""

    chain_id: str
    diff_id: str
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sharing(Value):
    """Distinct layers of a set of images, with the images that have them.

    Attributes:
        layers: every distinct layer, base first within an image.
        refs: image ID -> its names.
        containers: container name -> the ID of its image.
    """

    layers: tuple[SharedLayer, ...]
    refs: Mapping[str, tuple[str, ...]]
    containers: Mapping[str, str] = field(default_factory=dict)

    @property
    def shared(self) -> tuple[SharedLayer, ...]:
        """Layers of two images or more."""
        return tuple(layer for layer in self.layers if len(layer.images) > 1)

    def common(self, other: Sharing) -> tuple[str, ...]:
        """Return the chain IDs of the layers that another engine has too. Each engine stores them for itself."""
        theirs = {layer.chain_id for layer in other.layers}
        return tuple(layer.chain_id for layer in self.layers if layer.chain_id in theirs)

    def table(self) -> Table:
        """Return one row per layer, most shared first."""
        from ..display import Table

        rows = [
            (layer.chain_id.partition(":")[2][:12], len(layer.images), ", ".join(map(self._name, layer.images)))
            for layer in sorted(self.layers, key=lambda layer: -len(layer.images))
        ]
        return Table("Layers, most shared first", ("chain_id", "images", "names"), rows)

    def picture(self, sizes: Mapping[str, int | None] | None = None) -> SharingGraph:
        """Return the images as branches of a tree of layers.

        Args:
            sizes: chain ID -> bytes, to be written on the layers; None writes how many layers there are.
        """
        from ..display import ChainLayer, SharingGraph

        images: dict[str, list[ChainLayer | tuple[str, int | None]]] = {}
        for layer in self.layers:
            for image in layer.images:
                images.setdefault(self._name(image), []).append(
                    ChainLayer(layer.chain_id, (sizes or {}).get(layer.chain_id))
                )
        containers: dict[str, list[str]] = {}
        for name, image in self.containers.items():
            containers.setdefault(self._name(image), []).append(name)
        return SharingGraph("Images and the layers they share", images, containers)

    def _name(self, image: str) -> str:
        return ", ".join(self.refs.get(image) or (image[:19],))

    def __str__(self) -> str:
        return self.table().to_text()

    def _repr_html_(self) -> str:
        return self.picture().to_html() + self.table().to_html()


@dataclass(frozen=True, slots=True)
class Reclaim(Value):
    """Prediction of what removing images would free.

    Attributes:
        bytes: file content of the layers that nothing else needs.
        disk_bytes: blocks of them and of the engine's records, or None where the store cannot be read.
        images: IDs of the images that would go.  layers: their chain IDs.
        kept: (image ID, why it or its layers stay).
        unknown: images that could not be read, with the reason; their file content is not in `bytes`.
    """

    bytes: int
    disk_bytes: int | None
    images: tuple[str, ...]
    layers: tuple[str, ...]
    kept: tuple[tuple[str, str], ...]
    unknown: tuple[str, ...] = ()

    def table(self) -> Table:
        """Return the sums, and what stays."""
        from ..display import Table, bytes_cell

        rows: list[tuple[object, object]] = [
            ("file content freed", bytes_cell(self.bytes)),
            ("disk freed", bytes_cell(self.disk_bytes)),
            ("images", len(self.images)),
            ("layers", len(self.layers)),
            *(
                (f"stays: {image.partition(':')[2][:12] or image}", reason)
                for image, reason in self.kept
                if reason != _NOT_ASKED
            ),
        ]
        return Table("Removing them would free", ("what", "how much"), rows, notes=self.unknown)

    def _repr_html_(self) -> str:
        return self.table().to_html()


def image_sharing(backend: Backend, refs: Any = None) -> Sharing:
    """Find shared layers. See Engine.sharing."""
    records = Index(backend).records(refs)
    index_of: dict[str, tuple[str, list[str]]] = {}
    for record in records:
        for chain, diff in zip(chain_ids(record.diff_ids), record.diff_ids, strict=True):
            index_of.setdefault(chain, (diff, []))[1].append(record.id)
    layers = tuple(SharedLayer(chain, diff, tuple(images)) for chain, (diff, images) in index_of.items())
    names = {record.id: record.refs for record in records}
    listed = backend.list_containers(all=True, filters={})
    return Sharing(layers, names, {row.name: row.image_id for row in listed if row.image_id in names})


def image_reclaim(backend: Backend, refs: Any = None) -> Reclaim:
    """Predict a removal: layers reachable from no remaining image and no container. See Engine.reclaimable."""
    return steady(backend, refs, lambda index: reclaim_of(index, refs))


def reclaim_of(index: Index, refs: Any = None) -> Reclaim:
    """Return the same from an index."""
    requested = None if refs is None else index.records(refs)
    everything = index.records(None, all=True)
    containers = index.backend.list_containers(all=True, filters={})
    used: dict[str, str] = {}
    for row in containers:
        used.setdefault(row.image_id, row.name)
    named = {record.id for record in (everything if requested is None else requested)}
    named_else = {record.id: _other_names(record, index.requested[record.id]) for record in requested or ()}
    free = {identity for identity in named if identity not in used and not named_else.get(identity)}
    children = _children(everything)
    leaving = _leaving(everything, free, used, children, keeps_parents=index.backend.keeps_parents)
    going = [record for record in everything if record.id in leaving]
    kept = []
    for record in everything:
        if record.id in used:
            kept.append((record.id, f"container {used[record.id]} uses it"))
        elif names := named_else.get(record.id):
            kept.append((record.id, f"also named {', '.join(names)}"))
        elif record.id in free and record.id not in leaving:
            child = next(child for child in children[record.id] if child.id not in leaving)
            kept.append((record.id, f"only its name goes: {(child.refs or (child.id[:19],))[0]} was built from it"))
        elif record.id not in leaving and record.refs:
            kept.append((record.id, _NOT_ASKED))
    stays = {chain for record in everything if record.id not in leaving for chain in index.stored(record)}
    known = {record.id for record in everything}
    for row in containers:
        if row.image_id not in known:  # its image was removed by force, and the layers below the container were not
            stays.update(index.store.under(row.id) if index.store else ())
            if row.image_id:  # a container made from a root folder has no image
                kept.append((row.image_id, f"container {row.name} still has its layers"))
    cached = index.store.cached if index.store else frozenset[str]()
    counts = ((record.id, len(cached.intersection(index.stored(record)))) for record in going)
    kept += [(identity, f"the build cache keeps {count} of its layers") for identity, count in counts if count]
    stays |= cached
    content = index.content(index.readable(going, strict=refs is not None))
    gone = list(dict.fromkeys(chain for record in going for chain in index.chains(record) if chain not in stays))
    disk = index.disk(going)
    records_disk = index.image_disk(going)
    freed = None
    if disk is not None and records_disk is not None:
        assert index.store is not None
        freed = sum(index.store.removable_disk(chain) for chain in disk if chain not in stays) + records_disk
    size = sum(content.get(chain, 0) for chain in gone)
    return Reclaim(size, freed, tuple(r.id for r in going), tuple(gone), tuple(kept), tuple(index.unknown))


def _other_names(record: ImageRecord, asked: Sequence[str]) -> list[str]:
    """Return the names of an image other than those requested; none if it was requested by ID."""
    others = [name for name in record.refs if not any(same_image_name(name, ref) for ref in asked)]
    by_name = len(others) < len(record.refs)
    return others if by_name or not any(begins_id(ref, record.id) for ref in asked) else []


def _children(everything: Sequence[ImageRecord]) -> dict[str, list[ImageRecord]]:
    """Return the images that were built from each image."""
    children: dict[str, list[ImageRecord]] = {}
    for record in everything:
        if record.parent:
            children.setdefault(record.parent, []).append(record)
    return children


def _leaving(
    everything: Sequence[ImageRecord],
    free: set[str],
    used: Mapping[str, str],
    children: Mapping[str, Sequence[ImageRecord]],
    *,
    keeps_parents: bool,
) -> set[str]:
    """Return the images that go if the free ones are removed, in whatever order.

    A parent without a name and without a container goes with its last child. Where the engine keeps parents, a free
    image goes with its last child too.
    """
    spare = {r.id for r in everything if r.id in children and not r.refs and r.id not in used}
    leaving = set() if keeps_parents else set(free)
    while more := {i for i in (spare | free) - leaving if all(c.id in leaving for c in children.get(i, ()))}:
        leaving |= more
    return leaving
