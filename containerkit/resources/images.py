"""Images: what an Engine has of them, and one of them."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ..backends.base import Capability, HistoryEntry, ImageRecord, Progress
from ..errors import ImageNotFound, InUse, InvalidOption, InvalidReference, PullFailed
from ..options import build_spec, flag, image_ref, local_path, platform_name
from ..options import filters as read_filters
from ..reference import parse
from ..spec import BuildSpec, RegistryAuth
from .base_images import base_images, dockerfile_text
from .context import build_context
from .copying import whole_file
from .process import callback_of

if TYPE_CHECKING:
    import sys

    if sys.version_info >= (3, 12):
        from typing import Unpack
    else:
        from typing_extensions import Unpack

    from ..layers import LayerStack
    from ..options import BuildOptions
    from .core import Core

__all__ = ["Image", "Images", "Pruned", "auth_of"]

OnProgress = Callable[[Progress], object]
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune deleted, and how many bytes the engine says that freed (its own count, not the disk's)."""

    deleted: tuple[str, ...]
    space_reclaimed: int


class Image:
    """One image. What it tells of itself is as of the last refresh()."""

    def __init__(self, core: Core, id: str, *, record: ImageRecord | None = None) -> None:
        self._core = core
        self._id = id
        self._record = record

    @property
    def id(self) -> str:
        """ "sha256:" and 64 hexadecimal digits."""
        return self._id

    @property
    def short_id(self) -> str:
        """12 hexadecimal digits, as the command line shows."""
        return self._id.removeprefix("sha256:")[:12]

    @property
    def record(self) -> ImageRecord:
        """All that is known of it; asked when something of it is needed."""
        if self._record is None or not self._record.complete:
            self.refresh()
        assert self._record is not None
        return self._record

    def refresh(self) -> Image:
        """Ask again. Raises ImageNotFound."""
        self._record = self._core.backend.inspect_image(self._id)
        return self

    @property
    def refs(self) -> tuple[str, ...]:
        """Its names and tags, as users write them: the same on every engine."""
        return (self._record or self.record).refs

    @property
    def digests(self) -> tuple[str, ...]:
        """ "name@sha256:…" of each registry that it came from or went to."""
        return (self._record or self.record).digests

    @property
    def size(self) -> int:
        """Bytes, in the engine's own unit of meaning: not to be compared across engines (see Engine.layers)."""
        return (self._record or self.record).size

    @property
    def created(self) -> float:
        """Seconds since the epoch."""
        return (self._record or self.record).created

    @property
    def labels(self) -> Mapping[str, str]:
        """Those of its configuration."""
        return (self._record or self.record).labels

    @property
    def config(self) -> Mapping[str, Any]:
        """The "config" object of its configuration: Env, Cmd, Entrypoint, …, as the image-spec names them."""
        return self.record.config

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """The digest of each layer's uncompressed tar, base first."""
        return self.record.diff_ids

    def __repr__(self) -> str:
        names = f" {', '.join(self._record.refs)}" if self._record and self._record.refs else ""
        return f"<Image {self.short_id}{names}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and other._id == self._id and other._core is self._core

    def __hash__(self) -> int:
        return hash(self._id)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        record = self.record
        return {
            "id": record.id,
            "refs": list(record.refs),
            "digests": list(record.digests),
            "size": record.size,
            "created": record.created,
            "os": record.os,
            "arch": record.arch,
            "labels": dict(record.labels),
            "diff_ids": list(record.diff_ids),
        }

    def inspect(self) -> Mapping[str, Any]:
        """The engine's own words, asked now; they differ between engines and versions."""
        return self.refresh().record.raw

    def layers(self) -> LayerStack:
        """What it is made of, base first."""
        from ..layers import image_layers

        return image_layers(self._core.backend, self._id)

    def history(self) -> tuple[HistoryEntry, ...]:
        """The instructions that made it, oldest first."""
        return self._core.backend.image_history(self._id)

    def tag(self, ref: str) -> None:
        """Give it one more name. Raises InvalidReference."""
        self._core.backend.tag_image(self._id, _tag_name(ref))
        self._record = None

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it as a docker-archive, under its names."""
        return Images(self._core).save(list(self.refs) or [self._id], path)

    def remove(self, *, force: bool = False) -> None:
        """Remove it with all its names. Raises InUse while a container has it, running or not."""
        backend = self._core.backend
        if not flag("force", force):
            users = [row.name for row in backend.list_containers(all=True, filters={}) if row.image_id == self._id]
            if users:
                raise InUse(
                    f"removing image {self.short_id}: container {users[0]} has it; remove that first", status=409
                )
            self._record = None
        # engines want to be forced to take several names at once, and some take containers with them, then
        backend.remove_image(self._id, force=force or len(self.record.refs) > 1, prune=True)


class Images:
    """The images of an engine."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def get(self, ref: str) -> Image:
        """By name, ID or an unambiguous start of one. Raises ImageNotFound."""
        record = self._core.backend.inspect_image(image_ref(ref))
        return Image(self._core, record.id, record=record)

    def exists(self, ref: str) -> bool:
        """Whether there is one of that name or ID."""
        try:
            self.get(ref)
        except ImageNotFound:
            return False
        return True

    def list(self, *, all: bool = False, filters: Mapping[str, Any] | None = None) -> list[Image]:
        """All that have a name, or are nobody's parent; with `all` the others too. One call to the engine."""
        flag("all", all)
        records = self._core.backend.list_images(all=all, filters=read_filters(filters))
        return [Image(self._core, record.id, record=record) for record in records]

    def pull(
        self,
        ref: str,
        *,
        platform: str | None = None,
        auth: tuple[str, str] | RegistryAuth | None = None,
        on_progress: OnProgress | None = None,
    ) -> Image:
        """Fetch an image from its registry.

        Args:
            platform: as "linux/arm64"; None for the engine's own.
            auth: (user, password) for this call; None for those of Engine.login, or else what `docker login` or
                `podman login` stored.
            on_progress: called with each Progress.

        Raises:
            PullFailed: with the registry's reason; also where it has the image for another platform only.
            ImageNotFound: it has none of that name. AuthenticationFailed.
        """
        name = parse(ref)
        wanted = None if platform is None else platform_name("platform", platform)
        told = callback_of(on_progress, "on_progress")
        found = None if auth is None else auth_of(auth, name.registry)
        self._core.require(Capability.REGISTRY, f"pulling {ref}")
        found = found or self._core.stored_credentials(name)
        for progress in self._core.backend.pull_image(ref, platform=wanted, auth=found):
            if told:
                told(progress)
        image = self.get(ref)
        if wanted and not is_for(image.record, wanted):
            # An image that is for one platform only is given whatever was asked for.
            has = f"{image.record.os}/{image.record.arch}"
            raise PullFailed(
                f"pulling {ref}: the registry has it for {has}, not for {wanted}; it is here as what it is"
            )
        return image

    def push(
        self,
        ref: str,
        *,
        auth: tuple[str, str] | RegistryAuth | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Send an image to the registry in its name. Raises PushFailed, AuthenticationFailed, ImageNotFound."""
        name = parse(ref)
        if name.digest:
            raise InvalidOption("ref", ref, "a name with a tag, not with a digest")
        told = callback_of(on_progress, "on_progress")
        found = None if auth is None else auth_of(auth, name.registry)
        self._core.require(Capability.REGISTRY, f"pushing {ref}")
        found = found or self._core.stored_credentials(name)
        for progress in self._core.backend.push_image(ref, auth=found):
            if told:
                told(progress)

    def build(
        self,
        context: str | os.PathLike[str] | Mapping[str, Any],
        *,
        on_progress: OnProgress | None = None,
        **options: Unpack[BuildOptions],
    ) -> Image:
        """Build an image from a folder, or from a mapping of paths to contents.

        Args:
            context: what the instructions can COPY from; a .dockerignore in it is heeded.
            options: tag, dockerfile, build_args, target, labels, platform, no_cache, pull, network, add_host, shm_size.

        Raises:
            BuildFailed: with the log, and the step that failed. InvalidOption, InvalidReference.
        """
        told = callback_of(on_progress, "on_progress")
        spec = build_spec(**options)
        asked = {"dockerfile", "file"} & set(options)
        chunks, dockerfile = build_context(context, spec.dockerfile if asked else None)
        self._core.require(Capability.BUILD, "building")
        text = dockerfile_text(context, dockerfile, spec.dockerfile if asked else None)
        credentials = self._base_credentials(text, spec)
        spec = replace(spec, dockerfile=dockerfile, credentials=credentials)
        identity = ""
        for progress in self._core.backend.build_image(chunks, spec):
            identity = progress.image_id or identity
            if told:
                told(progress)
        return self.get(identity)

    def _base_credentials(self, dockerfile: str, spec: BuildSpec) -> tuple[RegistryAuth, ...]:
        """Return stored credentials for the registries of those base images that the engine has to pull."""
        found: dict[str, RegistryAuth] = {}
        for ref in base_images(dockerfile, spec.build_args):
            with contextlib.suppress(InvalidReference):  # the builder reports it
                name = parse(ref)
                if name.registry not in found and (spec.pull or not self.exists(ref)):
                    auth = self._core.stored_credentials(name)
                    found |= {name.registry: auth} if auth else {}
        return tuple(found.values())

    def load(self, source: str | os.PathLike[str] | bytes | IO[bytes] | Iterable[bytes]) -> tuple[Image, ...]:
        """Load what a docker-archive or OCI archive holds: a path, bytes, an open file or pieces of bytes.

        Raises:
            InvalidImage: it is none; of a file and of bytes that is found before anything is sent.
        """
        with contextlib.ExitStack() as stack:
            names = self._core.backend.load_images(stack.enter_context(_archive(source)))
        found = (self.get(name) for name in names)
        return tuple({image.id: image for image in found}.values())

    def save(self, refs: str | Image | Iterable[str | Image], path: str | os.PathLike[str]) -> Path:
        """Write images as one docker-archive, in constant memory. An existing file is replaced when all is written."""
        if not isinstance(refs, (str, Image, Iterable)) or isinstance(refs, (bytes, Mapping)):
            raise InvalidOption("refs", refs, "an image's name, an Image, or several")
        several = [refs] if isinstance(refs, (str, Image)) else list(refs)
        names = [item.id if isinstance(item, Image) else image_ref(item) for item in several]
        if not names:
            raise InvalidOption("refs", refs, "at least one image")
        target = Path(local_path("path", path, "a file, in a folder that exists"))
        if target.is_dir() or not target.parent.is_dir():
            raise InvalidOption("path", str(path), "a file, in a folder that exists")
        for name in names:
            self._core.backend.inspect_image(name)  # some engines tell of a missing one only inside the archive
        with whole_file(target, mode=0o666 & ~_umask()) as write, self._core.backend.save_images(names) as stream:
            for chunk in stream:
                write(chunk)
        return target

    def remove(self, ref: str, *, force: bool = False) -> None:
        """Remove a name, and with its last one the image; an ID removes the image. Raises InUse, ImageNotFound."""
        self._core.backend.remove_image(image_ref(ref), force=flag("force", force), prune=True)

    def prune(self, *, all: bool = False, filters: Mapping[str, Any] | None = None) -> Pruned:
        """Remove images without a name; with `all`, every one that no container has."""
        flag("all", all)
        deleted, freed = self._core.backend.prune_images(all=all, filters=read_filters(filters))
        return Pruned(deleted, freed)


def auth_of(given: Any, registry: str) -> RegistryAuth:
    """Credentials for one registry. Raises InvalidOption."""
    if isinstance(given, RegistryAuth):
        return given
    if (
        not isinstance(given, tuple)
        or len(given) != 2
        or not all(isinstance(word, str) and word and "\0" not in word for word in given)
    ):
        raise InvalidOption("auth", type(given).__name__, "a pair of texts, (user, password)")
    if not isinstance(registry, str) or not registry or not re.fullmatch(r"[\w.\[\]:-]+", registry, re.ASCII):
        raise InvalidOption("registry", registry, 'a registry\'s address, like "docker.io" or "localhost:5000"')
    return RegistryAuth({"index.docker.io": "docker.io"}.get(registry, registry), *given)


def is_for(record: ImageRecord, platform: str) -> bool:
    """Whether an image is for a platform; a variant ("v7") is not looked at, since few images tell theirs."""
    asked = platform.split("/")[:2]
    return asked == [record.os, record.arch] if len(asked) == 2 else asked[0] in (record.os, record.arch)


def _tag_name(ref: str) -> str:
    name = parse(ref)
    if name.digest:
        raise InvalidOption("ref", ref, "a name with a tag, not with a digest")
    return ref


def _umask() -> int:
    """The process's own; it can only be asked for by setting it, which other threads would feel."""
    for line in Path("/proc/self/status").read_text().splitlines() if os.path.exists("/proc/self/status") else ():
        if line.startswith("Umask:"):
            return int(line.split()[1], 8)
    return 0o022


@contextlib.contextmanager
def _archive(source: Any) -> Iterator[Iterable[bytes]]:
    """The archive in pieces; what can be looked at before is."""
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if not path.is_file():
            raise InvalidOption("source", str(source), "a file that exists")
        from ..layers import check_archive

        check_archive(path)
        with path.open("rb") as file:
            yield iter(lambda: file.read(_CHUNK), b"")
    elif isinstance(source, (bytes, bytearray, memoryview)):
        with tempfile.NamedTemporaryFile(suffix=".tar") as spooled:
            spooled.write(source)
            spooled.flush()
            with _archive(spooled.name) as chunks:
                yield chunks
    elif hasattr(source, "read"):
        yield iter(lambda: source.read(_CHUNK), b"")
    elif isinstance(source, Iterable):
        yield source
    else:
        raise InvalidOption("source", type(source).__name__, "a path, bytes, an open file or pieces of bytes")
