"""`login` and `logout` of the command line, against a real registry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import containerkit as ck
from tests.registry.fixtures import Registries


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without credentials."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    return tmp_path


def call(engine: ck.Engine, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program."""
    line = [sys.executable, "-m", "containerkit", "--engine", engine.url, *args]
    return subprocess.run(line, input=stdin, capture_output=True, text=True, check=False, env=dict(os.environ))


def test_a_login_is_stored_used_and_removed(engine: ck.Engine, registries: Registries, home: Path) -> None:
    """The file is that of the engine's own command line; the password is never printed."""
    host = registries.auth
    path = home / ("docker/config.json" if engine.kind == "docker" else "auth.json")
    wrong = call(engine, "login", "-u", registries.user, "--password-stdin", host, stdin="not-the-word\n")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "not-the-word" not in wrong.stderr
    assert not path.exists()
    done = call(engine, "login", "-u", registries.user, "--password-stdin", host, stdin=f"{registries.password}\n")
    assert (done.returncode, done.stdout) == (0, "Login Succeeded\n"), done.stderr
    assert registries.password not in done.stderr
    assert list(json.loads(path.read_text())["auths"]) == [host]
    assert path.stat().st_mode & 0o777 == 0o600
    missing = f"{host}/containerkit/none:1"
    with pytest.raises(ck.ImageNotFound):  # the credentials were accepted
        engine.images.pull(missing)
    assert call(engine, "logout", host).stdout == f"Removing login credentials for {host}\n"
    with pytest.raises(ck.AuthenticationFailed):
        engine.images.pull(missing)
    assert json.loads(path.read_text()) == {"auths": {}}
