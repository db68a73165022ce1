"""Docker's containerd image store: content blobs by digest, and snapshots whose folders a small database names."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..oci.digest import chain_ids, is_digest
from .bolt import Bucket, buckets, open_bolt
from .buildkit import containerd_cache
from .graph import Listed, RwDir, Store, StoreLayer

__all__ = ["containerd_store"]

_SMALL = 1 << 20  # bytes; manifests and configs are far smaller, and no layer is looked into
_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
#: Where containerd lies: in Docker's own root, or beside it where it runs as a service of its own.
_PLACES = ("{docker}/containerd/daemon", "{root}/var/lib/containerd")


def containerd_store(root: Path, docker: Path, driver: str) -> Store:
    """Read layers as snapshots with the blobs they were unpacked from. Raises OSError, ValueError, KeyError.

    Args:
        root: the engine's root folder.
        docker: its data folder.
        driver: the snapshotter ("overlayfs").
    """
    name = f"io.containerd.snapshotter.v1.{driver}"
    places = [Path(place.format(docker=docker, root=root)) for place in _PLACES]
    place = next((one for one in places if (one / name / "metadata.db").exists()), places[0])
    snapshots = _snapshots(place / name)
    records = place / "io.containerd.metadata.v1.bolt" / "meta.db"
    database = open_bolt(records) if records.is_file() else None
    blobs = place / "io.containerd.content.v1.content" / "blobs" / "sha256"
    documents = _documents(blobs)
    diffs: dict[str, tuple[str, Path]] = {}  # chain ID -> (diff ID, blob)
    images: dict[str, tuple[Path, ...]] = {}
    configs: dict[str, Path] = {}
    native: set[str] = set()  # images with a config of this machine's platform, which the engine shows
    chains: dict[str, tuple[str, ...]] = {}
    for digest in documents:
        found: list[Path] = []
        for manifest, document in _manifests(digest, documents):
            config = documents.get(document["config"]["digest"])
            if config is None:
                continue
            ids = config.get("rootfs", {}).get("diff_ids", [])
            for chain, diff, layer in zip(chain_ids(ids), ids, document["layers"], strict=False):
                blob = blobs / layer["digest"].removeprefix("sha256:")
                if chain in snapshots or blob.exists():
                    diffs.setdefault(chain, (diff, blob))
                    chains[digest] = (*chains.get(digest, ()), chain)
            if digest not in configs or (config.get("architecture") == _ARCHITECTURE and digest not in native):
                configs[digest] = blobs / document["config"]["digest"].removeprefix("sha256:")
            if config.get("architecture") == _ARCHITECTURE:
                native.add(digest)
            found += [blobs / one.removeprefix("sha256:") for one in (manifest, document["config"]["digest"])]
        if found:
            images[digest] = tuple(dict.fromkeys((blobs / digest.removeprefix("sha256:"), *found)))
    layers, containers = {}, {}
    for snapshot, (folder, parent) in snapshots.items():
        if is_digest(snapshot):
            diff, blob = diffs.get(snapshot, ("", None))
            beside = (blob,) if blob is not None else ()
            layers[snapshot] = StoreLayer(snapshot, diff, folder, folder / "fs", None, beside, blob=blob, parent=parent)
        elif not snapshot.endswith("-init"):
            own = docker / "containers" / snapshot
            logs = tuple(own.glob(f"{snapshot}-json.log*")) if own.is_dir() else ()
            first, below = snapshots.get(f"{snapshot}-init", (None, parent))
            own_records = (own, first) if first else (own,)
            containers[snapshot] = RwDir(snapshot, folder, folder / "fs", logs, own_records, parent=below)
    for chain, (diff, blob) in diffs.items():
        if chain not in layers:  # of a platform that was not unpacked: the blob is all there is
            layers[chain] = StoreLayer(chain, diff, blob, blob, None, blob=blob)
    cache = containerd_cache(place, driver, snapshots, database)
    listed = _listed(database) if database is not None else None
    return Store(docker, driver, True, layers, containers, images, configs, chains, cache, lambda: listed)


def _listed(database: Bucket) -> dict[str, Listed] | None:
    """Return image ID -> names and parent of each image in Docker's namespace; None if several could be Docker's."""
    spaces = {
        name: below for name, below in buckets(database.get(b"v1")).items()
        if name.partition(b"-")[0] == b"moby" and b"images" in below  # with userns-remap: "moby-100000.100000"
    }  # fmt: skip
    if len(spaces) != 1:
        return None
    found: dict[str, Listed] = {}
    (space,) = spaces.values()
    for key, image in buckets(space[b"images"]).items():
        digest = image.bucket("target")[b"digest"]
        labels = image.get(b"labels")
        parent = labels.get(b"org.mobyproject.image.parent", b"") if isinstance(labels, Bucket) else b""
        if not isinstance(digest, bytes) or not isinstance(parent, bytes):
            raise ValueError(f"the record of image {key!r} has another form")
        names, above, _ = found.get(digest.decode(), Listed())
        if b"@" not in key:  # "moby-dangling@sha256:…" and digests are no names
            names = (*names, key.decode())
        found[digest.decode()] = Listed(names, above or parent.decode())
    parents = {row.parent for row in found.values()}
    return {image: row._replace(intermediate=not row.names and image in parents) for image, row in found.items()}


def _snapshots(folder: Path) -> dict[str, tuple[Path, str]]:
    """Return name -> (folder, name of the parent)."""
    found = {}
    for key, value in open_bolt(folder / "metadata.db").bucket("v1", "snapshots").items():
        if isinstance(value, Bucket) and isinstance(number := value.get(b"id"), bytes):
            parent = value.get(b"parent")
            below = _name(parent) if isinstance(parent, bytes) else ""
            found[_name(key)] = folder / "snapshots" / str(_uvarint(number)), below
    return found


def _name(key: bytes) -> str:
    """Return a snapshot's name without namespace and number: "moby/12/sha256:…"."""
    return key.decode().split("/", 2)[-1]


def _uvarint(data: bytes) -> int:
    """Decode an unsigned varint of Go's encoding/binary: seven bits a byte, the lowest first."""
    return sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(data))


def _documents(blobs: Path) -> dict[str, dict[str, Any]]:
    """Return digest -> document of every small blob that is a JSON document."""
    found = {}
    with os.scandir(blobs) as entries:
        for entry in entries:
            if entry.stat().st_size > _SMALL:
                continue
            with open(entry.path, "rb") as file:
                data = file.read(1)
                data += file.read() if data == b"{" else b""
            with contextlib.suppress(ValueError):
                found[f"sha256:{entry.name}"] = msgspec.json.decode(data, type=dict[str, Any])
    return found


def _manifests(digest: str, documents: Mapping[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Return the manifests that a digest names: itself, or those of an index that exist here."""
    document = documents[digest]
    if "layers" in document and "config" in document:
        return [(digest, document)]
    listed = [str(row.get("digest")) for row in document.get("manifests") or () if isinstance(row, dict)]
    below = ((one, documents[one]) for one in listed if one in documents)
    return [(one, found) for one, found in below if "layers" in found and "config" in found]
