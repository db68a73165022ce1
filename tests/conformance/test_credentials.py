"""What `docker login` and `podman login` stored is used for pull, push and build, against a real registry."""

from __future__ import annotations

import base64
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import containerkit as ck
from containerkit.testing.archives import ImageBuilder
from tests.registry.fixtures import Registries

_numbers = itertools.count()

Configure = Callable[[dict[str, Any]], None]


@pytest.fixture(params=["docker", "podman"])
def configure(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Write the configuration of one command line, in a home folder without any other."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    path = tmp_path / ("docker/config.json" if request.param == "docker" else "run/containers/auth.json")

    def write(config: dict[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(config))
        path.chmod(0o400)

    return write


@pytest.fixture
def private(engine: ck.Engine, registries: Registries) -> Iterator[str]:
    """The name of an image on the registry that wants credentials; it is not in the engine's store."""
    ref = f"{registries.auth}/containerkit/credentials{os.getpid()}x{next(_numbers)}:1"
    archive = ImageBuilder().layer(files={"data": os.urandom(100)}).tag(ref).to_docker_archive()
    (image,) = engine.images.load(archive)
    engine.images.push(ref, auth=(registries.user, registries.password))
    engine.images.remove(image.id, force=True)
    yield ref
    if engine.images.exists(ref):
        engine.images.remove(ref, force=True)


def account(registries: Registries, password: str | None = None) -> dict[str, Any]:
    text = f"{registries.user}:{password or registries.password}"
    return {registries.auth: {"auth": base64.b64encode(text.encode()).decode()}}


def test_pull_and_push(engine: ck.Engine, registries: Registries, private: str, configure: Configure) -> None:
    """A stored login serves pull and push."""
    with pytest.raises(ck.AuthenticationFailed):
        engine.images.pull(private)
    configure({"auths": account(registries)})
    assert private in engine.images.pull(private).refs
    engine.images.push(private)


def test_build(engine: ck.Engine, registries: Registries, private: str, configure: Configure) -> None:
    """FROM an image that is not here is pulled with the stored login."""
    context = {"Dockerfile": f"ARG BASE\nFROM $BASE\nLABEL of={os.getpid()}\n"}
    with pytest.raises(ck.BuildFailed):
        engine.images.build(context, build_args={"BASE": private})
    configure({"auths": account(registries)})
    engine.images.build(context, build_args={"BASE": private}).remove(force=True)


def test_wrong_credentials(engine: ck.Engine, registries: Registries, private: str, configure: Configure) -> None:
    """A stored login that the registry refuses is AuthenticationFailed; auth= and login() replace it."""
    configure({"auths": account(registries, "wrong")})
    with pytest.raises(ck.AuthenticationFailed):
        engine.images.pull(private)
    engine.images.pull(private, auth=(registries.user, registries.password)).remove(force=True)
    with ck.connect(engine.url) as mine:
        mine.login(registries.user, registries.password, registry=registries.auth)
        mine.images.pull(private).remove(force=True)


def test_a_helper(
    engine: ck.Engine,
    registries: Registries,
    private: str,
    configure: Configure,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A credential helper serves a pull; a missing one is AuthenticationFailed, before the engine is contacted."""
    configure({"credHelpers": {registries.auth: "lab"}})
    with pytest.raises(ck.AuthenticationFailed, match="docker-credential-lab"):
        engine.images.pull(private)
    program = tmp_path / "docker-credential-lab"
    answer = json.dumps({"ServerURL": registries.auth, "Username": registries.user, "Secret": registries.password})
    program.write_text(f"#!{sys.executable}\nprint({answer!r})\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ.get('PATH', os.defpath)}")
    assert private in engine.images.pull(private).refs
