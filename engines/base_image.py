#!/usr/bin/env python3
"""Build Debian images from Debian packages, without a registry, an engine or root.

    python engines/base_image.py debian.tar                 # about 200 MB of files
    python engines/base_image.py debian.tar --size full     # about 2 GB

The result is a docker-archive with one layer, which `docker load`, `podman load` and containerkit read. The packages
come
from the Debian mirror that apt uses, verified by Debian's signatures. They are unpacked in this process, in sorted
order, so that the same package versions give the same bytes. Finished images are cached by packages and versions. Only
the standard library, apt and dpkg-deb are needed.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["BuildError", "Recipe", "base_image_ref", "build_base_image", "build_image"]

FORMAT = 1  # part of the cache key: increase it when the same packages would give other bytes
SUITE = "bookworm"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
EPOCH = 1_700_000_000  # the time of files that no package contains


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


BASE = words(
    """
    apt base-files base-passwd bash bsdutils coreutils dash debconf debian-archive-keyring debianutils diffutils dpkg
    findutils gpgv grep gzip hostname init-system-helpers libc-bin login logsave mawk mount ncurses-base ncurses-bin
    passwd perl-base sed sysvinit-utils tar tzdata util-linux
    """
)
SMALL = BASE + words("ca-certificates curl iproute2 less openssl perl procps python3 xz-utils")
FULL = SMALL + words(
    """
    build-essential clang cmake default-jdk-headless gdb gfortran git libboost-all-dev libicu-dev nodejs postgresql-15
    python3-dev python3-doc python3-numpy python3-scipy vim
    """
)
SIZES: Mapping[str, tuple[str, ...]] = {"small": SMALL, "full": FULL}


class BuildError(Exception):
    """The image could not be built; the message names the failed step and the tool's output."""


@dataclass(frozen=True)
class Recipe:
    """The content of an image."""

    ref: str
    packages: tuple[str, ...]
    config: Mapping[str, Any] = field(default_factory=lambda: {"Cmd": ["bash"]})
    dependencies: bool = True
    """False: the packages named and nothing they depend on."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Text files to add: path in the image -> content."""
    suite: str = SUITE


@dataclass(frozen=True)
class Package:
    uri: str
    filename: str
    size: int


def base_image_ref(size: str = "small") -> str:
    """Return the name of the image of this size."""
    return f"docker.io/containerkit/debian:{size}"


def build_base_image(out: Path, size: str = "small", *, cache: Path | None = None) -> Path:
    """Build a Debian base image: ``small`` (about 200 MB of files) or ``full`` (about 2 GB). Returns `out`."""
    if size not in SIZES:
        raise ValueError(f"size={size!r}: expected one of {', '.join(SIZES)}")
    return build_image(out, Recipe(base_image_ref(size), SIZES[size]), cache=cache)


def build_image(out: Path, recipe: Recipe, *, cache: Path | None = None) -> Path:
    """Build `recipe` into the docker-archive `out`, or take it from the cache. Returns `out`."""
    cache = cache or default_cache()
    for tool in ("apt-get", "apt-config", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise BuildError(f"no {tool} here: the image is made of Debian packages, on Debian or its kin")
    apt = Apt(cache / "apt" / recipe.suite, recipe.suite)
    apt.update()
    plan = apt.plan(recipe.packages, recipe.dependencies)
    key = hashlib.sha256(
        json.dumps(
            [FORMAT, recipe.ref, dict(recipe.config), dict(recipe.files), [p.filename for p in plan]], sort_keys=True
        ).encode()
    ).hexdigest()
    kept = cache / "images" / f"{key[:24]}.tar"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="build-") as name:
            folder = Path(name)
            apt.fetch(plan, folder)
            write_archive(folder / "image.tar", recipe, [folder / p.filename for p in plan])
            os.replace(folder / "image.tar", kept)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.unlink(missing_ok=True)
    try:
        os.link(kept, out)
    except OSError:  # another filesystem
        shutil.copyfile(kept, out)
    return out


def default_cache() -> Path:
    """Return the directory for package indexes and finished images."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "containerkit" / "images"


# ---------------------------------------------------------------------------------------------------- progress


@contextmanager
def progress(label: str, measure: Callable[[], str]) -> Iterator[None]:
    """Print the progress every two seconds, from the second second on."""
    done = threading.Event()
    began = time.monotonic()

    def tell() -> None:
        while not done.wait(2):
            print(f"{label} … {measure()}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)  # noqa: T201

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB"


# ---------------------------------------------------------------------------------------------------- apt


class Apt:
    """A private apt: the host's mirror, proxy and keys, without its packages, hooks or settings."""

    def __init__(self, folder: Path, suite: str) -> None:
        self.folder = folder
        self.suite = suite
        for part in ("lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "status").write_text("")
        if not KEYRING.exists():
            raise BuildError(f"no {KEYRING} (package debian-archive-keyring): packages cannot be verified")
        (folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror()} {suite} main\n")
        acquire = [line for line in call("apt-config", "dump").splitlines() if line.startswith("Acquire::")]
        settings = {
            "Dir::State": folder,
            "Dir::State::lists": folder / "lists",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder / "cache",
            "Dir::Etc::main": "/dev/null",
            "Dir::Etc::parts": "/dev/null",
            "Dir::Etc::sourcelist": folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "Debug::NoLocking": "true",
        }
        lines = [*acquire, *(f'{key} "{value}";' for key, value in settings.items())]
        (folder / "apt.conf").write_text("\n".join(lines) + "\n")
        self.env = {**os.environ, "APT_CONFIG": str(folder / "apt.conf"), "LC_ALL": "C"}

    def update(self) -> None:
        """Fetch the suite's index unless it was fetched today."""
        stamp = self.folder / "updated"
        if stamp.exists() and time.time() - stamp.stat().st_mtime < 86_400:
            return
        with progress(f"Debian {self.suite}: fetching its package index", lambda: megabytes(size_of(self.folder))):
            call("apt-get", "-qq", "-o", "APT::Update::Error-Mode=any", "update", env=self.env)
        stamp.touch()

    def plan(self, packages: Sequence[str], dependencies: bool) -> list[Package]:
        """Return the packages to fetch, sorted by file name."""
        verb = ["install"] if dependencies else ["download"]
        output = call("apt-get", "-qq", "--yes", "--print-uris", *verb, *packages, env=self.env)
        found = re.findall(r"^'([^']+)' (\S+) (\d+)", output, re.MULTILINE)
        if not found:
            raise BuildError(f"apt names no package file for {' '.join(packages)}:\n{output[-2000:]}")
        return sorted((Package(uri, name, int(size)) for uri, name, size in found), key=lambda p: p.filename)

    def fetch(self, plan: Sequence[Package], folder: Path) -> None:
        """Download the planned packages into `folder`; apt verifies each against the signed index."""
        specs = []
        for package in plan:
            name, version, _ = package.filename.split("_")
            specs.append(f"{name}={version.replace('%3a', ':')}")
        total = megabytes(sum(p.size for p in plan))
        label = f"Debian {self.suite}: fetching {len(plan)} packages"
        with progress(label, lambda: f"{megabytes(size_of(folder))} of {total}"):
            call("apt-get", "-qq", "download", *specs, env=self.env, cwd=folder)


def mirror() -> str:
    """Return the Debian mirror of the host, as apt reports it."""
    if named := os.environ.get("ENGINES_MIRROR"):
        return named
    output = call("apt-get", "indextargets", "--format", "$(REPO_URI) $(COMPONENT) $(RELEASE)", "Created-By: Packages")
    for line in output.splitlines():
        url, _, rest = line.partition(" ")
        if rest.startswith("main ") and url.rstrip("/").endswith("debian") and "-" not in rest:
            return url
    raise BuildError("apt knows no Debian mirror here; name one: ENGINES_MIRROR=http://…/debian")


def call(*command: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    result = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if result.returncode:
        raise BuildError(f"{' '.join(command)[:80]} failed ({result.returncode}):\n{result.stderr.strip()[-2000:]}")
    return result.stdout


def size_of(folder: Path) -> int:
    """Return the size of a folder; a file that disappears meanwhile counts as 0."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size
    return total


# ---------------------------------------------------------------------------------------------------- the tree

# directories that Debian merged into /usr: packages may still use the old names
MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


def merged(name: str) -> str:
    name = name.removeprefix("./").strip("/")
    return f"usr/{name}" if name.split("/", 1)[0] in MERGED else name


@dataclass
class Entry:
    """One path of the image: its header, and where its bytes are."""

    info: tarfile.TarInfo
    data: bytes | tuple[Path, int] | None = None


class Tree:
    """The files of many packages."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.folder(".")
        for name in ("bin", "sbin", "lib", "lib64"):
            self.folder(f"usr/{name}")
            self.link(name, f"usr/{name}")

    def add(self, tar: Path) -> list[str]:
        """Add an unpacked package and return its paths. The first package defines a shared directory."""
        names = []
        with tarfile.open(tar) as archive:
            for info in archive:
                names.append("/" + info.name.removeprefix("./").strip("/") if info.name != "." else "/.")
                info.name = merged(info.name)
                if not info.name or info.name == ".":
                    continue
                if info.islnk():
                    info.linkname = merged(info.linkname)
                info.mtime = int(info.mtime)
                info.pax_headers = {}
                old = self.entries.get(info.name)
                if old is not None and info.isdir():
                    continue
                self.entries[info.name] = Entry(info, (tar, info.offset_data) if info.isreg() else None)
        return names

    def folder(self, name: str, mode: int = 0o755) -> None:
        if name not in self.entries:
            self.entries[name] = Entry(header(name, tarfile.DIRTYPE, mode))

    def link(self, name: str, target: str) -> None:
        info = header(name, tarfile.SYMTYPE, 0o777)
        info.linkname = target
        self.entries[name] = Entry(info)

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        info = header(name, tarfile.REGTYPE, mode)
        info.size = len(data)
        self.entries[name] = Entry(info, data)

    def read(self, name: str) -> bytes | None:
        entry = self.entries.get(name)
        if entry is None or entry.data is None:
            return None
        if isinstance(entry.data, bytes):
            return entry.data
        path, offset = entry.data
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(entry.info.size)

    def write(self, stream: BinaryIO) -> None:
        """Write a tar sorted by path; of hard links, the first path holds the bytes."""
        heads: dict[str, str] = {}
        with tarfile.TarFile(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT, copybufsize=1 << 20) as archive:
            for name in sorted(self.entries):
                entry = self.entries[name]
                target = entry.info.linkname if entry.info.islnk() else name
                if target in heads:
                    info = header(name, tarfile.LNKTYPE, entry.info.mode)
                    info.uid, info.gid, info.mtime = entry.info.uid, entry.info.gid, entry.info.mtime
                    info.linkname = heads[target]
                    archive.addfile(info)
                    continue
                if entry.info.islnk() or entry.info.isreg():
                    heads[target] = name
                source = self.entries[target]
                info = source.info.replace(name=name, deep=False) if target != name else entry.info
                if isinstance(source.data, bytes):
                    archive.addfile(info, io.BytesIO(source.data))
                elif source.data is not None:
                    path, offset = source.data
                    with path.open("rb") as file:
                        file.seek(offset)
                        archive.addfile(info, file)
                else:
                    archive.addfile(info)


def header(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.mtime = kind, mode, EPOCH
    return info


def build_tree(packages: Sequence[Path]) -> Tree:
    """Unpack the packages in parallel, and do the few things that their scripts would do."""
    tree = Tree()
    done = 0

    def unpack(package: Path) -> tuple[Path, dict[str, bytes]]:
        nonlocal done
        tar = package.with_suffix(".tar")
        with tar.open("wb") as file:
            result = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=file, stderr=subprocess.PIPE)
        control = subprocess.run(["dpkg-deb", "--ctrl-tarfile", str(package)], capture_output=True)
        if result.returncode or control.returncode:
            raise BuildError(f"dpkg-deb cannot read {package.name}: {result.stderr.decode(errors='replace').strip()}")
        package.unlink()
        done += 1
        with tarfile.open(fileobj=io.BytesIO(control.stdout)) as archive:
            files = {m.name.removeprefix("./"): archive.extractfile(m) for m in archive if m.isreg()}
            return tar, {name: file.read() for name, file in files.items() if file is not None}

    status = []
    with (
        progress(f"unpacking {len(packages)} packages", lambda: f"{done} done"),
        ThreadPoolExecutor(os.cpu_count() or 2) as pool,
    ):
        for tar, control in pool.map(unpack, packages):
            status.append(register(tree, tree.add(tar), control))
    # "unpacked", not "installed": no maintainer script has run
    tree.file("var/lib/dpkg/status", b"\n".join(status))
    configure(tree)
    return tree


def register(tree: Tree, names: Sequence[str], control: Mapping[str, bytes]) -> bytes:
    """Add a package to the image's dpkg database and return its paragraph of the status file."""
    text = control["control"].strip()
    fields = dict(re.findall(r"^([A-Za-z-]+): *(.*)$", text.decode(), re.MULTILINE))
    package = fields["Package"] + (f":{fields['Architecture']}" if fields.get("Multi-Arch") == "same" else "")
    tree.file(f"var/lib/dpkg/info/{package}.list", "".join(f"{name}\n" for name in names).encode())
    for name, data in control.items():
        if name != "control":
            script = name in {"preinst", "postinst", "prerm", "postrm", "config"}
            tree.file(f"var/lib/dpkg/info/{package}.{name}", data, 0o755 if script else 0o644)
    first, _, rest = text.partition(b"\n")
    return first + b"\nStatus: install ok unpacked\n" + rest + b"\n"


def configure(tree: Tree) -> None:
    for name, mode in (("tmp", 0o1777), ("var/tmp", 0o1777), ("root", 0o700), ("etc", 0o755)):
        tree.folder(name, mode)
    for name in ("dev", "proc", "sys", "run"):
        tree.folder(name)
    tree.link("var/run", "/run")
    tree.link("var/lock", "/run/lock")
    for name in ("passwd", "group"):
        master = tree.read(f"usr/share/base-passwd/{name}.master")
        tree.file(f"etc/{name}", (master or b"root:x:0:0:root:/root:/bin/sh\n").replace(b":*:", b":x:"))
    if "usr/bin/mawk" in tree.entries:
        tree.link("usr/bin/awk", "mawk")
    certificates = [name for name in sorted(tree.entries) if re.fullmatch(r"usr/share/ca-certificates/.*\.crt", name)]
    if certificates:
        tree.file("etc/ssl/certs/ca-certificates.crt", b"".join(tree.read(name) or b"" for name in certificates))


# ---------------------------------------------------------------------------------------------------- the archive


class Hashing(io.RawIOBase):
    """A writer that counts and hashes."""

    def __init__(self, sink: BinaryIO) -> None:
        self.sink = sink
        self.digest = hashlib.sha256()
        self.count = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.sink.write(data)
        self.digest.update(data)
        self.count += len(data)
        return len(data)

    def tell(self) -> int:
        return self.count


def write_archive(out: Path, recipe: Recipe, packages: Sequence[Path]) -> None:
    """Write a docker-archive: the layer first; its header is filled in when size and digest are known."""
    tree = build_tree(packages)
    for name, text in recipe.files.items():
        tree.file(name.strip("/"), text.encode())
    with out.open("wb+") as file:
        file.write(bytes(tarfile.BLOCKSIZE))
        layer = Hashing(file)
        with progress("writing the layer", lambda: megabytes(layer.count)):
            tree.write(layer)  # type: ignore[arg-type]  # a writer that can tell() is all tarfile needs
        diff_id = layer.digest.hexdigest()
        info = header(f"{diff_id}.tar", tarfile.REGTYPE, 0o644)
        info.size = layer.count
        file.seek(0)
        file.write(info.tobuf(tarfile.USTAR_FORMAT))  # a tar's own length is a whole number of blocks: no padding
        file.seek(0, os.SEEK_END)

        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(EPOCH))
        said = f"RUN dpkg --unpack # {len(packages)} packages of Debian {recipe.suite}"
        env = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
        config = json.dumps(
            {
                "architecture": call("dpkg", "--print-architecture").strip(),
                "os": "linux",
                "created": created,
                "config": {"Env": env, **recipe.config},
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff_id}"]},
                "history": [{"created": created, "created_by": said}],
            },
            sort_keys=True,
        ).encode()
        image_id = hashlib.sha256(config).hexdigest()
        entry = {"Config": f"{image_id}.json", "RepoTags": [recipe.ref], "Layers": [f"{diff_id}.tar"]}
        with tarfile.TarFile(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for name, data in ((f"{image_id}.json", config), ("manifest.json", json.dumps([entry]).encode())):
                info = header(name, tarfile.REGTYPE, 0o644)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Build a Debian base image from Debian's packages.")
    parser.add_argument("out", type=Path, help="the docker-archive to write")
    parser.add_argument("--size", choices=sorted(SIZES), default="small")
    parser.add_argument("--cache", type=Path, default=None, help="default: %(default)s, in ~/.cache/containerkit")
    options = parser.parse_args(argv)
    began = time.monotonic()
    try:
        build_base_image(options.out, options.size, cache=options.cache)
    except BuildError as exc:
        print(f"base_image: {exc}", file=sys.stderr)  # noqa: T201
        return 1
    said = f"{options.out}: {base_image_ref(options.size)}, {megabytes(options.out.stat().st_size)}"
    print(f"{said}, in {time.monotonic() - began:.1f} s")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
