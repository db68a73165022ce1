"""Images for labs: the contexts that are built, from the packages of an apt-get that a test puts on the PATH."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import containerkit as ck
from containerkit.backends.base import Progress
from containerkit.labs import images
from containerkit.labs.images import BASE_IMAGE, ROUTER_IMAGE, build_images
from containerkit.labs.services import FILES
from containerkit.spec import BuildSpec
from containerkit.testing import FakeBackend
from containerkit.testing.archives import ImageBuilder

#: Records its arguments, and downloads a package for each name that was not downloaded before.
APT = """#!/bin/sh
echo "$@" >>{calls}
for word; do case $word in -oDir::Cache::archives=*) archives=${{word#*=}} ;; esac; done
[ ! -e {broken} ] || {{ cat {broken} >&2; exit 100; }}
touch "$archives/partial/half.deb"
for word; do
  [ ! -e {packages}/$word ] || [ -e "$archives/${{word}}_1_all.deb" ] ||
    cp {packages}/$word "$archives/${{word}}_1_all.deb"
done
"""
#: A package is its tar here.
DPKG_DEB = """#!/bin/sh
[ "$1" = --fsys-tarfile ] || exit 2
exec cat "$2"
"""


class Builder(FakeBackend):
    """Keeps the contexts that it builds."""

    def __init__(self) -> None:
        super().__init__()
        self.capabilities |= {ck.Capability.BUILD}
        self.built: list[tuple[tuple[str, ...], dict[str, tuple[int, bytes]]]] = []

    def build_image(self, context: Iterable[bytes], spec: BuildSpec) -> Iterator[Progress]:
        with tarfile.open(fileobj=io.BytesIO(b"".join(context))) as tar:
            members = {
                member.name: (member.mode & 0o777, file.read()) for member in tar if (file := tar.extractfile(member))
            }
        self.built.append((spec.tags, members))
        yield Progress(stream="Step 1\n")
        yield Progress(image_id=self.add_image(spec.tags[0], ImageBuilder().layer(files={str(len(self.built)): "x"})))


def package(path: Path, *members: tarfile.TarInfo | tuple[str, str]) -> None:
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for member in members:
            if isinstance(member, tuple):
                info = tarfile.TarInfo(member[0])
                info.size, info.mode = len(member[1]), 0o755
                tar.addfile(info, io.BytesIO(member[1].encode()))
            else:
                tar.addfile(member)


def link(name: str, to: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, to
    return member


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put apt-get and dpkg-deb on the PATH; packages/NAME is what a package holds."""
    packages = tmp_path / "packages"
    folder = link("./bin/", "", tarfile.DIRTYPE)
    package(
        packages / "usr-is-merged",
        folder,
        ("./bin/dash", "shell"),
        ("./usr/share/doc/dash/copyright", "long"),
        ("./lib64/ld.so", "loader"),
        link("./bin/again", "./bin/dash", tarfile.LNKTYPE),
        link("./etc/link", "/bin/dash", tarfile.SYMTYPE),
    )
    package(packages / "curl", ("./usr/bin/curl", "curl"))
    package(packages / "frr", ("./usr/lib/frr/zebra", "zebra"))
    programs = tmp_path / "programs"
    programs.mkdir()
    paths = {"calls": tmp_path / "calls", "broken": tmp_path / "broken", "packages": packages}
    for name, text in (("apt-get", APT.format(**paths)), ("dpkg-deb", DPKG_DEB)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return tmp_path


def test_images_of_packages_that_this_machine_downloads(machine: Path) -> None:
    """The root is unpacked here, the first image is squashed, and the second has only what the first lacks."""
    backend = Builder()
    seen: list[Progress] = []
    with ck.Engine(backend) as engine:
        base, router = build_images(engine, on_progress=seen.append)
    assert (base.refs, router.refs) == ((BASE_IMAGE,), (ROUTER_IMAGE,))
    assert [progress.stream for progress in seen if progress.stream] == ["Step 1\n", "Step 1\n"]
    (first_tags, first), (second_tags, second) = backend.built
    assert (first_tags, second_tags) == ((BASE_IMAGE,), (ROUTER_IMAGE,))
    lines = first["Dockerfile"][1].decode().splitlines()
    assert lines == [
        "FROM scratch AS made",
        "ADD root.tar /",
        "COPY install.sh debs /debs/",
        "RUN sh /debs/install.sh && rm -r /debs",
        "COPY files /",
        "FROM scratch",
        "COPY --from=made / /",
        "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        'CMD ["bash"]',
    ]
    lines = second["Dockerfile"][1].decode().splitlines()
    assert lines[:2] == [f"FROM {BASE_IMAGE} AS made", "COPY install.sh debs /debs/"]
    assert "FROM scratch" not in lines
    assert {name for name in first if name.startswith("debs/")} == {
        "debs/usr-is-merged_1_all.deb",
        "debs/curl_1_all.deb",
    }
    assert {name for name in second if name.startswith("debs/")} == {"debs/frr_1_all.deb"}
    assert "root.tar" not in second
    for members in (first, second):
        assert {name: members[f"files/{name}"] for name in FILES} == {
            name: (0o755, text.encode()) for name, text in FILES.items()
        }


def test_apt_has_a_state_of_its_own(machine: Path) -> None:
    """Nothing counts as installed, and nothing is installed: each call only downloads."""
    with ck.Engine(Builder()) as engine:
        build_images(engine)
    calls = (machine / "calls").read_text().splitlines()
    assert [call.partition(" --download-only install ")[2] for call in calls] == [
        "?essential usr-is-merged",
        " ".join(["?essential", "usr-is-merged", *images._BASE]),
        "frr",
    ]
    for call in calls:
        status = re.search(r"-oDir::State::status=(\S+)", call)
        assert status is not None
        assert not status[1].startswith("/var")
        assert not Path(status[1]).exists()  # the temporary folder is removed


def test_the_root_has_its_folders_in_usr(machine: Path) -> None:
    """/bin, /sbin and /lib are links; files and hard links move below /usr; documentation is left out."""
    backend = Builder()
    with ck.Engine(backend) as engine:
        build_images(engine)
    with tarfile.open(fileobj=io.BytesIO(backend.built[0][1]["root.tar"][1])) as root:
        names = root.getnames()
        assert len(names) == len(set(names))
        members = {member.name: member for member in root}
        assert [members[name].linkname for name in ("bin", "sbin", "lib64", "usr/bin/sh", "usr/bin/awk")] == [
            *("usr/bin", "usr/sbin", "usr/lib64"),
            *("dash", "mawk"),
        ]
        assert members["bin"].issym()
        shell, loader = root.extractfile("usr/bin/dash"), root.extractfile("usr/lib64/ld.so")
        assert shell is not None
        assert loader is not None
        assert (shell.read(), loader.read()) == (b"shell", b"loader")
        assert members["usr/bin/again"].linkname == "usr/bin/dash"
        assert members["etc/link"].linkname == "/bin/dash"  # a symbolic link's target is left as it is
        assert members["usr/bin"].isdir()
        assert not [name for name in names if name.startswith("usr/share/doc")]


def test_images_on_top_of_debian(machine: Path) -> None:
    """With a base, apt-get runs in the build, and this machine's is not called."""
    backend = Builder()
    with ck.Engine(backend) as engine:
        build_images(engine, base="debian:stable-slim")
    files = [members["Dockerfile"][1].decode() for _, members in backend.built]
    assert files[0].startswith("FROM debian:stable-slim AS made\n")
    assert files[1].startswith(f"FROM {BASE_IMAGE} AS made\n")
    assert " frr && apt-get clean" in files[1]
    assert ["--no-install-recommends iproute2 " in text for text in files] == [True, False]
    assert not [name for _, members in backend.built for name in members if name.startswith(("debs", "root"))]
    assert not (machine / "calls").exists()


def test_apt_fails(machine: Path) -> None:
    """The error has apt-get's own words and a way out; nothing is built."""
    (machine / "broken").write_text("E: Unable to locate package iproute2\n")
    backend = Builder()
    with (
        ck.Engine(backend) as engine,
        pytest.raises(ck.Unsupported, match=r"\(try `apt-get update`\): E: Unable to locate package iproute2$"),
    ):
        build_images(engine)
    assert backend.built == []


@pytest.mark.parametrize("missing", ["apt-get", "dpkg-deb"])
def test_a_machine_without_apt(machine: Path, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to go without: give an image to begin with."""
    monkeypatch.setenv("PATH", str(machine / "programs"))
    (machine / "programs" / missing).unlink()
    backend = Builder()
    with ck.Engine(backend) as engine, pytest.raises(ck.Unsupported, match='base="debian:stable-slim"'):
        build_images(engine)
    assert backend.built == []
