"""The files of a container, over the endpoints that both engines serve alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..errors import EngineError, NotFound
from ..streams import ByteStream
from . import _json, _parse
from ._http import path, short
from ._lifecycle import LifecycleVerbs
from .base import Change, PathStat

_STAT_HEADER = "x-docker-container-path-stat"


class FileVerbs(LifecycleVerbs):
    """Archives in and out, differences, export, commit."""

    def _image_name(self, ref: str) -> str:
        """Return the name under which this engine finds an image."""
        return ref

    def diff_container(self, ref: str) -> tuple[Change, ...]:
        doing = f"comparing container {short(ref)} with its image"
        try:  # an empty difference is null
            return self._read(doing, _parse.changes, self._json("GET", path("/containers/{}/changes", ref), doing))
        except EngineError as exc:
            raise self._explain(exc, ref, doing) from None

    def export_container(self, ref: str) -> ByteStream:
        doing = f"exporting container {short(ref)}"
        try:
            return self._tar(self._open("GET", path("/containers/{}/export", ref), doing, slow=True), doing)
        except EngineError as exc:
            raise self._explain(exc, ref, doing) from None

    def put_archive(self, ref: str, path: str, data: bytes | Iterable[bytes]) -> None:
        doing = f"copying into container {short(ref)} at {path}"
        try:
            self._call(
                "PUT",
                _archive_of(ref),
                doing,
                params={"path": path},
                data=data if isinstance(data, bytes) else iter(data),
                headers={"Content-Type": "application/x-tar"},
                slow=True,
            )
        except EngineError as exc:
            raise self._no_such_path(exc, ref, path, doing) from exc

    def _no_such_path(self, exc: EngineError, ref: str, path: str, doing: str) -> EngineError:
        if exc.status != 404:
            return exc
        error = self._explain(exc, ref, doing)
        if error is not exc:
            return error
        return NotFound(f"{doing}: no {path} in the container", status=404, explanation=exc.explanation)

    def get_archive(self, ref: str, path: str) -> tuple[PathStat, ByteStream]:
        doing = f"copying {path} from container {short(ref)}"
        try:
            response = self._open("GET", _archive_of(ref), doing, params={"path": path}, slow=True)
        except EngineError as exc:
            raise self._no_such_path(exc, ref, path, doing) from exc
        try:
            found = self._read(doing, _parse.path_stat, response.headers.get(_STAT_HEADER, ""))
        except BaseException:
            response.close()
            raise
        return found, self._tar(response, doing)

    def stat_path(self, ref: str, path: str) -> PathStat | None:
        doing = f"looking at {path} in container {short(ref)}"
        response = self._call("HEAD", _archive_of(ref), doing, params={"path": path}, accept=(404, 400, 500))
        if response.status < 300:
            return self._read(doing, _parse.path_stat, response.headers.get(_STAT_HEADER, ""))
        if response.status == 404:
            self.inspect_container(ref)  # raises if the container is missing
            return None
        raise EngineError(f"{doing}: status {response.status}", status=response.status)

    def commit_container(
        self, ref: str, *, image: str, message: str, author: str, pause: bool, changes: Sequence[str]
    ) -> str:
        doing = f"committing container {short(ref)}"
        repository, tag = self._repository_and_tag(image) if image else (None, None)
        params = {
            "container": ref,
            "repo": repository,
            "tag": tag,
            "comment": message or None,
            "author": author or None,
            "pause": pause,
            "changes": list(changes) or None,
        }
        try:
            answer = self._object("POST", "/commit", doing, params=params, body={}, slow=True)
        except EngineError as exc:
            raise self._explain(exc, ref, doing) from None
        return _parse.image_id(self._read(doing, lambda raw: _json.required(raw, "Id", str), answer))

    def _repository_and_tag(self, ref: str) -> tuple[str, str]:
        """Return the two halves of a name; the name is in full where the engine needs it."""
        name = self._image_name(ref)
        repository, colon, tag = name.rpartition(":")
        return (repository, tag) if colon and "/" not in tag else (name, "latest")

    def check_health(self, ref: str) -> str | None:
        return self.inspect_container(ref).health


def _archive_of(ref: str) -> str:
    return path("/containers/{}/archive", ref)
