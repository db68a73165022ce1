"""Images, over the endpoints that both engines serve alike."""

from __future__ import annotations

import fnmatch
import itertools
import re
import tarfile
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import BuildFailed, EngineError, ImageNotFound, InUse, InvalidImage
from ..reference import parse
from ..spec import BuildSpec
from ..streams import ByteStream
from . import _json, _parse, _parse_images
from ._http import path, recast
from ._registry import RegistryVerbs
from ._render import build_query, config_header, query_filters
from ._retry import retry_stable
from .base import HistoryEntry, ImageRecord, Progress, Raw

#: What `docker build` and `podman build` print before an instruction.
_STEP = re.compile(r"^STEP (\d+(?:/\d+)?) ?: (.+)$", re.IGNORECASE | re.MULTILINE)
_LOADED = re.compile(r"^Loaded image(?: ID)?(?:\(s\))?: (.+)$", re.MULTILINE)


def _ignore_member(name: str, hidden: Iterable[str]) -> bytes:
    """Return the tar member of an ignore file that names itself and the hidden paths."""
    text = "".join(re.sub(r"([*?\[\\])", r"\\\1", path) + "\n" for path in (name, *hidden)).encode()
    member = tarfile.TarInfo(name)
    member.size = len(text)
    return member.tobuf() + text + bytes(-len(text) % tarfile.BLOCKSIZE)


class ImageVerbs(RegistryVerbs):
    """Images: requests that are the same on both engines, and hooks for the others."""

    #: Name of the file by which the builder hides files of the context from COPY.
    _ignore_file = ".dockerignore"

    @abstractmethod
    def _image_name(self, ref: str) -> str:
        """Return the name under which this engine finds an image."""

    def _stored_name(self, ref: str) -> str:
        """Return the name under which an existing image is in this engine's store."""
        return self._image_name(ref)

    @abstractmethod
    def _image_id(self, ref: str) -> str:
        """Return the ID of an image as the engine's own API takes it. Raise ImageNotFound if it is missing."""

    @abstractmethod
    def _familiar(self, ref: str) -> str:
        """Return the name of an image as users write it."""

    # ---------------------------------------------------------------- read
    def inspect_image(self, ref: str) -> ImageRecord:
        doing = f"inspecting image {ref}"
        try:
            raw = self._object("GET", path("/images/{}/json", self._image_name(ref)), doing)
        except EngineError as exc:
            if exc.status == 404:
                raise recast(exc, ImageNotFound, f"no image {ref} here") from None
            raise
        return self._read(doing, lambda raw: _parse_images.image(raw, self._names(raw)), raw)

    def _names(self, raw: Raw) -> list[str]:
        names = _json.texts(raw.get("RepoTags"))
        return [self._familiar(name) for name in names if name and not name.startswith("<none>")]

    def list_images(self, *, all: bool, filters: Mapping[str, Sequence[str]]) -> tuple[ImageRecord, ...]:
        doing = "listing images"
        if "reference" in filters:
            filters = {**filters, "reference": [pattern_of(pattern) for pattern in filters["reference"]]}
        params = {"all": all, "filters": query_filters(filters)}

        def request() -> list[dict[str, Any]]:
            return self._rows("GET", "/images/json", doing, params=params)

        # With a filter, the status may mean that the engine refuses the filter.
        rows = request() if params["filters"] else retry_stable(request)
        return tuple(
            self._read(doing, lambda row: _parse_images.image_summary(row, self._names(row)), row) for row in rows
        )

    def image_history(self, ref: str) -> tuple[HistoryEntry, ...]:
        doing = f"reading the history of image {ref}"
        try:
            rows = self._rows("GET", path("/images/{}/history", self._stored_name(ref)), doing)
        except EngineError as exc:
            raise self._missing(exc, ref, doing) from exc
        return self._read(doing, _parse_images.history, rows)

    def _missing(self, exc: EngineError, ref: str, doing: str) -> EngineError:
        """Return ImageNotFound if the image is missing, else the refusal: the status does not say on every engine."""
        try:
            self.inspect_image(ref)
        except ImageNotFound:
            return recast(exc, ImageNotFound, f"{doing}: no image {ref} here")
        return exc

    # ---------------------------------------------------------------- build, load, save, remove
    def build_image(self, context: Iterable[bytes], spec: BuildSpec) -> Iterator[Progress]:
        doing = f"building {spec.tags[0] if spec.tags else 'an image'}"
        params = build_query(replace(spec, tags=tuple(map(self._image_name, spec.tags))))
        headers = {"Content-Type": "application/x-tar"}
        if credentials := {**{auth.registry: auth for auth in spec.credentials}, **self._logins}:
            headers["X-Registry-Config"] = config_header(credentials.values())
        data = itertools.chain([_ignore_member(self._ignore_file, spec.hidden)], context)
        log: list[str] = []
        identity = ""
        try:
            for progress in self._progress("/build", doing, params=params, headers=headers, data=data):
                log.append(progress.stream)
                identity = progress.image_id or identity
                yield progress
        except EngineError as exc:
            text = "".join(log)
            steps = _STEP.findall(text)
            step = f"{steps[-1][0]}: {steps[-1][1]}" if steps else None
            at = f" at step {step}" if step else ""
            raise BuildFailed(
                f"{doing}{at}: {exc.explanation}", log=text, step=step, status=exc.status, explanation=exc.explanation
            ) from exc
        finally:
            self._clean_after_build()
        identity = identity or self._built_id(spec, "".join(log))
        if not identity:
            raise BuildFailed(f"{doing}: the builder created no image", log="".join(log))
        yield Progress(image_id=identity)

    def _built_id(self, spec: BuildSpec, log: str) -> str:
        """Return the image of a build that did not report its ID in a line of its own, or ""."""
        if spec.tags:
            return self.inspect_image(spec.tags[0]).id
        last = log.strip().rpartition("\n")[2].strip()
        return _parse.image_id(last) if re.fullmatch(r"(sha256:)?[0-9a-f]{64}", last) else ""

    def _clean_after_build(self) -> None:
        """Remove what a builder leaves behind."""

    def load_images(self, data: Iterable[bytes]) -> tuple[str, ...]:
        doing = "loading an archive"
        names: list[str] = []
        try:
            for progress in self._progress(
                "/images/load",
                doing,
                params={"quiet": True},
                headers={"Content-Type": "application/x-tar"},
                data=iter(data),
            ):
                for found in _LOADED.findall(progress.stream):
                    names += [self._familiar(name.strip()) for name in found.split(",")]
        except EngineError as exc:
            if exc.status is None or exc.status in (400, 500):
                raise InvalidImage(f"{doing}: the engine refused the archive: {exc.explanation}") from exc
            raise
        if not names:
            raise InvalidImage(f"{doing}: the archive holds no image")
        return tuple(dict.fromkeys(names))

    def import_image(self, data: Iterable[bytes], ref: str, *, message: str, changes: Sequence[str]) -> str:
        doing = f"importing {ref or 'an image'}"
        params = {"fromSrc": "-", "repo": ref, "message": message, "changes": list(changes)}
        identity = ""
        try:
            for progress in self._progress("/images/create", doing, params=params, data=iter(data)):
                identity = progress.status.strip() or identity
        except EngineError as exc:
            if exc.status is None or exc.status in (400, 500):
                raise InvalidImage(f"{doing}: the engine refused the archive: {exc.explanation}") from exc
            raise
        return _parse.image_id(identity)

    def save_images(self, refs: Sequence[str]) -> ByteStream:
        doing = f"saving {', '.join(refs)}"
        try:
            params = {"names": [self._stored_name(ref) for ref in refs]}
            return self._tar(self._open("GET", "/images/get", doing, params=params, slow=True), doing)
        except EngineError as exc:
            for ref in refs:
                error = self._missing(exc, ref, doing)
                if error is not exc:
                    raise error from exc
            raise

    def tag_image(self, ref: str, target: str) -> None:
        doing = f"tagging {ref} as {target}"
        name = parse(target)
        params = {"repo": name.qualified.rpartition(":")[0], "tag": name.tag}
        try:
            self._call("POST", path("/images/{}/tag", self._stored_name(ref)), doing, params=params)
        except EngineError as exc:
            raise self._missing(exc, ref, doing) from exc

    def remove_image(self, ref: str, *, force: bool, prune: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
        doing = f"removing image {ref}"
        try:
            rows = self._rows(
                "DELETE",
                path("/images/{}", self._stored_name(ref)),
                doing,
                params={"force": force, "noprune": not prune},
                slow=True,
            )
        except EngineError as exc:
            error = self._missing(exc, ref, doing)
            if error is exc and exc.status == 409:
                error = recast(exc, InUse, f"{doing}: {exc.explanation}")
            raise error from exc
        untagged = [_json.text(row.get("Untagged")) for row in rows]
        deleted = [_json.text(row.get("Deleted")) for row in rows]
        return tuple(map(self._familiar, filter(None, untagged))), tuple(map(_parse.image_id, filter(None, deleted)))

    def prune_images(self, *, all: bool, filters: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], int]:
        doing = "pruning images"
        query = {**filters, "dangling": ["false" if all else "true"]}
        answer = self._object("POST", "/images/prune", doing, params={"filters": query_filters(query)}, slow=True)
        deleted = [_json.mapping(row).get("Deleted") for row in _json.sequence(answer.get("ImagesDeleted"))]
        return tuple(map(_parse.image_id, filter(None, deleted))), _json.number(answer.get("SpaceReclaimed"))


def pattern_of(pattern: str) -> str:
    """Return a pattern of the filter `reference` without what familiar names leave out."""
    return pattern.removeprefix("docker.io/").removeprefix("library/")


def matches(pattern: str, ref: str) -> bool:
    """Return whether a pattern of the filter `reference` matches a name, with or without its tag, as Docker does.

    A wildcard does not match a slash.
    """
    parts = pattern_of(pattern).split("/")
    for name in (ref, ref.rpartition(":")[0]):
        found = name.split("/")
        if len(found) == len(parts) and all(map(fnmatch.fnmatchcase, found, parts)):
            return True
    return False
