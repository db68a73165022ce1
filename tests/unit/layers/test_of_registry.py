"""Images of a registry: the same value as an archive's, what only a registry says, credentials, and lies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import containerkit as ck
from containerkit.cli import app
from containerkit.oci.platforms import matches, of_this_machine
from containerkit.testing import FakeBackend
from containerkit.testing.archives import ImageBuilder
from tests.registry.served import PASSWORD, USER, ServedRegistry
from tests.tls import Authority

BASE = ImageBuilder().layer(files={"etc/a": 1000, "etc/b": "one"}).metadata("ENV A=1")
IMAGE = BASE.layer(files={"etc/b": "two"}, whiteouts=["etc/a"], created_by="RUN rm /etc/a")


@pytest.fixture(autouse=True)
def no_logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the logins and proxies of who runs the tests."""
    for name in ("HOME", "DOCKER_CONFIG", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("REGISTRY_AUTH_FILE", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def registry() -> Iterator[ServedRegistry]:
    with ServedRegistry() as served:
        yield served


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_it_is_the_value_of_the_archive(registry: ServedRegistry, compression: str, tmp_path: Path) -> None:
    """Layers, files, waste, a file's bytes and digests are those of the OCI layout that was pushed."""
    members = IMAGE.oci_members(compression=compression)  # type: ignore[arg-type]
    ref = registry.push("team/app:1", members)
    image = ck.open_registry("docker://" + ref)
    (tmp_path / "x.tar").write_bytes(IMAGE.to_docker_archive())
    archive = ck.open_archive(tmp_path / "x.tar")
    assert (image.ref, image.image_id) == (ref, IMAGE.image_id)
    assert repr(image) == f"<LayerStack {ref} {IMAGE.image_id[:19]} 2 layers>"
    assert [layer.chain_id for layer in image] == [layer.chain_id for layer in archive]
    assert [layer.created_by for layer in image] == [layer.created_by for layer in archive]
    assert image.compare(archive).to_dict() == {"added": [], "modified": [], "removed": []}
    assert [entry.path for entry in image.files()] == [entry.path for entry in archive.files()]
    assert image.waste().to_dict() == archive.waste().to_dict()
    assert image.read_file("/etc/b") == b"two"
    assert image.verify().unchecked == ()
    assert image.config == archive.config


def test_sizes_need_no_download(registry: ServedRegistry) -> None:
    """Compressed sizes are the manifest's; a layer is downloaded once its files are asked for, and no other."""
    ref = registry.push("team/app:1", IMAGE.oci_members())
    image = ck.open_registry(ref)
    assert image.sizes.compressed == sum(blob.size for blob in image.blobs)
    assert (image[0].sizes.content, image[0].sizes.tar) == (None, None)
    assert image.to_dict()["blobs"][1]["size"] == image[1].sizes.compressed
    before = len(registry.paths)
    assert {entry.path for entry in image[1].files()} == {"/etc/a", "/etc/b", "/etc"} - {"/etc"}
    assert registry.paths[before:] == [f"/v2/team/app/blobs/{image.blobs[1].digest}"]
    assert image[1].sizes.content == 3


def test_platforms(registry: ServedRegistry) -> None:
    """Without a wish the one of this machine; each other by its name; a missing one names those that exist."""
    own = of_this_machine()
    other = BASE.layer(files={"z": 1})
    ref = registry.push(
        "app:1",
        IMAGE.oci_members(),
        other.oci_members(),
        platforms=(own, "linux/s390x" if "s390x" not in own else "x/y"),
    )
    image = ck.open_registry(ref)
    assert image.image_id == IMAGE.image_id
    assert len(image.platforms) == 2
    assert ck.open_registry(ref, platform=image.platforms[1]).image_id == other.image_id
    assert ck.open_registry(f"{ref.rpartition(':')[0]}@{image.digest}").image_id == IMAGE.image_id
    with pytest.raises(ck.InvalidOption, match=own):
        ck.open_registry(ref, platform="windows/amd64")


@pytest.mark.parametrize(
    ("found", "wanted", "same"),
    [
        (("linux", "arm64", "v8"), "linux/arm64", True),
        (("linux", "arm64", ""), "arm64", True),
        (("linux", "arm", "v7"), "linux/arm/v7", True),
        (("linux", "arm", "v6"), "linux/arm", False),
        (("linux", "amd64", ""), "linux/arm64", False),
        (("windows", "amd64", ""), "linux/amd64", False),
    ],
)
def test_matching(found: tuple[str, str, str], wanted: str, same: bool) -> None:
    """A missing variant is the usual one; system and architecture must be equal."""
    assert matches(found, wanted) is same


def test_tags_come_in_pages(registry: ServedRegistry) -> None:
    """All tags, though the registry sends two at a time."""
    registry.page = 2
    for number in range(5):
        registry.push(f"team/app:v{number}", IMAGE.oci_members())
    ref = f"docker://{registry.address}/team/app"
    assert ck.list_tags(ref) == ("v0", "v1", "v2", "v3", "v4")
    assert CliRunner().invoke(app, ["tags", ref]).output.split() == ["v0", "v1", "v2", "v3", "v4"]
    with pytest.raises(ck.ImageNotFound):
        ck.list_tags(f"{registry.address}/none")


@pytest.mark.parametrize("asks", ["basic", "bearer"])
def test_credentials(asks: str, tmp_path: Path) -> None:
    """They are given as the registry asks for them; those of `docker login` are found; without, the error says so."""
    with ServedRegistry(asks) as registry:  # type: ignore[arg-type]
        ref = registry.push("app:1", IMAGE.oci_members())
        for auth in (None, (USER, "wrong")):
            with pytest.raises(ck.AuthenticationFailed) as refused:
                ck.open_registry(ref, auth=auth)
            assert PASSWORD not in str(refused.value)
        assert ck.open_registry(ref, auth=(USER, PASSWORD)).verify().unchecked == ()
        login = {"auths": {registry.address: {"username": USER, "password": PASSWORD}}}
        (tmp_path / "config.json").write_text(json.dumps(login))
        assert ck.open_registry(ref).image_id == IMAGE.image_id


def test_what_is_missing_or_silent() -> None:
    """A missing tag is ImageNotFound; no registry at the address is PullFailed with the address."""
    with ServedRegistry() as registry:
        registry.push("app:1", IMAGE.oci_members())
        with pytest.raises(ck.ImageNotFound, match="manifest unknown"):
            ck.open_registry(f"{registry.address}/app:2")
    with pytest.raises(ck.PullFailed, match=registry.address):
        ck.open_registry(f"{registry.address}/app:1", timeout=5)


@pytest.mark.parametrize("which", ["manifest", "config", "layer", "longer"])
def test_lies_are_noticed(registry: ServedRegistry, which: str) -> None:
    """Bytes that do not have the digest, or are more than stated, are InvalidImage."""
    ref = registry.push("app:1", IMAGE.oci_members())
    image = ck.open_registry(ref)
    if which == "manifest":
        registry.blobs[image.digest] += b" "
        ref = f"{registry.address}/app@{image.digest}"
    elif which == "config":
        registry.blobs[IMAGE.image_id] += b" "
    else:
        digest = image.blobs[0].digest
        other = ImageBuilder().layer(files={"etc/a": 999, "etc/b": "one"}).oci_members()
        registry.blobs[digest] = next(data for data in other.values() if data[:2] == b"\x1f\x8b")
        if which == "longer":
            registry.blobs[digest] = registry.blobs[digest] + bytes(5000)
    with pytest.raises(ck.InvalidImage):
        ck.open_registry(ref).files()


def test_what_a_pull_moves(registry: ServedRegistry) -> None:
    """Layers that the engine has on top of the same layers are not moved; the engine's platform counts."""
    ref = registry.push("app:1", IMAGE.oci_members(), BASE.oci_members(), platforms=("linux/amd64", "plan9/mips"))
    image = ck.open_registry(ref, platform="linux/amd64")
    sizes = [blob.size for blob in image.blobs]
    engine = ck.connect(FakeBackend(images=["other:1"]))
    assert engine.images.pull_cost(ref).bytes_to_move == sum(sizes)
    engine.images.load(BASE.tag("base:1").to_docker_archive())
    cost = engine.images.pull_cost(ref)
    assert [one.here for one in cost.layers] == [True, False]
    assert (cost.bytes_to_move, cost.bytes_here) == (sizes[1], sizes[0])
    assert "to move" in str(cost)
    assert engine.images.pull_cost(ref, platform="plan9/mips").bytes_to_move == 0


def test_the_command_line(registry: ServedRegistry) -> None:
    """`layers docker://…` shows compressed sizes, `--files` the files, `compare-images` compares with an archive."""
    ref = "docker://" + registry.push("app:1", IMAGE.oci_members())
    shown = CliRunner().invoke(app, ["layers", ref])
    assert shown.exit_code == 0, shown.output
    assert "compressed" in shown.output
    assert "/etc/b" in CliRunner().invoke(app, ["layers", ref, "--files"]).output
    assert CliRunner().invoke(app, ["compare-images", ref, ref, "--exit-code"]).exit_code == 0


# ---------------------------------------------------------------- certificates and mirrors
@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """A certificate authority that this machine does not know; other programs' setting names a file without it."""
    made = Authority(tmp_path / "authority")
    other = Authority(tmp_path / "other")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, other.ca)
    return made


@pytest.mark.parametrize("asks", ["basic", "bearer"])
def test_a_certificate_of_an_own_authority(authority: Authority, asks: Any, tmp_path: Path) -> None:
    """It is refused with what to do; certs.d, or tls_verify=False, makes it good, for the server of tokens too."""
    with ServedRegistry(asks, tls=authority.issue("registry")) as served:
        ref = served.push("team/app:1", IMAGE.oci_members())
        with pytest.raises(ck.PullFailed, match=r"not trusted.*certs\.d"):
            ck.open_registry(ref, auth=(USER, PASSWORD))
        open_to_all = ck.open_registry(ref, auth=(USER, PASSWORD), tls_verify=False)
        folder = tmp_path / "containers" / "certs.d" / served.address
        folder.mkdir(parents=True)
        (folder / "ca.crt").write_text(Path(authority.ca).read_text())
        image = ck.open_registry(ref, auth=(USER, PASSWORD))
        assert image.digest == open_to_all.digest
        assert image.read_file("/etc/b") == b"two"
        assert ck.list_tags(ref, auth=(USER, PASSWORD)) == ("1",)
        (folder / "ca.crt").write_text("no certificate")
        with pytest.raises(ck.PullFailed, match=r"certificates in certs\.d"):
            ck.open_registry(ref, auth=(USER, PASSWORD))


def test_a_mirror(registry: ServedRegistry, tmp_path: Path) -> None:
    """The first mirror that has the image serves it under its own name; without one, the registry itself is asked."""
    registry.push("copy/app:1", IMAGE.oci_members())
    with ServedRegistry("basic") as closed:
        (tmp_path / "containers").mkdir()
        (tmp_path / "containers" / "registries.conf").write_text(
            '[[registry]]\nprefix = "gone.invalid/team"\nlocation = "gone.invalid/team"\n'
            f'[[registry.mirror]]\nlocation = "{closed.address}"\n'
            f'[[registry.mirror]]\nlocation = "{registry.address}/copy"\n'
        )
        image = ck.open_registry("gone.invalid/team/app:1")
        assert (image.ref, image.verify().unchecked) == ("gone.invalid/team/app:1", ())
        assert closed.paths
        with pytest.raises(ck.PullFailed, match=r"gone\.invalid"):
            ck.open_registry("gone.invalid/team/app:2")
