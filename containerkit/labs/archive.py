"""The files of a host as one tar, and those that the engine mounts over the host's."""

from __future__ import annotations

import io
import tarfile
from typing import IO

from .topology import Host

__all__ = ["write_archive"]

#: Files that engines mount into a container; a tar cannot replace them.
_MOUNTED = frozenset({"etc/hosts", "etc/resolv.conf", "etc/hostname"})


def write_archive(host: Host, target: IO[bytes]) -> dict[str, bytes]:
    """Write the files of a host into a tar, owned by root; nothing if there are none.

    Returns:
        path -> content of the files that have to be written in place.
    """
    mounted: dict[str, bytes] = {}
    if host.folder is None and not host.files:
        return mounted
    with tarfile.open(fileobj=target, mode="w") as tar:

        def of_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            return member

        for path in sorted(host.folder.rglob("*")) if host.folder else ():
            name = path.relative_to(str(host.folder)).as_posix()
            if name in _MOUNTED:
                mounted[name] = path.read_bytes()
            else:
                tar.add(path, name, recursive=False, filter=of_root)
        for name, content in host.files.items():
            data = content.encode() if isinstance(content, str) else content
            name = name.lstrip("/")
            if name in _MOUNTED:
                mounted[name] = data
                continue
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755 if data[:2] == b"#!" else 0o644
            tar.addfile(member, io.BytesIO(data))
    return mounted
