"""Files of a container in memory: copy in and out, diff, export, commit."""

from __future__ import annotations

import contextlib
import io
import json
import posixpath
import shlex
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...backends.base import Change, PathStat
from ...errors import EngineError, InvalidImage, NotFound
from ...reference import parse
from ...streams import ByteStream
from .files import Files
from .images import ImageVerbs
from .state import FakeImage
from .volumes import VolumeVerbs

#: Fields of a container's configuration that a committed image keeps.
_KEPT = ("Cmd", "Entrypoint", "Env", "ExposedPorts", "Healthcheck", "StopSignal", "User", "Volumes", "WorkingDir")

#: The base of an imported image.
_NOTHING = FakeImage("", b"", {"architecture": "amd64", "os": "linux", "rootfs": {"diff_ids": []}}, (), 0.0)


class ContentVerbs(ImageVerbs, VolumeVerbs):
    """The methods of a container's files."""

    @contextlib.contextmanager
    def _at(self, ref: str, path: str, doing: str) -> Iterator[tuple[Files, str]]:
        """Return the file tree that holds a path (the container's or a volume's), and the path in that tree."""
        with self._changed:
            found = self._container(ref, doing)
            for mount in sorted(found.mounts, key=lambda mount: -len(mount.target)):
                inside = mount.kind == "volume" and f"{path.rstrip('/')}/".startswith(mount.target.rstrip("/") + "/")
                if inside:
                    yield self._volumes[mount.source].files, path[len(mount.target.rstrip("/")) :] or "/"
                    return
            yield found.files, path

    def put_archive(self, ref: str, path: str, data: bytes | Iterable[bytes]) -> None:
        doing = f"copying into container {ref} at {path}"
        tar = data if isinstance(data, bytes) else b"".join(data)
        with self._at(ref, path, doing) as (files, inner):
            found = files.find(inner)
            if found is None or not found[1].is_dir:
                raise NotFound(f"{doing}: no folder {path} there", status=404)
            files.unpack(tar, found[0])

    def get_archive(self, ref: str, path: str) -> tuple[PathStat, ByteStream]:
        doing = f"copying {path} from container {ref}"
        with self._at(ref, path, doing) as (files, inner):
            found, stat = files.find(inner, last=False), files.stat(inner)
            if found is None or stat is None:
                raise NotFound(f"{doing}: no {path} there", status=404)
            name = posixpath.basename(found[0]) or "/"
            return stat, ByteStream(iter((files.pack(found[0], name),)))

    def stat_path(self, ref: str, path: str) -> PathStat | None:
        with self._at(ref, path, f"looking at {path} in container {ref}") as (files, inner):
            return files.stat(inner)

    def diff_container(self, ref: str) -> tuple[Change, ...]:
        with self._changed:
            found = self._container(ref, f"comparing container {ref} with its image")
            return found.files.changes(found.base)

    def export_container(self, ref: str) -> ByteStream:
        with self._changed:
            return ByteStream(iter((self._container(ref, f"exporting container {ref}").files.pack(),)))

    def commit_container(
        self, ref: str, *, image: str, message: str, author: str, pause: bool, changes: Sequence[str]
    ) -> str:
        doing = f"committing container {ref}"
        with self._changed:
            found = self._container(ref, doing)
            run = {key: value for key, value in found.config.items() if key in _KEPT}
            run["Labels"] = found.labels
            for line in changes:
                _apply(run, line, doing)
            made = self._commit(found.image, found.files.layer(found.base), run, message, author)
            if image:
                self._name_image(parse(image).qualified, made)
            self._told("container", "commit", found.id, found.name, found.labels, image=found.spec.image)
            return made.id

    def import_image(self, data: Iterable[bytes], ref: str, *, message: str, changes: Sequence[str]) -> str:
        doing = f"importing {ref or 'an image'}"
        tar = b"".join(data)
        try:
            with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
                archive.getmembers()
        except tarfile.TarError as exc:
            raise InvalidImage(f"{doing}: {exc}") from exc
        run: dict[str, Any] = {}
        for line in changes:
            _apply(run, line, doing)
        with self._changed:
            made = self._commit(_NOTHING, tar, run, message, "")
            if ref:
                self._name_image(parse(ref).qualified, made)
            self._told("image", "import", made.id, made.id, {})
            return made.id


def merged(lines: Sequence[str], env: Mapping[str, str]) -> list[str]:
    """Return the image's environment, overridden by the given variables."""
    found = dict(line.partition("=")[::2] for line in lines)
    return [f"{key}={value}" for key, value in {**found, **env}.items()]


def _apply(run: dict[str, Any], line: str, doing: str) -> None:
    """Apply one Dockerfile instruction that changes the configuration only. Raise EngineError for another one."""
    word, _, rest = line.strip().partition(" ")
    word, rest = word.upper(), rest.strip()
    if word in ("CMD", "ENTRYPOINT"):
        argv = json.loads(rest) if rest.startswith("[") else ["/bin/sh", "-c", rest]
        run["Cmd" if word == "CMD" else "Entrypoint"] = argv
    elif word in ("ENV", "LABEL"):
        pairs = dict(part.partition("=")[::2] for part in shlex.split(rest))
        if word == "ENV":
            run["Env"] = merged(run.get("Env") or [], pairs)
        else:
            run["Labels"] = {**(run.get("Labels") or {}), **pairs}
    elif word in ("EXPOSE", "VOLUME"):
        key = "ExposedPorts" if word == "EXPOSE" else "Volumes"
        run[key] = {**(run.get(key) or {}), **{item: {} for item in shlex.split(rest)}}
    elif word in ("USER", "WORKDIR", "STOPSIGNAL"):
        run[{"USER": "User", "WORKDIR": "WorkingDir", "STOPSIGNAL": "StopSignal"}[word]] = rest
    else:
        raise EngineError(f"{doing}: {word or line!r} is no change that a commit can make", status=400)
