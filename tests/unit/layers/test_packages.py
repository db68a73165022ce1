"""Packages per layer: of dpkg, apk, rpm and Python; added, replaced, removed; bytes of their files."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest
from click.testing import CliRunner
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from containerkit.cli import app
from containerkit.layers.stack import LayerStack, open_archive
from containerkit.testing.archives import ImageBuilder

RPM = Path(__file__).parents[1] / "oci" / "rpm"
INFO = "var/lib/dpkg/info"


def status(*packages: tuple[str, str]) -> str:
    """Return dpkg's status of packages, and of one that was removed with its configuration left."""
    lines = [f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n"
             f"Description: x\n Package: not this\n" for name, version in packages]  # fmt: skip
    return "\n".join([*lines, "Package: old\nStatus: deinstall ok config-files\nVersion: 1\n"])


def opened(image: ImageBuilder, path: Path) -> LayerStack:
    (path / "image.tar").write_bytes(image.to_docker_archive())
    return open_archive(path / "image.tar")


def names(packages: tuple[object, ...]) -> list[str]:
    return [f"{one.name} {one.version} {one.bytes}" for one in packages]  # type: ignore[attr-defined]


def test_dpkg(tmp_path: Path) -> None:
    """An upgrade is added and removed; only files of the layer itself count, through links such as /bin, once."""
    base = ImageBuilder().layer(
        files={
            "var/lib/dpkg/status": status(("libc6", "2"), ("tool", "1")),
            f"{INFO}/libc6:amd64.list": "/.\n/lib\n/lib/libc.so\n/usr/lib/libc.so\n",
            f"{INFO}/tool.list": "/usr/bin/tool\n/usr/share/doc/tool\n",
            "usr/lib/libc.so": 900,
            "usr/bin/tool": 50,
        },
        symlinks={"lib": "usr/lib"},
    )
    image = base.layer(files={"usr/bin/other": 5}).layer(
        files={
            "var/lib/dpkg/status": status(("tool", "2"), ("new", "1")),
            f"{INFO}/tool.list": "/usr/bin/tool\n",
            "usr/bin/tool": 60,
        },
        whiteouts=["usr/lib/libc.so"],
    )
    found = opened(image, tmp_path).packages()
    assert names(found.layers[0].added) == ["libc6 2 900", "tool 1 50"]
    assert (found.layers[0].bytes, found.layers[0].removed) == (950, ())
    assert (found.layers[1].added, found.layers[1].removed) == ((), ())
    assert names(found.layers[2].added) == ["tool 2 60", "new 1 None"]
    assert names(found.layers[2].removed) == ["libc6 2 None", "tool 1 None"]
    assert sorted(one.name for one in found.installed) == ["new", "tool"]


def test_apk_and_python(tmp_path: Path) -> None:
    """apk's database states the files; of a Python distribution RECORD does, and its removal is noticed."""
    site = "usr/lib/python3/site-packages"
    image = ImageBuilder().layer(
        files={
            "lib/apk/db/installed": "P:musl\nV:1.2\nA:x86_64\nF:lib\nR:ld.so\n\nP:empty\nV:1\n",
            "lib/ld.so": 70,
            f"{site}/x-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: X\nVersion: 1\n\nName: not this\n",
            f"{site}/x-1.dist-info/RECORD": 'x.py,sha256=1,10\nx-1.dist-info/METADATA,,\n"../../../bin/x",,\n',
            f"{site}/x.py": 10,
        }
    )
    removed = image.layer(whiteouts=[f"{site}/x-1.dist-info"])
    found = opened(removed, tmp_path).packages()
    size = len("Metadata-Version: 2.1\nName: X\nVersion: 1\n\nName: not this\n")
    assert sorted(names(found.layers[0].added)) == [f"X 1 {10 + size}", "empty 1 None", "musl 1.2 70"]
    assert names(found.layers[1].removed) == ["X 1 None"]
    assert "2 packages" in str(found)


def test_distroless_and_unread_databases(tmp_path: Path) -> None:
    """A file per package in status.d is read; a damaged database of rpm and a journal beside it are named."""
    image = ImageBuilder().layer(
        files={
            "var/lib/dpkg/status.d/base": "Package: base-files\nVersion: 12\nArchitecture: all\n",
            "var/lib/dpkg/status.d/base.md5sums": "00  etc/x\n",
            "var/lib/rpm/rpmdb.sqlite": 10,
            "var/lib/rpm/rpmdb.sqlite-wal": 10,
        }
    )
    found = opened(image, tmp_path).packages()
    assert names(found.installed) == ["base-files 12 None"]
    assert set(found.unread) == {"/var/lib/rpm/rpmdb.sqlite", "/var/lib/rpm/rpmdb.sqlite-wal"}


@pytest.mark.parametrize(
    "form", ["var/lib/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/Packages.db", "var/lib/rpm/Packages"]
)
def test_rpm(tmp_path: Path, form: str) -> None:
    """The layer that replaced a package's file has its bytes; a removed database removes the packages."""
    database = lzma.decompress((RPM / f"{Path(form).name}.xz").read_bytes())
    base = ImageBuilder().layer(files={form: database, "usr/share/alpha/a": 6, "usr/share/beta/b": 7})
    found = opened(base.layer(whiteouts=[form]), tmp_path).packages()
    assert sorted(names(found.layers[0].added)) == ["alpha 2:1.2-3 6", "beta 1.2-3 7"]
    assert (len(found.layers[1].removed), found.installed, found.unread) == (2, (), ())


def test_a_bill_of_materials(tmp_path: Path) -> None:
    """It satisfies CycloneDX's own schema; package URLs and layers are stated for every kind of package."""
    image = (
        ImageBuilder()
        .layer(files={"usr/lib/os-release": 'NAME="Some Linux"\nID=rhel\nVERSION_ID="9.4"\n'})
        .layer(
            files={
                "var/lib/rpm/rpmdb.sqlite": lzma.decompress((RPM / "rpmdb.sqlite.xz").read_bytes()),
                "usr/lib/python3/x-1.dist-info/METADATA": "Name: X_y\nVersion: 1\n",
            }
        )
    )
    stack = opened(image, tmp_path)
    told = stack.cyclonedx()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(told) is None
    document = json.loads(told)
    assert {one["purl"] for one in document["components"]} == {
        "pkg:rpm/redhat/alpha@1.2-3?arch=x86_64&distro=rhel-9.4&epoch=2",
        "pkg:rpm/redhat/beta@1.2-3?arch=noarch&distro=rhel-9.4",
        "pkg:pypi/x-y@1",
    }
    told_of = {row["name"]: row["value"] for row in document["components"][0]["properties"]}
    assert told_of["containerkit:layer:diff_id"] == stack[1].diff_id
    assert document["metadata"]["component"]["version"] == stack.config_digest
    shown = CliRunner().invoke(app, ["packages", "--cyclonedx", str(tmp_path / "image.tar")])
    assert json.loads(shown.stdout)["components"] == document["components"]


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe\0\n:\n\n\n", b"P:\n", b"Name\n\n", b'"\n"\n'])
def test_broken_databases(raw: bytes, tmp_path: Path) -> None:
    """Anything may stand in them."""
    paths = [
        "var/lib/dpkg/status",
        f"{INFO}/a.list",
        "lib/apk/db/installed",
        "x.dist-info/METADATA",
        "x.dist-info/RECORD",
    ]
    assert opened(ImageBuilder().layer(files=dict.fromkeys(paths, raw)), tmp_path).packages().installed == ()


def test_the_command_line(tmp_path: Path) -> None:
    """A row per layer; the changes of one layer; everything as JSON."""
    opened(ImageBuilder().layer(files={"var/lib/dpkg/status": status(("tool", "1"))}).layer(files={"a": 1}), tmp_path)
    call = CliRunner().invoke
    path = str(tmp_path / "image.tar")
    assert "1 package\n" in call(app, ["packages", path]).output
    assert "tool" in call(app, ["packages", path, "--layer", "0"]).output
    assert json.loads(call(app, ["packages", path, "--json"]).output)["installed"][0]["name"] == "tool"
    assert [one["name"] for one in json.loads(call(app, ["packages", path, "--all", "--json"]).output)] == ["tool"]
