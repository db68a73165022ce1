"""The verbs of an image, over the endpoints that both engines serve alike."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import (
    AuthenticationFailed,
    BuildFailed,
    EngineError,
    ImageNotFound,
    InUse,
    InvalidImage,
    PullFailed,
    PushFailed,
)
from ..reference import parse
from ..spec import BuildSpec, RegistryAuth
from ..streams import ByteStream
from . import _parse
from ._http import FOREVER, HttpBackend, path, undisturbed
from ._render import auth_header, build_query, config_header, query_filters
from ._translate import recast
from .base import HistoryEntry, ImageRecord, Progress, Raw

#: What `docker build` and `podman build` print before an instruction.
_STEP = re.compile(r"^STEP (\d+(?:/\d+)?) ?: (.+)$", re.IGNORECASE | re.MULTILINE)
_LOADED = re.compile(r"^Loaded image(?: ID)?(?:\(s\))?: (.+)$", re.MULTILINE)
#: The error codes of the distribution-spec that say "not with these credentials", as engines pass them on in text. A
#: registry's refusal has no other form on its way through an engine's progress stream.
_AUTH_CODES = ("unauthorized", "denied", "authentication required", "no basic auth credentials")
_MISSING_CODES = ("manifest unknown", "name unknown", "not found")


class ImageVerbs(HttpBackend):
    """Images: what both engines answer alike; the rest are hooks."""

    _logins: dict[str, RegistryAuth]

    @abstractmethod
    def _image_name(self, ref: str) -> str: ...

    def _stored_name(self, ref: str) -> str:
        """The name under which an image that is meant to exist lies in the store."""
        return self._image_name(ref)

    @abstractmethod
    def _image_id(self, ref: str) -> str:
        """What the engine's own API must be asked with, for a ref that exists. Raises ImageNotFound."""

    @abstractmethod
    def _familiar(self, ref: str) -> str: ...

    @abstractmethod
    def _refused_credentials(self, ref: str, auth: RegistryAuth | None, exc: EngineError) -> bool:
        """After a failed pull or push: was it for want of the right credentials?"""

    # ---------------------------------------------------------------- asking
    def inspect_image(self, ref: str) -> ImageRecord:
        doing = f"inspecting image {ref}"
        try:
            raw = _parse.mapping(self._json("GET", path("/images/{}/json", self._image_name(ref)), doing))
        except EngineError as exc:
            if exc.status == 404:
                raise recast(exc, ImageNotFound, f"no image {ref} here") from exc
            raise
        return _parse.image(raw, self._names(raw))

    def _names(self, raw: Raw) -> list[str]:
        names = (_parse.text(name) for name in _parse.sequence(raw.get("RepoTags")))
        return [self._familiar(name) for name in names if name and not name.startswith("<none>")]

    def list_images(self, *, all: bool, filters: Mapping[str, Sequence[str]]) -> tuple[ImageRecord, ...]:
        params = {"all": all, "filters": query_filters(self._image_filters(filters))}

        def ask() -> Any:
            return self._json("GET", "/images/json", "listing images", params=params)

        told = ask() if params["filters"] else undisturbed(ask)  # a filter may be what it refuses
        rows = [_parse.mapping(row) for row in _parse.sequence(told)]
        return tuple(_parse.image_summary(row, self._names(row)) for row in rows)

    def _image_filters(self, filters: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
        return filters

    def image_history(self, ref: str) -> tuple[HistoryEntry, ...]:
        doing = f"reading the history of image {ref}"
        try:
            return _parse.history(self._json("GET", path("/images/{}/history", self._stored_name(ref)), doing))
        except EngineError as exc:
            raise self._missing(exc, ref, doing) from exc

    def _missing(self, exc: EngineError, ref: str, doing: str) -> EngineError:
        """ImageNotFound if that is why; asked, where the status does not say."""
        try:
            self.inspect_image(ref)
        except ImageNotFound:
            return recast(exc, ImageNotFound, f"{doing}: no image {ref} here")
        return exc

    # ---------------------------------------------------------------- registries
    def _credentials(self, ref: str, auth: RegistryAuth | None) -> tuple[RegistryAuth | None, dict[str, str]]:
        auth = auth or self._logins.get(parse(ref).registry)
        return auth, {"X-Registry-Auth": auth_header(auth) if auth else "e30="}

    def pull_image(self, ref: str, *, platform: str | None, auth: RegistryAuth | None) -> Iterator[Progress]:
        doing = f"pulling {ref}"
        name = parse(ref)
        auth, headers = self._credentials(ref, auth)
        source = name.qualified.rpartition("@")[0] if name.digest else name.qualified.rpartition(":")[0]
        params = {"fromImage": source, "tag": name.digest or name.tag, "platform": platform}
        try:
            yield from self._progress("/images/create", doing, params=params, headers=headers)
        except EngineError as exc:
            if self._refused_credentials(ref, auth, exc):
                words = f"{doing}: {exc.explanation}; log in to {name.registry} first"
                raise recast(exc, AuthenticationFailed, words) from exc
            kind = ImageNotFound if any(code in exc.explanation.lower() for code in _MISSING_CODES) else PullFailed
            raise recast(exc, kind, f"{doing}: {exc.explanation}") from exc

    def push_image(self, ref: str, *, auth: RegistryAuth | None) -> Iterator[Progress]:
        doing = f"pushing {ref}"
        name = parse(ref)
        auth, headers = self._credentials(ref, auth)
        self.inspect_image(ref)  # the engines' ways of saying that it is missing differ; this is ours
        where = path("/images/{}/push", name.qualified.rpartition(":")[0])
        try:
            yield from self._progress(where, doing, params={"tag": name.tag}, headers=headers)
        except EngineError as exc:
            if self._refused_credentials(ref, auth, exc):
                words = f"{doing}: {exc.explanation}; log in to {name.registry} first"
                raise recast(exc, AuthenticationFailed, words) from exc
            raise recast(exc, PushFailed, f"{doing}: {exc.explanation}") from exc

    def _progress(self, where: str, doing: str, **how: Any) -> Iterator[Progress]:
        """Progress lines; a line that carries an error is raised as one."""
        source, chunks = self._lines("POST", where, doing, **how)
        with source:
            for row in _parse.json_lines(chunks, doing):
                detail = row.get("errorDetail") or row.get("error")
                if detail:
                    words = _parse.text(detail.get("message")) if isinstance(detail, dict) else _parse.text(detail)
                    raise EngineError(f"{doing}: {words.strip()}", explanation=words.strip())
                found = _parse.progress(row)
                if found != Progress():  # a line for programs, of which nothing is told here
                    yield found

    def _says_unauthorized(self, exc: EngineError) -> bool:
        return exc.status in (401, 403) or any(code in exc.explanation.lower() for code in _AUTH_CODES)

    # ---------------------------------------------------------------- making
    def build_image(self, context: Iterable[bytes], spec: BuildSpec) -> Iterator[Progress]:
        doing = f"building {spec.tags[0] if spec.tags else 'an image'}"
        params = build_query(replace(spec, tags=tuple(map(self._image_name, spec.tags))))
        headers = {"Content-Type": "application/x-tar"}
        if credentials := {**{auth.registry: auth for auth in spec.credentials}, **self._logins}:
            headers["X-Registry-Config"] = config_header(credentials.values())
        log: list[str] = []
        identity = ""
        try:
            for progress in self._progress("/build", doing, params=params, headers=headers, data=iter(context)):
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
            raise BuildFailed(f"{doing}: the builder ended without an image", log="".join(log))
        yield Progress(image_id=identity)

    def _built_id(self, spec: BuildSpec, log: str) -> str:
        """The image of a build that did not report its ID in a line of its own."""
        if spec.tags:
            return self.inspect_image(spec.tags[0]).id
        last = log.strip().rpartition("\n")[2].strip()
        return _parse.image_id(last) if re.fullmatch(r"(sha256:)?[0-9a-f]{64}", last) else ""

    def _clean_after_build(self) -> None:
        """Remove what a builder leaves behind, where it leaves something."""

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
                raise InvalidImage(f"{doing}: the engine refused it: {exc.explanation}") from exc
            raise
        if not names:
            raise InvalidImage(f"{doing}: the engine found no image in it")
        return tuple(dict.fromkeys(names))

    def save_images(self, refs: Sequence[str]) -> ByteStream:
        doing = f"saving {', '.join(refs)}"
        try:
            return self._stream("GET", "/images/get", doing, params={"names": [self._stored_name(ref) for ref in refs]})
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

    def remove_image(self, ref: str, *, force: bool, prune: bool) -> None:
        doing = f"removing image {ref}"
        try:
            self._call(
                "DELETE",
                path("/images/{}", self._stored_name(ref)),
                doing,
                params={"force": force, "noprune": not prune},
                timeout=max(self._timeout, 300.0),
            )
        except EngineError as exc:
            error = self._missing(exc, ref, doing)
            if error is exc and exc.status == 409:
                error = recast(exc, InUse, f"{doing}: {exc.explanation}")
            raise error from exc

    def prune_images(self, *, all: bool, filters: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], int]:
        asked = {**filters, "dangling": ["false" if all else "true"]}
        answer = self._json(
            "POST", "/images/prune", "pruning images", params={"filters": query_filters(asked)}, timeout=FOREVER
        )
        answer = _parse.mapping(answer)
        rows = [_parse.mapping(row) for row in _parse.sequence(answer.get("ImagesDeleted"))]
        gone = tuple(_parse.image_id(row["Deleted"]) for row in rows if row.get("Deleted"))
        return gone, _parse.number(answer.get("SpaceReclaimed"))
