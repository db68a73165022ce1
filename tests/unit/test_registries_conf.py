"""Mirrors and certificates: which files count, and what they say about an image."""

from __future__ import annotations

from pathlib import Path

import pytest

import containerkit as ck
from containerkit.reference import parse
from containerkit.userconfig.environment import Environment
from containerkit.userconfig.registries import Certificates, Place, certificates, places

DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def here(tmp_path: Path) -> Environment:
    return Environment({}, tmp_path / "home", 1000, root=tmp_path / "root")


def write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def read_from(environment: Environment, name: str) -> list[tuple[str, bool]]:
    return [(place.name.qualified, place.insecure) for place in places(environment, parse(name))]


def test_without_files(here: Environment) -> None:
    """The image is read from its own registry, with the system's certificates."""
    assert places(here, parse("a.example/b")) == (Place(parse("a.example/b")),)
    assert certificates(here, "a.example") == Certificates()


def test_mirrors(here: Environment) -> None:
    """The longest prefix counts; mirrors come first, in their order, some for tags or digests alone."""
    write(
        here.root / "etc/containers/registries.conf",
        """
        [[registry]]
        location = "docker.io"
        [[registry.mirror]]
        location = "mirror.example/hub"
        insecure = true
        [[registry.mirror]]
        location = "digests.example"
        pull-from-mirror = "digest-only"
        [[registry.mirror]]
        location = "tags.example"
        pull-from-mirror = "tag-only"
        [[registry]]
        prefix = "docker.io/team"
        location = "own.example/x"
        mirror-by-digest-only = true
        [[registry.mirror]]
        location = "m.example"
        """,
    )
    assert read_from(here, "busybox:1") == [
        ("mirror.example/hub/library/busybox:1", True),
        ("tags.example/library/busybox:1", False),
        ("docker.io/library/busybox:1", False),
    ]
    assert read_from(here, f"busybox@{DIGEST}") == [
        (f"mirror.example/hub/library/busybox@{DIGEST}", True),
        (f"digests.example/library/busybox@{DIGEST}", False),
        (f"docker.io/library/busybox@{DIGEST}", False),
    ]
    assert read_from(here, "team/app:1") == [("own.example/x/app:1", False)]
    assert read_from(here, f"team/app@{DIGEST}")[0] == (f"m.example/app@{DIGEST}", False)
    assert read_from(here, "teams/app:1")[-1] == ("docker.io/teams/app:1", False)


def test_blocked_and_insecure(here: Environment) -> None:
    """A wildcard is for the hosts below it; a blocked registry is an error with the prefix."""
    write(
        here.root / "etc/containers/registries.conf",
        """
        [[registry]]
        prefix = "*.bad.example"
        blocked = true
        [[registry]]
        location = "l.example:5000"
        insecure = true
        """,
    )
    with pytest.raises(ck.PullFailed, match=r"blocks \*\.bad\.example"):
        places(here, parse("x.bad.example/a"))
    assert read_from(here, "bad.example/a:1") == [("bad.example/a:1", False)]
    assert read_from(here, "l.example:5000/a:1") == [("l.example:5000/a:1", True)]


def test_which_files_count(here: Environment, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The user's main file replaces the system's; drop-ins come after; a variable names the only one."""
    entry = '[[registry]]\nprefix = "a.example"\nlocation = "{}"\n'
    write(here.root / "etc/containers/registries.conf", entry.format("system.example"))
    assert read_from(here, "a.example/x:1") == [("system.example/x:1", False)]
    write(here.config_home / "containers/registries.conf", entry.format("own.example"))
    assert read_from(here, "a.example/x:1") == [("own.example/x:1", False)]
    write(here.root / "etc/containers/registries.conf.d/1.conf", entry.format("drop.example"))
    assert read_from(here, "a.example/x:1") == [("drop.example/x:1", False)]
    write(here.config_home / "containers/registries.conf.d/1.conf", "not toml [")
    assert read_from(here, "a.example/x:1") == [("drop.example/x:1", False)]
    assert "mirrors are ignored" in caplog.text
    write(tmp_path / "only.conf", entry.format("only.example"))
    named = Environment({"CONTAINERS_REGISTRIES_CONF": str(tmp_path / "only.conf")}, here.home, 0, root=here.root)
    assert read_from(named, "a.example/x:1") == [("only.example/x:1", False)]


def test_certificates(here: Environment) -> None:
    """The first folder of the registry counts: the user's, then podman's, then docker's; a key belongs to its .cert."""
    docker = here.root / "etc/docker/certs.d/a.example:5000"
    for name in ("ca.crt", "other.crt", "me.cert", "me.key", "no.cert"):
        write(docker / name)
    found = certificates(here, "a.example:5000")
    assert found == Certificates((docker / "ca.crt", docker / "other.crt"), (docker / "me.cert", docker / "me.key"))
    own = here.config_home / "containers/certs.d/a.example:5000"
    write(own / "ca.crt")
    assert certificates(here, "a.example:5000") == Certificates((own / "ca.crt",))
    assert certificates(here, "a.example") == Certificates()
