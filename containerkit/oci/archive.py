"""Open image archives: docker-archive and OCI layout, as a tar or a folder, down to config and layer blobs.

Archives come in three layouts. Docker until 24 wrote ``<id>/layer.tar`` and Podman ``<hex>.tar`` with symlinks to it,
both named by ``manifest.json``. Docker since 25 writes an OCI layout that has a ``manifest.json`` as well. Other tools
write the OCI layout alone. ``manifest.json`` is read first, since it names tags and layers directly.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO, TypeVar

from ..errors import InvalidImage, InvalidOption
from .compression import Compression, Expanded, decompress, sniff
from .config import ImageConfig
from .digest import sha256, sha256_of
from .image import Document, ImageArchive, LayerBlob
from .manifest import Index, Manifest, parse_document
from .members import Absent, Blob, Catalog, FolderMembers, Members, index_tar
from .platforms import matches, of_this_machine
from .problems import Limits, invalid
from .verify import layer_violations

T = TypeVar("T")

__all__ = ["SaveEntry", "choose", "find_image", "open_image", "parse_save_entries"]


@dataclass(frozen=True, slots=True)
class SaveEntry:
    """One image of ``manifest.json``, which despite its name is Docker's own table of contents and not a manifest."""

    config: str
    refs: tuple[str, ...]
    layers: tuple[str, ...]


def parse_save_entries(raw: bytes) -> tuple[SaveEntry, ...]:
    """Parse the images of ``manifest.json``. Raises InvalidImage with every violation."""
    document = parse_document(b'{"entries":' + raw + b"}", "manifest.json")["entries"]
    problems: list[str] = []
    entries: list[SaveEntry] = []
    if not isinstance(document, list) or not document:
        raise invalid("archive", ["manifest.json lists no image"])
    for number, item in enumerate(document):
        config = item.get("Config") if isinstance(item, dict) else None
        layers = item.get("Layers") if isinstance(item, dict) else None
        tags = item.get("RepoTags") if isinstance(item, dict) else None
        if not isinstance(config, str):
            problems.append(f"manifest.json[{number}] names no Config")
        if not isinstance(layers or [], list) or not all(isinstance(name, str) for name in layers or []):
            problems.append(f"manifest.json[{number}] has no list of Layers")
        if not problems:
            names = tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()
            entries.append(SaveEntry(str(config), names, tuple(layers or ())))
    if problems:
        raise invalid("archive", problems)
    return tuple(entries)


def choose(entries: Sequence[tuple[str, tuple[str, ...]]], ref: str | None) -> int:
    """Return the (config, refs) that ``ref`` names: a full name, its end (``app:1``), or a config digest prefix."""
    if ref is None:
        if len({config for config, _ in entries}) == 1:
            return 0
        names = ", ".join(refs[0] if refs else config for config, refs in entries)
        raise InvalidOption("ref", None, f"one of the archive's images: {names}")
    wanted = ref if ":" in ref.rpartition("/")[2] else f"{ref}:latest"
    for number, (config, refs) in enumerate(entries):
        if any(ref == name or name == wanted or name.endswith("/" + wanted) for name in refs):
            return number
        digits = config.removeprefix("blobs/sha256/").removeprefix("sha256:")
        if len(ref) >= 6 and digits.startswith(ref.removeprefix("sha256:")):
            return number
    raise InvalidOption("ref", ref, "one of: " + ", ".join(name for _, refs in entries for name in refs or ("<none>",)))


#: Folders of which a file system has at least one. A tar with one of them, and without the documents of an archive of
#: images, is a file system as `docker export` writes it.
_ROOT_FOLDERS = frozenset(
    {"bin", "boot", "dev", "etc", "home", "lib", "lib64", "media", "mnt", "opt"}
    | {"proc", "root", "run", "sbin", "srv", "sys", "tmp", "usr", "var"}
)
_DOCUMENTS = ("manifest.json", "index.json", "oci-layout", "repositories")


def open_image(
    path: str | os.PathLike[str] | BinaryIO,
    *,
    ref: str | None = None,
    limits: Limits | None = None,
    platform: str | None = None,
    file_systems: bool = False,
) -> ImageArchive:
    """Open an archive and find one image in it. Layers are located, not yet read.

    Args:
        path: docker-archive or OCI layout; a tar, a compressed tar, a folder, or a file open for reading bytes, which
            is read to its end.
        ref: name or config digest of the image, if the archive holds several.
        platform: such as "linux/arm64", if an OCI layout holds the image for several; None for this machine's.
        file_systems: accept the tar of a file system, of `docker export`, as an image of one layer without a config.

    Raises:
        InvalidImage: the path holds no image archive, or parts are missing or out of bounds; with every violation.
        InvalidOption: the archive holds several images, or none of that name or platform.
        OSError: the path cannot be read.
    """
    limits = limits or Limits()
    if not isinstance(path, (str, os.PathLike)):
        source = str(getattr(path, "name", "stream"))
        return _image_at(source, _expanded(path, limits), ref, limits, platform, file_systems)
    where = os.path.expanduser(os.fspath(path))
    mode = os.stat(where).st_mode
    members: Members
    if stat.S_ISDIR(mode):
        members = FolderMembers(where)
    elif stat.S_ISREG(mode):
        members = _tar_members(where, limits)
    else:
        raise invalid(where, ["neither a file nor a folder"])
    return _image_at(where, members, ref, limits, platform, file_systems)


def _image_at(
    where: str, members: Members, ref: str | None, limits: Limits, platform: str | None, file_systems: bool
) -> ImageArchive:
    try:
        if file_systems and isinstance(members, Catalog) and _is_file_system(members):
            return _file_system(members)
        return find_image(members, ref=ref, limits=limits, platform=platform)
    except InvalidImage as exc:
        raise invalid(where, exc.violations) from exc


def _is_file_system(members: Catalog) -> bool:
    return not any(name in members for name in _DOCUMENTS) and not members.folders().isdisjoint(_ROOT_FOLDERS)


def _file_system(members: Catalog) -> ImageArchive:
    """Return the tar of a file system as an image of one layer. Its diff_id is computed: the whole tar is read."""
    tar = members.whole
    assert tar is not None
    with tar.open() as source:
        diff_id = sha256_of(source.chunks())[0]
    layer = LayerBlob(os.path.basename(tar.path), tar, "none")
    return ImageArchive((), b"", "", ImageConfig((diff_id,)), (layer,))


def find_image(members: Members, *, ref: str | None, limits: Limits, platform: str | None = None) -> ImageArchive:
    """Find one image among an archive's members. Raises as ``open_image`` does."""
    try:
        image = _Finder(members, limits, platform).image(ref)
    except InvalidImage as exc:
        raise invalid("archive", [*members.problems, *exc.violations]) from exc
    if members.problems:
        raise invalid("archive", members.problems)
    return image


def _tar_members(path: str, limits: Limits) -> Catalog:
    """Return the members of a tar. A tar that is compressed as a whole is expanded to a temporary file first."""
    with open(path, "rb") as file:
        how = sniff(file.read(4))
        if how == "none":
            return index_tar(path, limits=limits)
        file.seek(0)
        return _expanded(file, limits)


def _expanded(file: BinaryIO, limits: Limits) -> Catalog:
    """Copy a tar from a file that may be a pipe to a temporary file, decompressed, and return its members."""
    source = str(getattr(file, "name", "stream"))
    first = file.read(1 << 18)
    if not isinstance(first, bytes):
        raise InvalidOption("path", file, "a path, or a file that is open for reading bytes")
    keeper = _Folder()
    plain = os.path.join(keeper.path, "archive.tar")
    try:
        with open(plain, "xb") as copy:
            chunks = chain([first], iter(lambda: file.read(1 << 18), b""))
            copy.writelines(decompress(chunks, sniff(first[:4]), limits=limits))
    except Expanded as exc:
        keeper.cleanup()
        raise invalid(source, [str(exc)]) from exc
    except BaseException:
        keeper.cleanup()
        raise
    return index_tar(plain, limits=limits, keeper=keeper)


class _Folder:
    """A temporary folder that is removed when nothing refers to it any more."""

    def __init__(self) -> None:
        self.path = tempfile.mkdtemp(prefix="containerkit-")
        self.cleanup = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


class _Finder:
    """Find the parts of an image in an archive, and collect the violations met on the way."""

    def __init__(self, members: Members, limits: Limits, platform: str | None = None) -> None:
        self._members = members
        self._platform = platform
        self._limits = limits
        self._problems: list[str] = []

    def image(self, ref: str | None) -> ImageArchive:
        if "version" in self._members and "manifest.json" in self._members:
            return self._from_dir()
        layout = "index.json" in self._members
        if "manifest.json" in self._members and not (layout and self._platform):  # it lists one platform of an image
            return self._from_save_entries(ref)
        if layout:
            return self._from_layout(ref)
        raise invalid("archive", ["neither manifest.json (docker-archive) nor index.json (OCI layout) in it"])

    def _from_save_entries(self, ref: str | None) -> ImageArchive:
        listed = parse_save_entries(self._document("manifest.json"))
        entries = self._of_platform([(entry, self._stated(entry.config)) for entry in listed])
        entry = entries[choose([(entry.config, entry.refs) for entry in entries], ref)]
        refs = tuple(dict.fromkeys(name for other in entries if other.config == entry.config for name in other.refs))
        found = self._manifest_of(entry) if "index.json" in self._members else None
        return self._build(refs, entry.config, list(entry.layers), found)

    def _from_dir(self) -> ImageArchive:
        """Find the image of skopeo's `dir:`: one manifest, and blobs named by the digits of their digests."""
        raw = self._document("manifest.json")
        manifest = Manifest.parse(raw)
        config = manifest.config.digest.partition(":")[2]
        self._of_platform([(manifest, self._stated(config))])
        names = [layer.digest.partition(":")[2] for layer in manifest.layers]
        return self._build((), config, names, _Listed(manifest, (), ()))

    def _from_layout(self, ref: str | None) -> ImageArchive:
        found = list(self._manifests("index.json", ()))
        if not found:
            raise invalid("archive", [*self._problems, "index.json leads to no image that is present"])
        stated = [(item, item.documents[-1].descriptor.platform) for item in found]
        if self._platform is None:
            wanted = [item for item, platform in stated if platform is None or matches(platform, of_this_machine())]
            wanted = wanted or found
        else:
            wanted = self._of_platform(
                [(item, platform or self._stated(item.manifest.config.path)) for item, platform in stated]
            )
        chosen = wanted[choose([(item.manifest.config.path, item.refs) for item in wanted], ref)]
        manifest = chosen.manifest
        same = (item for item in wanted if item.manifest.config == manifest.config)
        refs = tuple(dict.fromkeys(name for item in same for name in item.refs))
        return self._build(refs, manifest.config.path, [layer.path for layer in manifest.layers], chosen)

    def _build(self, refs: tuple[str, ...], name: str, layers: list[str], listed: _Listed | None) -> ImageArchive:
        manifest = listed.manifest if listed else None
        raw, config = b"", ImageConfig(())
        try:
            raw = self._document(name)
            config = ImageConfig.parse(raw)
            if len(config.diff_ids) != len(layers):
                self._problems.append(f"{len(layers)} layers, and {len(config.diff_ids)} diff_ids in the config")
        except InvalidImage as exc:
            self._problems += exc.violations
        found: dict[int, LayerBlob] = {}
        for index, layer in enumerate(layers):
            descriptor = manifest.layers[index] if manifest and index < len(manifest.layers) else None
            extent: Blob | str = self._members.find(layer)
            how: Compression = "none"
            if isinstance(extent, str) and descriptor is not None and descriptor.is_foreign:
                extent = Absent(descriptor.size, "its bytes are elsewhere: a foreign layer, which archives leave out")
            elif isinstance(extent, str):
                self._problems.append(f"layer {index}: {extent}")
                continue
            else:
                with extent.open() as source:
                    how = sniff(source.take(4))
            found[index] = LayerBlob(layer, extent, how, descriptor)
        if self._problems:
            # The image cannot be read, so report now what is wrong with its layers too.
            for index, blob in found.items():
                diff_id = config.diff_ids[index] if index < len(config.diff_ids) else None
                self._problems += layer_violations(index, blob, diff_id, limits=self._limits)
            raise invalid("archive", self._problems)
        documents = listed.documents if listed else ()
        return ImageArchive(refs, raw, name, config, tuple(found.values()), manifest, documents)

    def _of_platform(self, stated: list[tuple[T, tuple[str, str, str] | None]]) -> list[T]:
        """Return those of the wanted platform, or of an unknown one; all without a wish. Raises InvalidOption."""
        if self._platform is None:
            return [item for item, _ in stated]
        found = [item for item, platform in stated if platform is None or matches(platform, self._platform)]
        if not found:
            there = sorted({"/".join(filter(None, platform)) for _, platform in stated if platform is not None})
            raise InvalidOption("platform", self._platform, f"one of the archive's: {', '.join(there)}")
        return found

    def _stated(self, name: str) -> tuple[str, str, str] | None:
        """Return the platform that a config states; None if it states none, or if nobody wants to know."""
        if self._platform is None:
            return None
        try:
            config = ImageConfig.parse(self._document(name))
        except InvalidImage:  # reported when the image is built
            return None
        return (config.os, config.architecture, config.variant) if config.os and config.architecture else None

    def _document(self, name: str) -> bytes:
        extent = self._members.find(name)
        if isinstance(extent, str):
            raise invalid("archive", [*self._problems, extent])
        if extent.size > self._limits.document_bytes:
            raise invalid("archive", [*self._problems, f"{name!r} is a document of {extent.size} bytes"])
        return extent.read()

    def _manifest_of(self, entry: SaveEntry) -> _Listed | None:
        """Return the manifest with the same config, which adds the blobs' stated sizes. A layout may lack it."""
        known = len(self._problems)
        try:
            for item in self._manifests("index.json", ()):
                if item.manifest.config.path == entry.config and len(item.manifest.layers) == len(entry.layers):
                    return item
        except InvalidImage as exc:
            self._problems += exc.violations
            return None
        del self._problems[known:]  # Manifests of other platforms may be absent; this image does not need them.
        return None

    def _manifests(self, name: str, refs: tuple[str, ...], above: tuple[Document, ...] = ()) -> Iterator[_Listed]:
        """Yield every image manifest that an index leads to, with the names and documents on the way down."""
        seen = {document.descriptor.path for document in above}
        for item in Index.from_document(parse_document(self._document(name), name)).manifests:
            names = refs + _names(item.annotations)
            if item.is_attestation or item.path in seen:
                continue
            if item.path not in self._members:
                self._problems.append(f"{item.path!r} is missing")
                continue
            raw = self._document(item.path)
            document: Mapping[str, Any] = parse_document(raw, item.path)
            documents = (*above, Document(item, sha256(raw), len(raw)))
            if "manifests" in document:
                yield from self._manifests(item.path, names, documents)
            elif (manifest := Manifest.from_document(document)).is_image:
                yield _Listed(manifest, names, documents)
                self._problems = [problem for problem in self._problems if not problem.startswith("'blobs/")]


@dataclass(frozen=True, slots=True)
class _Listed:
    """An image manifest, with its names and every document that leads to it, itself included."""

    manifest: Manifest
    refs: tuple[str, ...]
    documents: tuple[Document, ...]


def _names(annotations: Mapping[str, str]) -> tuple[str, ...]:
    """Return the ref of an index entry. containerd's key holds the whole name, the OCI key often only the tag."""
    name = annotations.get("io.containerd.image.name") or annotations.get("org.opencontainers.image.ref.name")
    return (name,) if name else ()
