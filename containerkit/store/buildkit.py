"""BuildKit's cache in Docker's store: the layers it keeps after their image is removed, and its own folders.

Without the containerd image store, ``buildkit/snapshots.db`` names for each cache record the layer (``chainid``) or the
folder of the storage driver (``committed``, else the key itself) that holds it. With the containerd image store, a
cache record is a lease of containerd, which names the snapshots and blobs that it keeps.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..oci.digest import is_digest
from .bolt import Bucket, buckets, open_bolt
from .disk import disk_bytes

__all__ = ["BuildCache", "containerd_cache", "docker_cache"]


@dataclass(frozen=True)
class BuildCache:
    """Contents of a build cache.

    Attributes:
        chains: chain IDs of image layers that stay as long as the cache keeps them.
        blobs: digests of content blobs that stay.
        folders: files and folders that only the cache has.
    """

    chains: frozenset[str] = frozenset()
    blobs: frozenset[str] = frozenset()
    folders: tuple[Path, ...] = ()

    @cached_property
    def disk(self) -> int:
        """Return bytes on disk of what only the cache has. Raises OSError."""
        return sum(disk_bytes(folder) for folder in self.folders if folder.exists())


def docker_cache(root: Path, data: Path, layers: Collection[Path]) -> BuildCache:
    """Read the cache of a store with a storage driver.

    Args:
        root: Docker's data folder.
        data: the folder of the storage driver.
        layers: folders of image layers, which the cache does not own.

    Raises:
        OSError, ValueError.
    """
    own = root / "buildkit"
    if not (own / "snapshots.db").is_file():
        return BuildCache(folders=(own,))
    chains, names = set(), set()
    for key, record in open_bolt(own / "snapshots.db").items():
        if not isinstance(record, Bucket):
            continue
        chain, committed = record.get(b"chainid"), record.get(b"committed")
        if isinstance(chain, bytes):
            chains.add(chain.decode())
        names.add(committed if isinstance(committed, bytes) else key)
    taken = {folder.name for folder in layers}
    folders = tuple(data / name.decode() for name in sorted(names) if name.decode() not in taken)
    return BuildCache(frozenset(chains), folders=(own, *folders))


def containerd_cache(
    place: Path, driver: str, snapshots: Mapping[str, tuple[Path, str]], database: Bucket | None
) -> BuildCache:
    """Read the cache of a containerd image store: what leases keep, apart from the layers of containers.

    Args:
        place: containerd's data folder.
        driver: name of the snapshotter.
        snapshots: name -> (folder, name of the snapshot below).
        database: containerd's own records, or None.

    Raises:
        ValueError.
    """
    if database is None:
        return BuildCache()
    chains: set[str] = set()
    blobs: set[str] = set()
    folders: list[Path] = []
    for space in buckets(database.get(b"v1")).values():
        for lease in buckets(space.get(b"leases")).values():
            if b"containerd.io/gc.expire" in (lease.get(b"labels") or ()):  # of an operation that is still running
                continue
            held = buckets(lease.get(b"snapshots")).get(driver.encode())
            names = [name.decode() for name in held] if held is not None else []
            blobs.update(name.decode() for name in lease.get(b"content") or () if isinstance(name, bytes))
            chains.update(name for name in names if is_digest(name))
            folders += [snapshots[name][0] for name in names if not is_digest(name) and name in snapshots]
    return BuildCache(frozenset(chains), frozenset(blobs), (place.parent.parent / "buildkit", *folders))
