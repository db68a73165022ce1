"""Images: the images of an engine, and their traffic with registries and archives."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ..backends.base import Capability, FoundImage, Progress
from ..errors import ImageNotFound, InvalidOption, InvalidReference, PullFailed
from ..options import (
    build_spec,
    parse_auth,
    parse_filters,
    parse_flag,
    parse_image,
    parse_items,
    parse_platform,
    parse_text,
    with_options,
)
from ..options.table import BUILD
from ..reference import parse
from ..spec import BuildSpec, RegistryAuth
from ..streams import ByteStream
from ..values import ValueList
from .archives import opened_archive, opened_file, save_images
from .base_images import base_images, dockerfile_text
from .context import build_context
from .image import Image, is_for
from .process import parse_callback
from .pruned import Pruned, RemovedImage

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..layers import PullCost
    from ..options import BuildOptions
    from .core import Core

__all__ = ["Images"]

OnProgress = Callable[[Progress], object]


class Images:
    """The images of an engine."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def get(self, ref: str) -> Image:
        """Return an image by name, ID or an unambiguous prefix of the ID. Raises ImageNotFound."""
        record = self._core.backend.inspect_image(parse_image(ref))
        return Image(self._core, record.id, record=record)

    def exists(self, ref: str) -> bool:
        """Return whether an image of that name or ID exists."""
        try:
            self.get(ref)
        except ImageNotFound:
            return False
        return True

    def list(self, *, all: bool = False, filters: Mapping[str, Any] | None = None) -> list[Image]:
        """Return the images that have a name or no child image, in one request.

        Args:
            all: include unnamed parents of other images.
            filters: as `docker images --filter`: {"label": ["a=b"], "dangling": True}.
        """
        parse_flag("all", all)
        records = self._core.backend.list_images(all=all, filters=parse_filters("filters", filters))
        return ValueList(Image(self._core, record.id, record=record) for record in records)

    def pull(
        self,
        ref: str,
        *,
        platform: str | None = None,
        auth: tuple[str, str] | RegistryAuth | None = None,
        on_progress: OnProgress | None = None,
    ) -> Image:
        """Pull an image from its registry.

        Args:
            ref: name of the image.
            platform: such as "linux/arm64"; None for the engine's own.
            auth: (user, password) for this call; None for those of Engine.login(), else those that `docker login` or
                `podman login` stored.
            on_progress: function that receives each Progress.

        Raises:
            PullFailed: with the registry's reason, also if it has the image for other platforms only.
            ImageNotFound: the registry has no image of that name.
            AuthenticationFailed: the registry requires credentials or rejected them.
        """
        name = parse(ref)
        wanted = None if platform is None else parse_platform("platform", platform)
        report = parse_callback(on_progress, "on_progress")
        credentials = None if auth is None else parse_auth(auth, name.registry)
        self._core.require(Capability.REGISTRY, f"pulling {ref}")
        credentials = credentials or self._core.stored_credentials(name)
        for progress in self._core.backend.pull_image(ref, platform=wanted, auth=credentials):
            if report:
                report(progress)
        image = self.get(ref)
        if wanted and not is_for(image.record, wanted):
            # a registry that has one platform only sends it, whatever platform was requested
            platform_here = f"{image.record.os}/{image.record.arch}"
            raise PullFailed(
                f"pulling {ref}: the registry has it for {platform_here}, not for {wanted}; it was pulled as it is"
            )
        return image

    def pull_cost(
        self,
        ref: str,
        *,
        platform: str | None = None,
        auth: tuple[str, str] | RegistryAuth | None = None,
        tls_verify: bool = True,
    ) -> PullCost:
        """Return what pulling an image would move, given the layers that the engine has. Pulls nothing.

        This process asks the registry, not the engine; mirrors and certificates of the engine do not count.

        Args:
            ref: name of the image.
            platform: such as "linux/arm64"; None for the engine's own.
            auth: (user, password); None for those that `docker login` or `podman login` stored.
            tls_verify: False accepts any certificate, and plain http.

        Raises:
            ImageNotFound: the registry has no image of that name.
            AuthenticationFailed, PullFailed, InvalidImage, InvalidOption, InvalidReference.

        Example::

            cost = engine.images.pull_cost("debian:12")
            print(cost.bytes_to_move, cost.bytes_here)
        """
        from ..layers import pull_cost

        name = parse(ref)
        credentials = self._core.stored_credentials(name) if auth is None else parse_auth(auth, name.registry)
        return pull_cost(self._core.backend, ref, platform=platform, auth=credentials, tls_verify=tls_verify)

    def push(
        self,
        ref: str,
        *,
        auth: tuple[str, str] | RegistryAuth | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Push an image to the registry in its name. The arguments are those of pull().

        Raises:
            PushFailed, AuthenticationFailed, ImageNotFound.
        """
        name = parse(ref)
        if name.digest:
            raise InvalidOption("ref", ref, "a name with a tag, not with a digest")
        report = parse_callback(on_progress, "on_progress")
        credentials = None if auth is None else parse_auth(auth, name.registry)
        self._core.require(Capability.REGISTRY, f"pushing {ref}")
        credentials = credentials or self._core.stored_credentials(name)
        for progress in self._core.backend.push_image(ref, auth=credentials):
            if report:
                report(progress)

    @with_options(BUILD)
    def build(
        self,
        context: str | os.PathLike[str] | Mapping[str, Any],
        *,
        on_progress: OnProgress | None = None,
        **options: Unpack[BuildOptions],
    ) -> Image:
        """Build an image from a Dockerfile.

        Args:
            context: a folder, or a mapping from paths to contents. Its .dockerignore is applied. COPY sees neither an
                ignored Dockerfile nor one from outside of the context.
            on_progress: function that receives each Progress; `stream` holds the builder's log.
            options: tag, dockerfile, build_args, target, labels, platform, no_cache, pull, network, add_host, shm_size.

        Raises:
            BuildFailed: with the log and the failed step.
            InvalidOption, InvalidReference, PermissionError: before anything is sent.
        """
        report = parse_callback(on_progress, "on_progress")
        spec = build_spec(**options)
        named = {"dockerfile", "file"} & set(options)
        chunks, dockerfile, hidden = build_context(context, spec.dockerfile if named else None)
        self._core.require(Capability.BUILD, "building")
        text = dockerfile_text(context, dockerfile, spec.dockerfile if named else None)
        credentials = self._base_credentials(text, spec)
        spec = replace(spec, dockerfile=dockerfile, hidden=hidden, credentials=credentials)
        image_id = ""
        for progress in self._core.backend.build_image(chunks, spec):
            image_id = progress.image_id or image_id
            if report:
                report(progress)
        return self.get(image_id)

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
        """Load the images of a docker-archive or OCI archive.

        Args:
            source: a path, bytes, an open file, or an iterable of bytes.

        Raises:
            InvalidImage: the source is no image archive. A path and bytes are checked before anything is sent.
        """
        with contextlib.ExitStack() as stack:
            names = self._core.backend.load_images(stack.enter_context(opened_archive(source)))
        found = (self.get(name) for name in names)
        return tuple({image.id: image for image in found}.values())

    def import_archive(
        self,
        source: str | os.PathLike[str] | bytes | IO[bytes] | Iterable[bytes],
        ref: str = "",
        *,
        message: str = "",
        changes: Iterable[str] = (),
    ) -> Image:
        """Make an image of one layer from a tar of a file system, as `Container.export` returns one.

        Args:
            source: a path, bytes, an open file, or an iterable of bytes.
            ref: the image's name; without one it has an ID only.
            message: a comment for the image's history.
            changes: instructions of a Dockerfile that set the configuration, as `CMD ["sh"]`.

        Raises:
            InvalidImage: the engine refused the archive.
            InvalidOption: the source is a path that does not exist.
        """
        lines = [
            parse_text("changes", line, "instructions")
            for line in parse_items("changes", changes, "a list of instructions")
        ]
        comment = parse_text("message", message, "text", empty=True)
        name = parse(ref).qualified if ref else ""
        with opened_file(source) as data:
            return self.get(self._core.backend.import_image(data, name, message=comment, changes=lines))

    def prune_build_cache(self, *, all: bool = False) -> Pruned:
        """Remove the build cache that no build uses. Docker only; Podman's is its images without a name.

        Args:
            all: also what a later build could use.

        Raises:
            Unsupported: the engine is Podman.
        """
        removed, freed = self._core.backend.prune_build_cache(all=parse_flag("all", all))
        return Pruned(removed, freed)

    def save(self, refs: str | Image | Iterable[str | Image], path: str | os.PathLike[str]) -> Path:
        """Write images to one docker-archive, in constant memory.

        The file appears, or replaces an existing one, when it is complete.

        Args:
            refs: names, IDs or Images.
            path: the file.
        """
        return save_images(self._core.backend, _names(refs), path)

    def stream_save(self, refs: str | Image | Iterable[str | Image]) -> ByteStream:
        """Return images as the stream of one docker-archive.

        Args:
            refs: names, IDs or Images.

        Raises:
            ImageNotFound, InvalidOption.
        """
        names = _names(refs)
        for name in names:
            self._core.backend.inspect_image(name)  # some engines report a missing image only inside the archive
        return self._core.backend.save_images(names)

    def search(
        self, term: str, *, limit: int | None = None, filters: Mapping[str, Any] | None = None
    ) -> tuple[FoundImage, ...]:
        """Search for images in the registries that the engine searches.

        Docker searches Docker Hub; Podman searches those of its registries.conf, or the one that the term starts with.

        Args:
            term: a word of the name or description.
            limit: most results, 1 to 100; None for the engine's own limit.
            filters: as `docker search --filter`: {"is-official": "true", "stars": "3"}.

        Raises:
            EngineError: no registry answers.
            InvalidOption: a bad limit, or an empty term.
            Unsupported: the engine has no access to registries.
        """
        self._core.require(Capability.REGISTRY, "searching for images")
        if not isinstance(term, str) or not term.strip():
            raise InvalidOption("term", term, "a word of the name or description")
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or not 0 < limit <= 100):
            raise InvalidOption("limit", limit, "a whole number from 1 to 100, or None")
        return self._core.backend.search_images(term, limit=limit, filters=parse_filters("filters", filters))

    def remove(self, ref: str, *, force: bool = False) -> RemovedImage:
        """Remove a name, and the image with its last name; an ID removes the image.

        Args:
            ref: a name or an ID.
            force: remove an image that has several names or a stopped container.

        Returns:
            The names and the images that were removed.

        Raises:
            InUse, ImageNotFound.
        """
        removed = self._core.backend.remove_image(parse_image(ref), force=parse_flag("force", force), prune=True)
        return RemovedImage(*removed)

    def prune(self, *, all: bool = False, filters: Mapping[str, Any] | None = None) -> Pruned:
        """Remove images without a name.

        Args:
            all: remove every image that no container uses.
            filters: as `docker image prune --filter`.

        Returns:
            The removed IDs and names, and the bytes freed by the engine's own count.
        """
        parse_flag("all", all)
        removed, freed = self._core.backend.prune_images(all=all, filters=parse_filters("filters", filters))
        return Pruned(removed, freed)


def _names(refs: Any) -> list[str]:
    """Return the names or IDs of one image or several."""
    if not isinstance(refs, (str, Image, Iterable)) or isinstance(refs, (bytes, Mapping)):
        raise InvalidOption("refs", refs, "an image's name, an Image, or several")
    several = [refs] if isinstance(refs, (str, Image)) else list(refs)
    names = [item.id if isinstance(item, Image) else parse_image(item) for item in several]
    if not names:
        raise InvalidOption("refs", refs, "at least one image")
    return names
