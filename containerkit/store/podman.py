"""Podman's store: the folders DRIVER-layers, DRIVER-images and DRIVER-containers of containers-storage."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..oci.digest import sha256
from .graph import Listed, RwDir, Store, StoreLayer

__all__ = ["podman_store"]

#: What Podman compares of two entries of a history.
_HISTORY = ("created", "created_by", "author", "comment", "empty_layer")


def _rows(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_bytes()) if path.is_file() else []


def podman_store(root: Path, driver: str, *, lists: bool = True) -> Store:
    """Read DRIVER-layers/layers.json: layers by an ID other than the chain ID, with their parents. Raises OSError.

    Args:
        root: folder of the store.
        driver: the storage driver.
        lists: whether the engine has no other store of images, so that this one lists them all.
    """
    records = root / f"{driver}-layers"
    records.lstat()  # as above
    rows = {row["id"]: row for row in _rows(records / "layers.json")}
    vfs = driver == "vfs"
    data = root / "vfs" / "dir" if vfs else root / driver
    mapped = {
        top: image["id"] for image in _rows(root / f"{driver}-images" / "images.json")
        for top in image.get("mapped-layers") or ()
    }  # fmt: skip
    chains = _chains(rows)
    layers: dict[str, StoreLayer] = {}
    for identity, row in rows.items():
        chain = chains[identity]
        if identity in mapped or not chain or not row.get("diff-digest"):
            continue
        place, split = data / identity, records / f"{identity}.tar-split.gz"
        found = StoreLayer(
            chain,
            row["diff-digest"],
            place,
            place if vfs else place / "diff",
            split if split.is_file() else None,
            beside=(split,),
            tar_bytes=row.get("diff-size"),
            compressed_bytes=row.get("compressed-size") or None,
            parent=chains.get(row.get("parent", ""), ""),
        )
        layers.setdefault(chain, found)
    containers = {}
    for row in _rows(root / f"{driver}-containers" / "containers.json"):
        place, own = data / row["layer"], root / f"{driver}-containers" / row["id"]
        parent = rows.get(row["layer"], {}).get("parent", "")
        copies = (data / parent,) if parent in mapped else ()
        logs = tuple((own / "userdata").glob("ctr.log*")) if (own / "userdata").is_dir() else ()
        containers[row["id"]] = RwDir(
            row["id"], place, place if vfs else place / "diff", logs, (own,), copies, chains.get(parent, "")
        )
    folder = root / f"{driver}-images"
    listed = {f"sha256:{row['id']}": row for row in _rows(folder / "images.json")}
    images = {
        image: (folder / row["id"], *(data / top for top in row.get("mapped-layers") or ()))
        for image, row in listed.items()
    }
    configs = {image: folder / image.removeprefix("sha256:") / _data_name(image) for image in images}
    tops = {image: row.get("layer", "") for image, row in listed.items()}
    below = {identity: row.get("parent", "") for identity, row in rows.items()}

    def lister() -> dict[str, Listed] | None:
        if not lists:
            return None
        parents = _parents(tops, below, configs)
        children = {parent for found in parents.values() for parent in found}
        return {
            image: Listed(
                tuple(row.get("names") or ()),
                next(iter(parents[image]), ""),
                not row.get("names") and image in children,
            )
            for image, row in listed.items()
        }

    return Store(root, driver, not vfs, layers, containers, images, configs, lister=lister)


def _parents(
    tops: Mapping[str, str], below: Mapping[str, str], configs: Mapping[str, Path]
) -> dict[str, tuple[str, ...]]:
    """Return image ID -> the images that it was built from, as Podman finds them; it takes the first for the parent.

    A parent has the same top layer or the one below, and the same history without the last entry.

    Args:
        tops: image ID -> ID of its top layer, "" if it has none.
        below: layer ID -> ID of the layer below.
        configs: image ID -> its config document.
    """
    by_top: dict[str, list[str]] = {}
    for image, top in tops.items():
        by_top.setdefault(top, []).append(image)
    lines: dict[str, list[tuple[object, ...]] | None] = {}

    def history(image: str) -> list[tuple[object, ...]] | None:
        if image not in lines:
            lines[image] = _history(configs[image])
        return lines[image]

    found: dict[str, tuple[str, ...]] = {}
    for image, top in tops.items():
        near = [*by_top[top], *(by_top.get(below.get(top, ""), ()) if below.get(top) else ())]
        others = [one for one in near if one != image]
        own = history(image) if others else None
        found[image] = tuple(one for one in others if own and history(one) == own[:-1])
    return found


def _history(path: Path) -> list[tuple[object, ...]] | None:
    """Return the history in a config; None if there is none to read."""
    try:
        document = json.loads(path.read_bytes())
        return [tuple(line.get(key) or None for key in _HISTORY) for line in document.get("history") or ()]
    except (OSError, ValueError, AttributeError, TypeError):
        return None


def _data_name(key: str) -> str:
    """Return the file name that containers-storage uses for a key with more than letters, digits, "." and "-"."""
    return "=" + base64.standard_b64encode(key.encode()).decode()


def _chains(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return layer ID -> chain ID; iterative, since an image may have more layers than Python's recursion limit."""
    chains: dict[str, str] = {}
    for start in rows:
        path = []
        identity = start
        while identity and identity not in chains:
            path.append(identity)
            identity = rows.get(identity, {}).get("parent", "")
        for found in reversed(path):
            row = rows.get(found, {})
            below, diff = chains.get(row.get("parent", ""), ""), row.get("diff-digest", "")
            chains[found] = (sha256(f"{below} {diff}".encode()) if below else diff) if diff else ""
    return chains
