"""The cost of a pull: the layers of a registry's image that the engine does not have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..oci.digest import chain_ids
from ..oci.platforms import of_machine
from ..values import PrintedValue, ValueTuple
from .index import Index, steady
from .of_registry import open_registry

if TYPE_CHECKING:
    from ..backends.base import Backend
    from ..display import Table
    from ..spec import RegistryAuth

__all__ = ["PullCost", "PulledLayer", "pull_cost"]


@dataclass(frozen=True, slots=True)
class PulledLayer(PrintedValue):
    """One layer of an image in a registry.

    Attributes:
        index: 0 is the base.
        digest: of its blob.
        bytes: size of the blob, as the registry sends it.
        here: whether the engine has the layer, on top of the same layers below.
    """

    index: int
    digest: str
    bytes: int
    here: bool


@dataclass(frozen=True, slots=True)
class PullCost(PrintedValue):
    """The bytes that pulling an image would move, given what the engine has.

    Attributes:
        ref: name of the image.
        digest: of its manifest.
        layers: base first.
        bytes_to_move: Σ of the layers that are not here. An engine that got a layer in another way than by a pull, such
            as `load`, may not know its blob, and moves it again.
        bytes_here: Σ of the layers that are here.
    """

    ref: str
    digest: str
    layers: tuple[PulledLayer, ...]
    bytes_to_move: int
    bytes_here: int

    def table(self) -> Table:
        """Return one row per layer, base first."""
        from ..display import Table, bytes_cell

        rows = [(one.index, one.digest[:19], bytes_cell(one.bytes), one.here) for one in self.layers]
        total: tuple[object, ...] = ("", "to move", bytes_cell(self.bytes_to_move), "")
        columns = ("layer", "blob", "compressed", "here")
        return Table(f"What a pull of {self.ref} moves", columns, [*rows, total])


def pull_cost(
    backend: Backend, ref: str, *, platform: str | None, auth: RegistryAuth | None, tls_verify: bool
) -> PullCost:
    """Return what pulling an image would move. See Images.pull_cost."""
    wanted = platform or of_machine(backend.first_info().arch)
    image = open_registry(ref, platform=wanted, auth=auth, tls_verify=tls_verify)

    def known(index: Index) -> set[str]:
        return {chain for record in index.records(None, all=True) for chain in chain_ids(record.diff_ids)}

    here = steady(backend, None, known)
    layers = ValueTuple(
        PulledLayer(layer.index, blob.digest, blob.size, layer.chain_id in here)
        for layer, blob in zip(image, image.blobs, strict=True)
    )
    moved = sum(one.bytes for one in layers if not one.here)
    return PullCost(image.ref, image.digest, layers, moved, sum(one.bytes for one in layers) - moved)
