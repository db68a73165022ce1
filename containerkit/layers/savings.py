"""What images cost because they share layers, and what they would cost if they did not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..oci.digest import chain_ids
from ..store import Store, open_store
from .of_engine import records_of, stack_of

if TYPE_CHECKING:
    from ..backends.base import ImageRecord
    from ..display import Table
    from ..engine import Engine

__all__ = ["ContainerCost", "ImageCost", "Reclaim", "Savings", "SharedLayer", "Sharing"]


@dataclass(frozen=True, slots=True)
class ImageCost:
    """One image's part, in bytes of file content. shared: in layers that another of these images has too."""

    ref: str
    image_id: str
    logical_bytes: int
    shared_bytes: int
    unique_bytes: int


@dataclass(frozen=True, slots=True)
class ContainerCost:
    """One container's read-write layer. disk_bytes: blocks, with what the engine keeps beside it; None if unknown."""

    name: str
    image_id: str
    disk_bytes: int | None


@dataclass(frozen=True, slots=True)
class Savings:
    """What a set of images costs.

    Attributes:
        logical_bytes: Σ of each image's file content, as if it were alone.
        unique_bytes: Σ of each distinct layer's file content, once.
        disk_bytes: blocks that these layers, and the containers' read-write layers, take in the engine's store; None
            where it cannot be read.
        full_copies_bytes: blocks that as many full copies would take (one per image, and one more per container, as
            virtual machines do); from the contents where the store cannot be read.
        unknown: what could not be known, and why.
    """

    images: tuple[ImageCost, ...]
    containers: tuple[ContainerCost, ...]
    logical_bytes: int
    unique_bytes: int
    disk_bytes: int | None
    full_copies_bytes: int
    shares_layers: bool | None = None
    unknown: tuple[str, ...] = ()

    @property
    def ratio(self) -> float:
        """logical / unique: N·(B+d) / (B+N·d) for N images that add d to a base of B; 1.0 for none."""
        return self.logical_bytes / self.unique_bytes if self.unique_bytes else 1.0

    @property
    def disk_ratio(self) -> float | None:
        """full copies / disk; None where the disk is unknown."""
        return self.full_copies_bytes / self.disk_bytes if self.disk_bytes else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "images": [asdict(image) for image in self.images],
            "containers": [asdict(container) for container in self.containers],
            "logical_bytes": self.logical_bytes,
            "unique_bytes": self.unique_bytes,
            "disk_bytes": self.disk_bytes,
            "full_copies_bytes": self.full_copies_bytes,
            "ratio": self.ratio,
            "disk_ratio": self.disk_ratio,
            "shares_layers": self.shares_layers,
            "unknown": list(self.unknown),
        }

    def table(self) -> Table:
        """One row an image, and the sums."""
        from ..display import Table, human_bytes

        rows = [
            (
                image.ref,
                human_bytes(image.logical_bytes),
                human_bytes(image.shared_bytes),
                human_bytes(image.unique_bytes),
            )
            for image in self.images
        ]
        disk = (
            "unknown"
            if self.disk_ratio is None
            else f"{human_bytes(self.disk_bytes)}, {self.disk_ratio:.2f} times less"
        )
        distinct = f"{human_bytes(self.unique_bytes)} ({self.ratio:.2f} times less)"
        notes = (
            f"sum of the images {human_bytes(self.logical_bytes)}; distinct layers {distinct}",
            f"full copies {human_bytes(self.full_copies_bytes)}; on disk {disk}",
            *self.unknown,
        )
        return Table("Savings by shared layers", ("image", "size", "shared", "unique"), rows, notes=notes)

    def __str__(self) -> str:
        return self.table().to_text()

    def _repr_html_(self) -> str:
        return self.table().to_html()


@dataclass(frozen=True, slots=True)
class SharedLayer:
    """One distinct layer, and the images (by ID) that have it."""

    chain_id: str
    diff_id: str
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sharing:
    """Which images have which layers. refs: image ID -> its names."""

    layers: tuple[SharedLayer, ...]
    refs: dict[str, tuple[str, ...]]

    @property
    def shared(self) -> tuple[SharedLayer, ...]:
        """Layers of two images or more."""
        return tuple(layer for layer in self.layers if len(layer.images) > 1)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "layers": [asdict(layer) for layer in self.layers],
            "refs": {identity: list(names) for identity, names in self.refs.items()},
        }


@dataclass(frozen=True, slots=True)
class Reclaim:
    """What removing images would free.

    Attributes:
        bytes: file content of the layers that nothing else needs.
        disk_bytes: blocks of them, or None where the store cannot be read.
        images: IDs of the images that would go.  layers: their chain IDs.
        kept: (image ID, why it stays).
    """

    bytes: int
    disk_bytes: int | None
    images: tuple[str, ...]
    layers: tuple[str, ...]
    kept: tuple[tuple[str, str], ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


class _Measured:
    """The content and disk bytes of layers, each read once however many images have it."""

    def __init__(self, engine: Engine, store: Store | None) -> None:
        self._engine = engine
        self._store = store
        self.content: dict[str, int] = {}
        self.disk: dict[str, int] = {}

    def add(self, record: ImageRecord) -> tuple[str, ...]:
        chains = chain_ids(record.diff_ids)
        if any(chain not in self.content for chain in chains):
            stack = stack_of(self._engine, record, self._store, record.id)
            for layer, chain in zip(stack, chains, strict=True):
                if chain not in self.content:
                    self.content[chain] = layer.sizes.content or 0
        for chain in chains:
            if self._store and chain not in self.disk and chain in self._store.layers:
                self.disk[chain] = self._store.layers[chain].disk
        return chains


def image_sharing(engine: Engine, refs: Any = None) -> Sharing:
    """See Engine.sharing."""
    records = records_of(engine, refs)
    owners: dict[str, tuple[str, list[str]]] = {}
    for record in records:
        for chain, diff in zip(chain_ids(record.diff_ids), record.diff_ids, strict=True):
            owners.setdefault(chain, (diff, []))[1].append(record.id)
    layers = tuple(SharedLayer(chain, diff, tuple(images)) for chain, (diff, images) in owners.items())
    return Sharing(layers, {record.id: record.refs for record in records})


def image_savings(engine: Engine, refs: Any = None, *, containers: bool = True) -> Savings:
    """See Engine.savings."""
    records = records_of(engine, refs)
    store, why = open_store(engine.backend)
    unknown = [f"bytes on disk: {why}"] if store is None else []
    measured = _Measured(engine, store)
    try:
        chains = {record.id: measured.add(record) for record in records}
    except OSError as exc:
        unknown.append(f"bytes on disk: {exc}")
        store, measured = None, _Measured(engine, None)
        chains = {record.id: measured.add(record) for record in records}
    count: dict[str, int] = {}
    for of_image in chains.values():
        for chain in of_image:
            count[chain] = count.get(chain, 0) + 1
    images = tuple(_cost(record, chains[record.id], count, measured) for record in records)
    weight = measured.disk if len(measured.disk) == len(count) and store else measured.content
    disk = sum(measured.disk.values()) if store and weight is measured.disk else None
    copies = sum(weight[chain] for of_image in chains.values() for chain in of_image)
    costs: tuple[ContainerCost, ...] = ()
    if containers:
        costs, disk, copies = _containers(engine, store, chains, weight, disk, copies)
    return Savings(
        images=images,
        containers=costs,
        logical_bytes=sum(image.logical_bytes for image in images),
        unique_bytes=sum(measured.content[chain] for chain in count),
        disk_bytes=disk,
        full_copies_bytes=copies,
        shares_layers=store.shares_layers if store else None,
        unknown=tuple(unknown),
    )


def _cost(record: ImageRecord, chains: Sequence[str], count: dict[str, int], measured: _Measured) -> ImageCost:
    logical = sum(measured.content[chain] for chain in chains)
    shared = sum(measured.content[chain] for chain in chains if count[chain] > 1)
    return ImageCost(record.refs[0] if record.refs else record.id, record.id, logical, shared, logical - shared)


def _containers(
    engine: Engine,
    store: Store | None,
    chains: dict[str, tuple[str, ...]],
    weight: dict[str, int],
    disk: int | None,
    copies: int,
) -> tuple[tuple[ContainerCost, ...], int | None, int]:
    """The containers of these images: their read-write layers on disk, and one full copy for each."""
    costs = []
    for record in engine.backend.list_containers(all=True, filters={}):
        if record.image_id not in chains:
            continue
        own = store.containers.get(record.id) if store else None
        costs.append(ContainerCost(record.name, record.image_id, own.disk if own else None))
        copies += sum(weight[chain] for chain in chains[record.image_id]) + (own.disk if own else 0)
        if disk is not None and own:
            disk += own.disk
    return tuple(costs), disk, copies


def image_reclaim(engine: Engine, refs: Any = None) -> Reclaim:
    """See Engine.reclaimable: the layers reachable from no image that stays, and from no container."""
    everything = records_of(engine, None)
    used = {record.image_id: record.name for record in engine.backend.list_containers(all=True, filters={})}
    asked = {record.id for record in (everything if refs is None else records_of(engine, refs))}
    going = [record for record in everything if record.id in asked and record.id not in used]
    kept = []
    for record in everything:
        if record.id in used:
            kept.append((record.id, f"container {used[record.id]} uses it"))
        elif record.id not in asked:
            kept.append((record.id, "not asked for"))
    store, _ = open_store(engine.backend)
    measured = _Measured(engine, store)
    stays = {chain for record in everything if record not in going for chain in chain_ids(record.diff_ids)}
    gone = dict.fromkeys(chain for record in going for chain in measured.add(record) if chain not in stays)
    disk = sum(measured.disk[chain] for chain in gone) if store and all(c in measured.disk for c in gone) else None
    identities = tuple(record.id for record in going)
    return Reclaim(sum(measured.content[chain] for chain in gone), disk, identities, tuple(gone), tuple(kept))
