"""The image of a registry, read without pulling it: its documents at once, its layers when they are asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ..errors import AuthenticationFailed, ImageNotFound, InvalidOption, PullFailed
from ..oci.config import ImageConfig
from ..oci.digest import sha256
from ..oci.image import Document, ImageArchive, LayerBlob
from ..oci.layer import FileEntry, LayerContents, read_layer
from ..oci.manifest import Descriptor, Index, Manifest, parse_document
from ..oci.members import Absent, Blob
from ..oci.platforms import matches, of_this_machine
from ..oci.problems import Limits, invalid
from ..oci.sources import StreamSource
from ..options import parse_auth, parse_flag, parse_platform, parse_timeout
from ..reference import Reference, parse
from ..registry import RegistryClient, RemoteBlob
from ..spec import RegistryAuth
from ..userconfig.credentials import find_credentials
from ..userconfig.environment import Environment
from ..userconfig.registries import Place, certificates, places
from .contents import Sizes
from .readers import BlobReader
from .stack import LayerStack, build_stack

__all__ = ["RegistryImage", "list_tags", "open_registry"]

_SCHEME = "docker://"


@dataclass(frozen=True, slots=True, repr=False)
class RegistryImage(LayerStack):
    """An image of a registry: its layers, as for any other image, and what only a registry knows.

    The manifest and the config are read at once. A layer is downloaded when its files are asked for, as a stream that
    is not kept. `sizes.compressed` needs no download; `content` and `tar` are None until the layer was read.

    Attributes:
        digest: digest of the manifest; names exactly this image in its repository.
        media_type: media type of the manifest.
        blobs: descriptors of the layers' blobs, base first.
        platforms: the platforms that the registry has under this name, like "linux/arm/v7".
    """

    digest: str = ""
    media_type: str = ""
    blobs: tuple[Descriptor, ...] = field(default=(), repr=False)
    platforms: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes and the ``sizes`` of the whole as JSON-ready types."""
        blobs = [{"media_type": one.media_type, "digest": one.digest, "size": one.size} for one in self.blobs]
        own = {"digest": self.digest, "media_type": self.media_type, "platforms": list(self.platforms), "blobs": blobs}
        return {**LayerStack.to_dict(self), **own}


def open_registry(
    ref: str,
    *,
    platform: str | None = None,
    auth: tuple[str, str] | RegistryAuth | None = None,
    tls_verify: bool = True,
    timeout: float | None = 60.0,
    limits: Limits | None = None,
) -> RegistryImage:
    """Return an image of a registry without pulling it. Needs no engine.

    Mirrors and plain http of `registries.conf`, and certificates in `certs.d`, are used as podman and skopeo use them.

    Args:
        ref: name of the image, with or without "docker://" in front.
        platform: such as "linux/arm64"; None for the one of this machine.
        auth: (user, password); None for those that `docker login` or `podman login` stored.
        tls_verify: False accepts any certificate, and plain http. Plain http is accepted from 127.0.0.1 and localhost
            in any case.
        timeout: seconds without an answer, or without another piece of it, after which a request fails.
        limits: what is refused from untrusted bytes.

    Raises:
        ImageNotFound: the registry has no image of that name.
        AuthenticationFailed: the registry requires credentials or rejected them.
        PullFailed: the registry does not answer, or refused; with its reason.
        InvalidImage: what it sent is no image, or its bytes are not those of the digest.
        InvalidOption: it has the image for other platforms only.
        InvalidReference: the name breaks the grammar.

    Example::

        image = open_registry("docker://registry.example/team/app:1", platform="linux/arm64")
        print(image.platforms, image.sizes.compressed)
    """
    name = _named(ref)
    wanted = None if platform is None else parse_platform("platform", platform)
    if limits is not None and not isinstance(limits, Limits):
        raise InvalidOption("limits", limits, "Limits, or None for the default")
    limits = limits or Limits()
    client, raw, digest = _first(name, auth, tls_verify, timeout, limits)
    document = parse_document(raw, f"manifest of {name}")
    documents: list[Document] = []
    platforms: tuple[str, ...] = ()
    if "manifests" in document:
        listed = [one for one in Index.from_document(document).manifests if not one.is_attestation]
        platforms = tuple(dict.fromkeys(_written(one) for one in listed if one.platform is not None))
        chosen = _choose(listed, wanted, name, platforms)
        raw, digest = client.manifest(chosen.digest, limits.document_bytes)
        document = parse_document(raw, f"manifest of {name}")
        documents.append(Document(chosen, digest, len(raw)))
    manifest = Manifest.from_document(document)
    if not manifest.is_image:
        raise invalid(str(name), ["the registry has another artifact under this name, not an image"])
    raw_config = client.document(manifest.config.digest, limits.document_bytes)
    if sha256(raw_config) != manifest.config.digest:
        raise invalid(str(name), [f"the registry sent other bytes than those of config {manifest.config.digest}"])
    config = ImageConfig.parse(raw_config)
    if len(config.diff_ids) != len(manifest.layers):
        raise invalid(str(name), [f"{len(manifest.layers)} layers, and {len(config.diff_ids)} diff_ids in the config"])
    here = "/".join(part for part in (config.os, config.architecture, config.variant) if part)
    if wanted is not None and not platforms and not matches((config.os, config.architecture, config.variant), wanted):
        raise InvalidOption("platform", platform, f"a platform of {name}: {here}")
    image = ImageArchive((), raw_config, "", config, _layers(client, manifest), manifest, tuple(documents))
    stack = build_stack(
        name.familiar,
        diff_ids=config.diff_ids,
        history=config.history,
        image_id=manifest.config.digest,
        config_digest=manifest.config.digest,
        config=config,
        reader=lambda: _RegistryReader(image, limits),
    )
    return RegistryImage(
        **{part.name: getattr(stack, part.name) for part in fields(LayerStack)},
        digest=digest,
        media_type=str(document.get("mediaType", "")),
        blobs=manifest.layers,
        platforms=platforms or (here,),
    )


def list_tags(
    ref: str,
    *,
    auth: tuple[str, str] | RegistryAuth | None = None,
    tls_verify: bool = True,
    timeout: float | None = 60.0,
) -> tuple[str, ...]:
    """Return the tags that a registry has of a repository. The arguments are those of open_registry().

    Args:
        ref: a name in the repository; its tag does not matter.

    Raises:
        ImageNotFound: the registry has no such repository.
        AuthenticationFailed, PullFailed, InvalidReference.
    """
    place = places(Environment.current(), _named(ref))[-1]  # a mirror need not have every tag
    return _client(place, auth, tls_verify, timeout).tags()


def _named(ref: str) -> Reference:
    return parse(ref.removeprefix(_SCHEME) if isinstance(ref, str) else ref)


def _client(place: Place, auth: Any, tls_verify: bool, timeout: float | None) -> RegistryClient:
    name, environment = place.name, Environment.current()
    if auth is not None:
        credentials: RegistryAuth | None = parse_auth(auth, name.registry)
    else:
        credentials = find_credentials(environment, name.registry, name.repository, kind="docker")
    return RegistryClient(
        name,
        auth=credentials,
        tls_verify=parse_flag("tls_verify", tls_verify) and not place.insecure,
        timeout=parse_timeout("timeout", timeout),
        certificates=certificates(environment, name.registry),
    )


def _first(
    name: Reference, auth: Any, tls_verify: bool, timeout: float | None, limits: Limits
) -> tuple[RegistryClient, bytes, str]:
    """Return the manifest of the first place that has the image, with its digest and the client of that place."""
    *mirrors, itself = places(Environment.current(), name)
    wanted = name.digest or name.tag or ""
    for mirror in mirrors:
        with contextlib.suppress(ImageNotFound, AuthenticationFailed, PullFailed):
            client = _client(mirror, None, tls_verify, timeout)  # the credentials are for the registry itself
            return client, *client.manifest(wanted, limits.document_bytes)
    client = _client(itself, auth, tls_verify, timeout)
    return client, *client.manifest(wanted, limits.document_bytes)


def _layers(client: RegistryClient, manifest: Manifest) -> tuple[LayerBlob, ...]:
    def blob(layer: Descriptor) -> Blob:
        if layer.is_foreign:
            return Absent(layer.size, "its bytes are elsewhere: a foreign layer, which registries do not hold")
        return RemoteBlob(client, layer.digest, layer.size)

    return tuple(LayerBlob(layer.digest, blob(layer), None, layer) for layer in manifest.layers)


def _written(descriptor: Descriptor) -> str:
    return "/".join(part for part in descriptor.platform or () if part)


def _choose(listed: list[Descriptor], wanted: str | None, name: Reference, platforms: tuple[str, ...]) -> Descriptor:
    """Return the manifest for a platform; without a wish, for this machine's, else the only one."""
    if not listed:
        raise ImageNotFound(f"reading {name} from its registry: its index lists no image")
    for one in listed:
        if one.platform is not None and matches(one.platform, wanted or of_this_machine()):
            return one
    if wanted is None and len(listed) == 1:
        return listed[0]
    raise InvalidOption("platform", wanted, f"a platform of {name}: {', '.join(platforms)}")


class _RegistryReader(BlobReader):
    """Layers that are downloaded. The files are hashed on the way, so that one download is enough to compare them."""

    def __init__(self, image: ImageArchive, limits: Limits) -> None:
        super().__init__("registry", image.layers, image=image, limits=limits)
        self._known: dict[int, LayerContents] = {}

    def _load(self, index: int) -> LayerContents:
        try:
            source = StreamSource(self._layers[index].plain(limits=self._limits))
            contents = read_layer(source, limits=self._limits, content_ids=True)
        except (ValueError, OSError) as exc:
            return LayerContents((), 0, (str(exc),))
        self._known[index] = contents
        return contents

    def sizes(self, index: int, /) -> Sizes:
        """Return what the manifest states; content and tar size too if the layer was read already."""
        stated, contents = self._layers[index].size, self._known.get(index)
        if contents is None:
            return Sizes(compressed=stated, source={"compressed": "manifest"})
        source = {"compressed": "manifest", "content": "tar headers", "tar": self.name}
        return Sizes(contents.content_bytes, contents.tar_bytes, stated, source=source)

    def content_ids(self, index: int, entries: Iterable[FileEntry], /) -> Mapping[str, str]:
        """Return the SHA-256 of the files' bytes."""
        return {one.path: one.content_id for one in entries if one.content_id is not None}
