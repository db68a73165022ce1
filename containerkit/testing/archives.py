"""Build small images in memory: valid ones that engines load, and broken ones that readers must refuse.

    base = ImageBuilder().layer(files={"etc/os-release": "ID=tiny", "bin/busybox": Path("busybox")})
    image = base.layer(whiteouts=["etc/os-release"], created_by="RUN rm /etc/os-release").tag("tiny:1")
    data = image.to_docker_archive()

The same calls give the same bytes: times are 0, the owner is root. A builder is immutable: each call returns a new
builder, so images can share a base.
"""

from __future__ import annotations

import gzip
import io
import json
import platform
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from ..oci.compression import Compression
from ..oci.digest import chain_ids, hex_part, sha256

Content = bytes | str | int | Path
Layout = Literal["docker20", "podman", "docker25"]
Fault = Literal[
    "wrong config digest",
    "wrong diff_id",
    "missing layer",
    "missing config",
    "truncated layer",
    "no history",
    "short history",
    "long history",
]
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "armv7l": "arm"}
_LAYER_TYPES = {"none": "tar", "gzip": "tar+gzip", "zstd": "tar+zstd"}


@dataclass(frozen=True, slots=True)
class BuiltLayer:
    """A layer's uncompressed tar, and the instruction of its history entry."""

    tar: bytes = field(repr=False)
    created_by: str

    @property
    def diff_id(self) -> str:
        """Return the digest of the tar."""
        return sha256(self.tar)


@dataclass(frozen=True, slots=True)
class ImageBuilder:
    """An image to build.

    Attributes:
        architecture: in Go's naming; by default this machine's, so that local engines can run the image.
        lines: the history, oldest first; a string is an entry without a layer.
        tags: names. config: execution parameters. faults: what is broken on purpose.
    """

    architecture: str = field(default_factory=lambda: _MACHINES.get(platform.machine(), platform.machine()))
    lines: tuple[BuiltLayer | str, ...] = ()
    tags: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    faults: frozenset[Fault] = frozenset()

    def layer(
        self,
        *,
        files: Mapping[str, Content] | None = None,
        dirs: Iterable[str] = (),
        whiteouts: Iterable[str] = (),
        opaque: Iterable[str] = (),
        links: Mapping[str, str] | None = None,
        symlinks: Mapping[str, str] | None = None,
        modes: Mapping[str, int] | None = None,
        members: Iterable[tarfile.TarInfo] = (),
        created_by: str | None = None,
    ) -> ImageBuilder:
        """Return a builder with one more layer.

        Args:
            files: path -> content: bytes, text, a length (filled with a pattern), or the path of a real file, which
                keeps its executable bits.
            dirs: directories to add; parents of files need not be listed.
            whiteouts: paths of lower layers to hide.
            opaque: directories whose content in lower layers is hidden.
            links: hardlinks, new path -> existing path.
            symlinks: path -> target.
            modes: path -> permission bits; default 0644, and 0755 for directories.
            members: other tar members.
            created_by: the instruction; by default a COPY that names the layer.
        """
        tar = layer_tar(
            files=files,
            dirs=dirs,
            whiteouts=whiteouts,
            opaque=opaque,
            links=links,
            symlinks=symlinks,
            modes=modes,
            members=members,
        )
        return self.raw_layer(tar, created_by=created_by)

    def raw_layer(self, tar: bytes, *, created_by: str | None = None) -> ImageBuilder:
        """Return a builder with a layer of these bytes, valid or not."""
        instruction = created_by if created_by is not None else f"COPY layer {len(self.layers)} /"
        return replace(self, lines=(*self.lines, BuiltLayer(tar, instruction)))

    def metadata(self, created_by: str) -> ImageBuilder:
        """Return a builder with one more history entry without a layer, such as ``ENV A=1``."""
        return replace(self, lines=(*self.lines, created_by))

    def tag(self, *refs: str) -> ImageBuilder:
        """Return a builder with more names."""
        return replace(self, tags=(*self.tags, *refs))

    def run_config(self, **values: Any) -> ImageBuilder:
        """Return a builder with execution parameters by their image-spec names: ``Cmd=["sh"]``, ``Env=["A=1"]``."""
        return replace(self, config={**self.config, **values})

    def broken(self, *faults: Fault) -> ImageBuilder:
        """Return a builder with faults; faults of a layer concern the topmost layer."""
        return replace(self, faults=self.faults | set(faults))

    @property
    def layers(self) -> tuple[BuiltLayer, ...]:
        """Return the layers, base first."""
        return tuple(line for line in self.lines if isinstance(line, BuiltLayer))

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """Return the diff IDs that the configuration states."""
        ids = [layer.diff_id for layer in self.layers]
        if "wrong diff_id" in self.faults and ids:
            ids[-1] = sha256(b"something else")
        return tuple(ids)

    def config_bytes(self) -> bytes:
        """Return the configuration blob."""
        history: list[dict[str, Any]] = [
            {"created": "1970-01-01T00:00:00Z", "created_by": line, "empty_layer": True}
            if isinstance(line, str)
            else {"created": "1970-01-01T00:00:00Z", "created_by": line.created_by}
            for line in self.lines
        ]
        if "no history" in self.faults:
            history = []
        if "short history" in self.faults:
            history = history[:-1]
        if "long history" in self.faults:
            history.append({"created": "1970-01-01T00:00:00Z", "created_by": "RUN one too many"})
        return _json(
            {
                "architecture": self.architecture,
                "os": "linux",
                "created": "1970-01-01T00:00:00Z",
                "config": dict(self.config),
                "rootfs": {"type": "layers", "diff_ids": list(self.diff_ids)},
                **({"history": history} if history else {}),
            }
        )

    @property
    def image_id(self) -> str:
        """Return the digest of the configuration."""
        return sha256(self.config_bytes())

    def to_docker_archive(
        self, layout: Layout = "docker20", *, compression: Compression = "none", documents_first: bool = False
    ) -> bytes:
        """Return the tar that ``docker save`` (up to 24, or from 25) or ``podman save`` writes.

        Args:
            layout: which of these.
            compression: of the layers; ``docker25`` only.
            documents_first: put manifest and configuration before the layers.
        """
        return docker_archive([self], layout, compression=compression, documents_first=documents_first)

    def to_oci_layout(self, *, compression: Compression = "gzip") -> bytes:
        """Return an OCI layout as a tar, without ``manifest.json``."""
        return pack(self.oci_members(compression=compression))

    def oci_members(self, *, compression: Compression = "gzip") -> dict[str, bytes]:
        """Return the files of an OCI layout by name."""
        blobs: dict[str, bytes] = {}

        def descriptor(data: bytes, media_type: str) -> dict[str, Any]:
            digest = sha256(data)
            blobs["blobs/sha256/" + hex_part(digest)] = data
            return {"mediaType": media_type, "digest": digest, "size": len(data)}

        kind = "application/vnd.oci.image.layer.v1." + _LAYER_TYPES[compression]
        layers = [descriptor(_compressed(layer.tar, compression), kind) for layer in self.layers]
        config = descriptor(self.config_bytes(), "application/vnd.oci.image.config.v1+json")
        manifest: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config,
            "layers": layers,
        }
        entry = descriptor(_json(manifest), manifest["mediaType"])
        entry["platform"] = {"os": "linux", "architecture": self.architecture}
        entries = [
            {
                **entry,
                "annotations": {
                    "io.containerd.image.name": tag,
                    "org.opencontainers.image.ref.name": tag.rpartition(":")[2],
                },
            }
            for tag in self.tags
        ]
        top = "blobs/sha256/" + hex_part(layers[-1]["digest"]) if layers else ""
        base = "blobs/sha256/" + hex_part(config["digest"])
        self._break(blobs, top, base)
        index = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": entries or [entry],
        }
        return {**blobs, "index.json": _json(index), "oci-layout": _json({"imageLayoutVersion": "1.0.0"})}

    def _break(self, members: dict[str, bytes], top: str, config: str) -> None:
        """Apply the faults that concern members."""
        if "missing layer" in self.faults:
            members.pop(top, None)
        if "truncated layer" in self.faults and top in members:
            members[top] = members[top][: len(members[top]) // 2 - 100]
        if "missing config" in self.faults:
            members.pop(config, None)
        if "wrong config digest" in self.faults and config in members:
            members[config] += b"\n"


def docker_archive(
    images: Sequence[ImageBuilder],
    layout: Layout = "docker20",
    *,
    compression: Compression = "none",
    documents_first: bool = False,
) -> bytes:
    """Return one archive of several images, which share their common layers."""
    documents: dict[str, bytes] = {}
    blobs: dict[str, bytes] = {}
    links: dict[str, str] = {}
    entries: list[dict[str, Any]] = []
    for image in images:
        config = hex_part(image.image_id) + ".json"
        names: list[str] = []
        if layout == "docker25":
            members = image.oci_members(compression=compression)
            config = "blobs/sha256/" + hex_part(image.image_id)
            names = ["blobs/sha256/" + hex_part(sha256(_compressed(layer.tar, compression))) for layer in image.layers]
            index = json.loads(documents.get("index.json", b'{"manifests": []}'))["manifests"]
            fresh = json.loads(members.pop("index.json"))
            fresh["manifests"] = index + fresh["manifests"]
            documents["index.json"] = _json(fresh)
            documents["oci-layout"] = members.pop("oci-layout")
            blobs.update(members)
        else:
            documents[config] = image.config_bytes()
            for layer, chain_id in zip(image.layers, chain_ids(x.diff_id for x in image.layers), strict=True):
                folder = hex_part(sha256(b"v1 " + chain_id.encode()))
                plain = hex_part(layer.diff_id) + ".tar"
                name = f"{folder}/layer.tar" if layout == "docker20" else plain
                names.append(name)
                blobs[f"{folder}/VERSION"] = b"1.0"
                blobs[name] = layer.tar
                if layout == "podman":
                    links[f"{folder}/layer.tar"] = f"../{plain}"
            members = {**documents, **blobs}
            image._break(members, names[-1] if names else "", config)
            documents = {name: members[name] for name in documents if name in members}
            blobs = {name: members[name] for name in blobs if name in members}
        entries.append({"Config": config, "RepoTags": list(image.tags) or None, "Layers": names})
    documents["manifest.json"] = _json(entries)
    parts = (documents, blobs) if documents_first else (blobs, documents)
    return pack({**parts[0], **parts[1]}, links)


def layer_tar(
    *,
    files: Mapping[str, Content] | None = None,
    dirs: Iterable[str] = (),
    whiteouts: Iterable[str] = (),
    opaque: Iterable[str] = (),
    links: Mapping[str, str] | None = None,
    symlinks: Mapping[str, str] | None = None,
    modes: Mapping[str, int] | None = None,
    members: Iterable[tarfile.TarInfo] = (),
) -> bytes:
    """Return the tar of a layer, as ``ImageBuilder.layer`` describes it.

    Directories come first, then whiteouts, files, links.
    """
    out = io.BytesIO()
    modes = modes or {}
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:

        def add(name: str, kind: bytes, mode: int, *, data: bytes = b"", target: str = "") -> None:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(data), target
            info.mode = modes.get(name, mode)
            tar.addfile(info, io.BytesIO(data))

        for name in dirs:
            add(name, tarfile.DIRTYPE, 0o755)
        for name in opaque:
            add(f"{name.rstrip('/')}/.wh..wh..opq" if name.strip("/") else ".wh..wh..opq", tarfile.REGTYPE, 0o644)
        for name in whiteouts:
            folder, slash, last = name.rpartition("/")
            add(f"{folder}{slash}.wh.{last}", tarfile.REGTYPE, 0o644)
        for name, content in (files or {}).items():
            mode = content.stat().st_mode & 0o777 if isinstance(content, Path) else 0o644
            add(name, tarfile.REGTYPE, mode, data=_bytes(content))
        for name, target in (links or {}).items():
            add(name, tarfile.LNKTYPE, 0o644, target=target)
        for name, target in (symlinks or {}).items():
            add(name, tarfile.SYMTYPE, 0o777, target=target)
        for info in members:
            tar.addfile(info, io.BytesIO(bytes(info.size)))
    return out.getvalue()


def pack(members: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> bytes:
    """Return a tar of files, with symlinks after them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return out.getvalue()


def unpack_to(members: Mapping[str, bytes], folder: Path) -> Path:
    """Write members into a directory: an OCI layout as tools keep it on disk."""
    for name, data in members.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def _bytes(content: Content) -> bytes:
    if isinstance(content, Path):
        return content.read_bytes()
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, int):
        return (b"0123456789abcde\n" * (content // 16 + 1))[:content]
    return content


def _compressed(data: bytes, compression: Compression) -> bytes:
    if compression == "gzip":
        return gzip.compress(data, mtime=0)
    if compression == "zstd":
        packed: bytes = import_module("zstandard").ZstdCompressor().compress(data)
        return packed
    return data


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
