"""Images of the engine in memory: load, tag, save, remove; every layer's bytes are kept."""

from __future__ import annotations

import contextlib
import datetime as dt
import fnmatch
import json
import re
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ...backends import _json, _parse, _parse_images
from ...backends.base import Capability, HistoryEntry, ImageRecord, Progress
from ...errors import ImageNotFound, InUse, InvalidImage
from ...oci.archive import open_image, parse_save_entries
from ...oci.digest import hex_part, sha256
from ...oci.image import ImageArchive
from ...reference import familiar, looks_like_id, parse
from ...spec import BuildSpec, RegistryAuth
from ...streams import ByteStream
from ..archives import ImageBuilder, pack
from .state import FakeContainer, FakeImage, Filters, World, fits, labelled, truth

_SOME_ID = re.compile(r"(?:sha256:)?[0-9a-f]{3,64}")


class ImageVerbs(World):
    """The methods of images."""

    def add_image(self, ref: str, builder: ImageBuilder | None = None) -> str:
        """Add an image without files, as if it had been pulled, or one made by a builder; return its ID.

        Raises:
            InvalidReference.
        """
        built = builder or ImageBuilder().metadata(f"LABEL made.for={ref}").run_config(Cmd=["sh"])
        name = parse(ref).qualified
        config = built.config_bytes()
        with self._changed:
            image = self._keep_image(config, [layer.tar for layer in built.layers])
            self._name_image(name, image)
        return image.id

    def _keep_image(self, raw: bytes, layers: Iterable[bytes], parent: str = "") -> FakeImage:
        config = json.loads(raw)
        image = FakeImage(sha256(raw), raw, config, tuple(layers), _parse.timestamp(config.get("created")), parent)
        return self._images.setdefault(image.id, image)

    def _name_image(self, qualified: str, image: FakeImage) -> None:
        self._names[qualified] = image.id
        self._told("image", "tag", image.id, familiar(qualified), {})

    def _image(self, ref: str, doing: str) -> FakeImage:
        """Return an image by name, ID or unambiguous prefix of an ID. Raise ImageNotFound."""
        with contextlib.suppress(ValueError):
            identity = self._names.get(parse(ref).qualified)
            if identity:
                return self._images[identity]
        if _SOME_ID.fullmatch(ref):
            digits = ref.removeprefix("sha256:")
            found = [i for i in self._images.values() if hex_part(i.id).startswith(digits)]
            if len(found) == 1:
                return found[0]
        raise ImageNotFound(f"{doing}: no image {ref} here", status=404, explanation=f"no such image: {ref}")

    def _refs(self, image: FakeImage) -> list[str]:
        return [name for name, identity in self._names.items() if identity == image.id]

    def _users(self, image: FakeImage) -> list[FakeContainer]:
        return [c for c in self._containers.values() if c.image is image]

    # ---------------------------------------------------------------- asking
    def _image_record(self, image: FakeImage) -> ImageRecord:
        names = self._refs(image)
        raw = {
            "Id": image.id,
            "RepoTags": [familiar(name) for name in names],
            "RepoDigests": [],
            "Parent": image.parent,
            "Created": image.config.get("created"),
            "Author": image.config.get("author", ""),
            "Os": image.config.get("os", "linux"),
            "Architecture": image.config.get("architecture", ""),
            "Size": sum(map(len, image.layers)),
            "Config": dict(image.run_config),
            "RootFS": {"Type": "layers", "Layers": list(image.config["rootfs"]["diff_ids"] or [])},
        }
        return _parse_images.image(raw, map(familiar, names))

    def inspect_image(self, ref: str) -> ImageRecord:
        with self._changed:
            return self._image_record(self._image(ref, f"inspecting image {ref}"))

    def list_images(self, *, all: bool, filters: Filters) -> tuple[ImageRecord, ...]:
        with self._changed:
            return tuple(
                self._image_record(image)
                for image in reversed(self._images.values())
                if fits(image, filters, self._image_filters(), "images")
            )

    def _image_filters(self) -> dict[str, Any]:
        def labels(image: FakeImage) -> dict[str, str]:
            return image.run_config.get("Labels") or {}

        order = list(self._images)

        def named(image: FakeImage, pattern: str) -> bool:
            names = map(familiar, self._refs(image))
            return any(name == pattern or fnmatch.fnmatch(name.rpartition(":")[0], pattern) for name in names)

        return {
            "label": lambda image, value: labelled(labels(image), value),
            "label!": lambda image, value: not labelled(labels(image), value),
            "dangling": lambda image, value: truth(value) == (not self._refs(image)),
            "reference": named,
            "before": lambda image, ref: order.index(image.id) < order.index(self._image(ref, "listing images").id),
            "since": lambda image, ref: order.index(image.id) > order.index(self._image(ref, "listing images").id),
            "until": lambda image, value: image.created < (float(value) if value.isdecimal() else time.time()),
        }

    def image_history(self, ref: str) -> tuple[HistoryEntry, ...]:
        with self._changed:
            image = self._image(ref, f"reading the history of image {ref}")
        left = list(image.layers)
        found = []
        for line in image.config.get("history") or []:
            empty = line.get("empty_layer") is True
            size = 0 if empty or not left else len(left.pop(0))
            created = _parse.timestamp(line.get("created")) or None
            words = _json.text(line.get("created_by"))
            found.append(HistoryEntry(words, created, empty, size, _json.text(line.get("comment"))))
        return tuple(found)

    # ---------------------------------------------------------------- archives
    def load_images(self, data: Iterable[bytes]) -> tuple[str, ...]:
        with tempfile.NamedTemporaryFile(suffix=".tar") as spooled:
            for piece in data:
                spooled.write(piece)
            spooled.flush()
            found = [(image, [b"".join(layer.plain()) for layer in image.layers]) for image in _images_of(spooled.name)]
        for image, layers in found:
            if tuple(map(sha256, layers)) != image.config.diff_ids:
                raise InvalidImage("loading an archive: a layer is not what the config says (diff_id)")
        names: list[str] = []
        with self._changed:
            for image, layers in found:
                kept = self._keep_image(image.raw_config, layers)
                for ref in image.refs:
                    self._name_image(parse(ref).qualified, kept)
                    names.append(familiar(parse(ref).qualified))
                if not image.refs:
                    names.append(kept.id)
                self._told("image", "load", kept.id, kept.id, {})
        return tuple(dict.fromkeys(names))

    def save_images(self, refs: Sequence[str]) -> ByteStream:
        chosen: dict[str, list[str]] = {}
        with self._changed:
            for ref in refs:
                image = self._image(ref, f"saving {', '.join(refs)}")
                tags = chosen.setdefault(image.id, [])
                tags += [] if looks_like_id(ref) else [familiar(parse(ref).qualified)]
            members: dict[str, bytes] = {}
            entries = []
            for identity, tags in chosen.items():
                image = self._images[identity]
                names = [f"{hex_part(sha256(tar))}/layer.tar" for tar in image.layers]
                members.update(zip(names, image.layers, strict=True))
                members[f"{hex_part(identity)}.json"] = image.raw_config
                entries.append({"Config": f"{hex_part(identity)}.json", "RepoTags": tags or None, "Layers": names})
        members["manifest.json"] = json.dumps(entries).encode()
        return ByteStream(iter((pack(members),)))

    # ---------------------------------------------------------------- names and removal
    def tag_image(self, ref: str, target: str) -> None:
        with self._changed:
            self._name_image(parse(target).qualified, self._image(ref, f"tagging {ref} as {target}"))

    def remove_image(self, ref: str, *, force: bool, prune: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
        doing = f"removing image {ref}"
        with self._changed:
            image = self._image(ref, doing)
            names = self._refs(image)
            wanted = names if looks_like_id(ref) else [parse(ref).qualified]
            if len(wanted) > 1 and not force:
                raise InUse(f"{doing}: it has several names ({', '.join(map(familiar, names))})", status=409)
            last = set(names) <= set(wanted)
            if last:
                users = [c for c in self._users(image) if c.alive or not force]
                if users:
                    raise InUse(f"{doing}: container {', '.join(c.name for c in users)} has it", status=409)
                self._forget_image(image)
            for name in wanted:
                self._names.pop(name, None)
                self._told("image", "untag", image.id, familiar(name), {})
        return tuple(map(familiar, wanted)), (image.id,) if last else ()

    def _forget_image(self, image: FakeImage) -> None:
        for name in self._refs(image):
            del self._names[name]
        del self._images[image.id]
        self._told("image", "delete", image.id, image.id, {})

    def prune_images(self, *, all: bool, filters: Filters) -> tuple[tuple[str, ...], int]:
        with self._changed:
            gone = [
                image
                for image in self._images.values()
                if (all or not self._refs(image))
                and not self._users(image)
                and fits(image, filters, self._image_filters(), "images")
            ]
            for image in gone:
                self._forget_image(image)
        return tuple(image.id for image in gone), sum(len(tar) for image in gone for tar in image.layers)

    # ---------------------------------------------------------------- what takes a registry or processes
    def pull_image(self, ref: str, *, platform: str | None, auth: RegistryAuth | None) -> Iterator[Progress]:
        raise self._cannot(Capability.REGISTRY, f"pulling {ref}; add_image({ref!r}) puts one in")

    def push_image(self, ref: str, *, auth: RegistryAuth | None) -> Iterator[Progress]:
        raise self._cannot(Capability.REGISTRY, f"pushing {ref}")

    def build_image(self, context: Iterable[bytes], spec: BuildSpec) -> Iterator[Progress]:
        raise self._cannot(Capability.BUILD, "building")

    def _commit(self, base: FakeImage, tar: bytes, run: dict[str, Any], message: str, author: str) -> FakeImage:
        """Add an image with one more layer and return its ID."""
        now = dt.datetime.now(dt.timezone.utc).isoformat()
        config = dict(base.config)
        config["created"], config["author"], config["config"] = now, author, run
        config["rootfs"] = {"type": "layers", "diff_ids": [*(base.config["rootfs"]["diff_ids"] or []), sha256(tar)]}
        line = {"created": now, "created_by": " ".join(run.get("Cmd") or []), "comment": message, "author": author}
        config["history"] = [*(base.config.get("history") or []), line]
        return self._keep_image(json.dumps(config).encode(), (*base.layers, tar), base.id)


def _images_of(path: str) -> list[ImageArchive]:
    """Return every image of an archive. Raise InvalidImage."""
    try:
        with tarfile.open(path) as tar:
            source = tar.extractfile("manifest.json") if "manifest.json" in tar.getnames() else None
            raw = source.read() if source else b""
    except (tarfile.TarError, EOFError) as exc:
        raise InvalidImage(f"loading an archive: {exc}") from exc
    if not raw:
        return [open_image(path)]
    configs = dict.fromkeys(entry.config for entry in parse_save_entries(raw))
    return [open_image(path, ref=config.rpartition("/")[2].removesuffix(".json")) for config in configs]
