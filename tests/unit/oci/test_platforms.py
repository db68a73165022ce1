"""An OCI layout that holds one name for several platforms."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from containerkit.errors import InvalidOption
from containerkit.oci import archive
from containerkit.oci.archive import open_image
from containerkit.testing.archives import ImageBuilder, pack, unpack_to

BUILDERS = {
    name: ImageBuilder().layer(files={"arch": name.encode()}).tag("app:1") for name in ("linux/amd64", "linux/arm64/v8")
}


def members() -> dict[str, bytes]:
    """Return the files of a layout with an image for each platform, and what a builder adds for none."""
    files: dict[str, bytes] = {}
    entries = []
    for name, builder in BUILDERS.items():
        own = builder.oci_members()
        (entry,) = json.loads(own.pop("index.json"))["manifests"]
        system, architecture, *variant = name.split("/")
        entry["platform"] = {"os": system, "architecture": architecture} | ({"variant": variant[0]} if variant else {})
        entries.append(entry)
        files |= own
    return {**files, "index.json": json.dumps({"schemaVersion": 2, "manifests": entries}).encode()}


@pytest.fixture(params=["tar", "folder", "stream"])
def layout(request: pytest.FixtureRequest, tmp_path: Path) -> object:
    files = members()
    if request.param == "folder":
        return unpack_to(files, tmp_path)
    if request.param == "stream":
        return io.BytesIO(pack(files))
    path = tmp_path / "layout.tar"
    path.write_bytes(pack(files))
    return path


@pytest.mark.parametrize(
    ("asked", "found"), [("linux/amd64", "linux/amd64"), ("linux/arm64", "linux/arm64/v8"), ("arm64", "linux/arm64/v8")]
)
def test_the_wanted_platform(layout: Path, asked: str, found: str) -> None:
    image = open_image(layout, ref="app:1", platform=asked)
    assert image.config.diff_ids == BUILDERS[found].diff_ids


def test_this_machines_platform(layout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a wish, the image for this machine is opened."""
    monkeypatch.setattr(archive, "of_this_machine", lambda: "linux/arm64")
    assert open_image(layout).config.diff_ids == BUILDERS["linux/arm64/v8"].diff_ids


def test_another_platform_is_refused(layout: Path) -> None:
    """The error lists those of the layout."""
    with pytest.raises(InvalidOption, match=r"one of the archive's: linux/amd64, linux/arm64/v8") as caught:
        open_image(layout, platform="windows/amd64")
    assert "platform" in str(caught.value)
