"""Files that Docker's archive endpoints do not see: those in memory mounted into a running container.

The endpoints work on the container's file system from outside. Their writes below a tmpfs are lost, and a read finds
nothing there. Therefore `tar` is executed in the container instead; a container without tar raises Unsupported.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from ..errors import EngineUnavailable, NotFound, StartFailed, Unsupported
from ..spec import ExecSpec
from ..streams import ByteStream, Output
from . import _json
from .base import Backend, ContainerRecord, PathStat

#: Mounted into every container.
_ALWAYS = ("/dev", "/proc", "/sys")
_STARTS = (126, 127)  # exit codes of a command that cannot be started


def memory_mount(record: ContainerRecord, path: str) -> str:
    """Return the mount in memory below which a path of a container is, or ""."""
    whole = PurePosixPath("/", path)
    host = _json.mapping(record.raw.get("HostConfig"))
    memory = {*_ALWAYS, *_json.mapping(host.get("Tmpfs"))}
    memory |= {mount.target for mount in record.mounts if mount.kind == "tmpfs"}
    memory |= {
        _json.text(mount.get("Target"))
        for mount in map(_json.mapping, _json.sequence(host.get("Mounts")))
        if mount.get("Type") == "tmpfs"
    }
    others = {mount.target for mount in record.mounts if mount.kind != "tmpfs"}
    around = [place for place in memory | others if whole.is_relative_to(place)]
    nearest = max(around, key=lambda place: len(PurePosixPath(place).parts), default="")
    return nearest if nearest in memory else ""


class MemoryFiles:
    """Reads and writes files below a mount in memory, through `tar` in the container.

    Args:
        mount: the mount, for messages.
    """

    def __init__(self, backend: Backend, record: ContainerRecord, mount: str) -> None:
        self._backend = backend
        self._record = record
        self._mount = mount

    def _tar(self, doing: str, words: tuple[str, ...], data: Iterable[bytes] | None = None) -> Iterator[bytes]:
        """Execute tar and yield its output. Raise NotFound if it fails, Unsupported if it cannot run."""
        where = f"{doing}: {self._mount} is in memory"
        if self._record.status != "running":
            raise Unsupported(f"{where}, and exists only while the container runs")
        spec = ExecSpec(("tar", *words), user="0", stdin=data is not None)
        try:
            identity, attachment = self._backend.exec_container(self._record.id, spec)
        except StartFailed as exc:
            raise Unsupported(f"{where}, which needs tar in the container") from exc
        errors: list[Output] = []
        with attachment:
            for output in attachment.exchange(data):
                if output.stream == "stdout":
                    yield output.data
                else:
                    errors.append(output)
        state = self._backend.inspect_exec(identity)
        if state.started is False or state.exit_code in _STARTS:
            raise Unsupported(f"{where}, which needs tar in the container")
        if state.exit_code is None:
            raise EngineUnavailable(f"{doing}: the output of tar ended before tar did")
        if state.exit_code:
            words_ = b"".join(output.data for output in errors).decode("utf-8", "replace").strip()
            raise NotFound(f"{doing}: {words_ or 'tar failed'}", status=404, explanation=words_)

    def check(self, doing: str) -> None:
        """Raise Unsupported if the container has no tar, before anything is sent."""
        for _ in self._tar(doing, ("-cf", "/dev/null", "/dev/null")):
            pass

    def put(self, path: str, data: bytes | Iterable[bytes], doing: str) -> None:
        """Unpack a tar into a directory."""
        self.check(doing)
        source = (data,) if isinstance(data, bytes) else data
        for _ in self._tar(doing, ("-xf", "-", "-C", path), source):
            pass

    def stat(self, path: str, doing: str) -> PathStat | None:
        """Return facts about a path, or None if it is missing."""
        try:
            chunks = self._tar(doing, self._pack(path))
            head = b""
            for chunk in chunks:
                head += chunk
                try:
                    with tarfile.open(fileobj=io.BytesIO(head)) as tar:
                        member = tar.next()
                except tarfile.ReadError:
                    continue
                if member is not None:
                    return _stat_of(member, path)
        except NotFound:
            return None
        raise EngineUnavailable(f"{doing}: tar sent no header")

    def get(self, path: str, doing: str) -> tuple[PathStat, ByteStream]:
        """Return a path as a tar stream. Raise NotFound if it is missing."""
        found = self.stat(path, doing)
        if found is None:
            raise NotFound(f"{doing}: no {path} in the container", status=404)
        chunks = self._tar(doing, self._pack(path))
        return found, ByteStream(chunks)

    @staticmethod
    def _pack(path: str) -> tuple[str, ...]:
        whole = PurePosixPath("/", path)
        return ("-cf", "-", "-C", str(whole.parent), whole.name or ".")


def _stat_of(member: tarfile.TarInfo, path: str) -> PathStat:
    return PathStat(
        name=PurePosixPath("/", path).name or "/",
        size=member.size,
        mode=member.mode & 0o7777,
        modified=float(member.mtime),
        is_dir=member.isdir(),
        link_target=member.linkname if member.issym() else "",
    )
