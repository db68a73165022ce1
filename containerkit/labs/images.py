"""Images for labs, made of Debian packages that this machine's apt downloads, or on top of an image of Debian.

The root of a Debian without an image to begin with: the essential packages are unpacked into a tar here, and dpkg
installs every package again in the container of the build, which runs the packages' scripts and needs no network.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Unsupported
from .services import FILES

if TYPE_CHECKING:
    from ..engine import Engine
    from ..resources.image import Image

__all__ = ["BASE_IMAGE", "KATHARA_IMAGES", "ROUTER_IMAGE", "build_images"]

BASE_IMAGE = "localhost/containerkit/lab-base:1"
ROUTER_IMAGE = "localhost/containerkit/lab-router:1"

#: Images of Kathará -> the image that has their programs. Labs that name no image may run routers as well.
KATHARA_IMAGES = dict.fromkeys(("kathara/base", "kathara/bind", "kathara/frr", "kathara/quagga"), ROUTER_IMAGE)

_ESSENTIAL = ["?essential", "usr-is-merged"]
_BASE = [
    *("iproute2", "iputils-ping", "iputils-arping", "tcpdump", "traceroute", "bridge-utils", "net-tools", "ethtool"),
    *("nftables", "iptables", "dnsmasq", "bind9", "bind9-dnsutils", "radvd", "isc-dhcp-client", "iperf3", "telnet"),
    *("apache2", "nginx-light", "curl", "wget", "lynx", "netcat-openbsd", "python3-minimal", "procps", "less", "nano"),
]
_ROUTER = ["frr"]
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")  # links into /usr since Debian 12
_LEFT_OUT = ("usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/info/", "usr/share/lintian/")

_INSTALL = """\
set -e
export DEBIAN_FRONTEND=noninteractive LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d
options="--force-depends --force-overwrite --force-confold --force-unsafe-io"
cd /debs
if [ ! -s /var/lib/dpkg/status ]; then
  mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates; : >>/var/lib/dpkg/status
  for first in base-passwd base-files dpkg libc6 perl-base mawk debconf; do dpkg $options -i ${first}_*.deb; done
fi
dpkg $options --unpack *.deb
dpkg $options --configure -a
dpkg --audit >/tmp/audit; cat /tmp/audit; test ! -s /tmp/audit
rm -f /etc/frr/frr.conf  # else FRR ignores a file for each daemon
rm -f /tmp/audit /usr/sbin/policy-rc.d /var/cache/debconf/*-old /var/lib/dpkg/*-old
find /var/log -type f -delete
"""
_DOCKERFILE = """\
FROM {first} AS made
{add}
RUN {run}
COPY files /
{squash}ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
CMD ["bash"]
"""
_SQUASH = "FROM scratch\nCOPY --from=made / /\n"
_APT = "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {} && apt-get clean"


def build_images(
    engine: Engine, *, base: str | None = None, on_progress: Callable[[Any], object] | None = None
) -> tuple[Image, Image]:
    """Build the images of hosts and of routers: Debian with the programs of network labs, and with FRR as well.

    Args:
        engine: builds them. Without `base` its containers need no network.
        base: an image of Debian to begin with, as "debian:stable-slim"; the build runs apt-get in it. None begins with
            packages that this machine's apt-get downloads from its own sources.
        on_progress: as of :meth:`Images.build`.

    Returns:
        The images BASE_IMAGE and ROUTER_IMAGE.

    Raises:
        Unsupported: `base` is None, and this machine has no apt-get and dpkg-deb, or apt-get failed.
        BuildFailed: with the log.
    """
    made: list[Image] = []
    with tempfile.TemporaryDirectory(prefix="containerkit-lab-") as folder:
        apt = None if base else _Apt(Path(folder, "apt"))
        below: str | None = None
        for name, packages in ((BASE_IMAGE, _BASE), (ROUTER_IMAGE, _ROUTER)):
            context = Path(folder, f"context{len(made)}")
            _write_files(context / "files")
            if apt is None:
                first, add, run = below or base, "", _APT.format(" ".join(packages))
            else:
                if below is None:
                    apt.download(_ESSENTIAL, context / "debs")
                    _make_root(context / "debs", context / "root.tar")
                    packages = [*_ESSENTIAL, *packages]
                apt.download(packages, context / "debs")
                (context / "install.sh").write_text(_INSTALL)
                first, add = below or "scratch", "COPY install.sh debs /debs/"
                run = "sh /debs/install.sh && rm -r /debs"
                if below is None:
                    add = f"ADD root.tar /\n{add}"
            squash = "" if below else _SQUASH
            (context / "Dockerfile").write_text(_DOCKERFILE.format(first=first, add=add, run=run, squash=squash))
            made.append(engine.images.build(context, tag=name, on_progress=on_progress))
            below = name
    return made[0], made[1]


def _write_files(folder: Path) -> None:
    for name, text in FILES.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o755)


class _Apt:
    """apt-get of this machine with its sources, and a state of its own in which nothing is installed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
            raise Unsupported('this machine has no apt-get: give an image to begin with, base="debian:stable-slim"')
        (folder / "archives" / "partial").mkdir(parents=True)
        (folder / "status").touch()
        self._had: set[str] = set()

    def _run(self, *arguments: str) -> str:
        options = {
            "Dir::State::status": self._folder / "status",
            "Dir::Cache::archives": self._folder / "archives",
            "Dir::Cache::pkgcache": "",
            "Dir::Cache::srcpkgcache": "",
            "Debug::NoLocking": 1,
            "APT::Sandbox::User": "",
            "APT::Install-Recommends": "false",
        }
        command = ["apt-get", "-q", "-y", *(f"-o{name}={value}" for name, value in options.items()), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unsupported(f"apt-get of this machine failed (try `apt-get update`): {done.stderr.strip()[-500:]}")
        return done.stdout

    def download(self, packages: Iterable[str], into: Path) -> None:
        """Move the files of packages, and of what they depend on, into a folder; not those of an earlier call."""
        self._run("--download-only", "install", *packages)
        into.mkdir(parents=True, exist_ok=True)
        for file in (self._folder / "archives").glob("*.deb"):
            if file.name not in self._had:
                shutil.copy(file, into)
                self._had.add(file.name)


def _make_root(debs: Path, target: Path) -> None:
    """Write a tar with the files of packages, enough to run dpkg in it."""
    seen = set(_MERGED)
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as root:
        for name in ("dev", "etc", "proc", "run", "sys", "usr", *(f"usr/{each}" for each in _MERGED)):
            member = tarfile.TarInfo(name)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            root.addfile(member)
            seen.add(name)
        # the links that the packages' scripts make, and need
        links = {**{name: f"usr/{name}" for name in _MERGED}, "usr/bin/sh": "dash", "usr/bin/awk": "mawk"}
        for name, to in links.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, to
            root.addfile(link)
            seen.add(name)
        for deb in sorted(debs.glob("*.deb")):
            with (
                subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as program,
                tarfile.open(fileobj=program.stdout, mode="r|") as files,
            ):
                for member in files:
                    _move(member)
                    if member.name not in seen and not member.name.startswith(_LEFT_OUT):
                        seen.add(member.name)
                        root.addfile(member, files.extractfile(member) if member.isreg() else None)


def _move(member: tarfile.TarInfo) -> None:
    """Name a member as in a root whose /bin, /sbin and /lib are links into /usr."""

    def moved(path: str) -> str:
        path = path.removeprefix("./").rstrip("/")
        return f"usr/{path}" if path.partition("/")[0] in _MERGED and "/" in path else path or "."

    member.name = moved(member.name)
    if member.islnk():
        member.linkname = moved(member.linkname)
