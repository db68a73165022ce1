"""Credentials are stored and removed in the files of `docker login` and `podman login`, and in helpers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from containerkit.errors import AuthenticationFailed
from containerkit.spec import RegistryAuth
from containerkit.userconfig.credentials import credentials_file, find_credentials
from containerkit.userconfig.environment import Environment
from containerkit.userconfig.storing import forget_login, store_login

SECRET = "s3cret"
HOST = "localhost:5000"
AUTH = RegistryAuth(HOST, "me", SECRET)


def environment(folder: Path) -> Environment:
    return Environment({"PATH": f"{folder}/bin", "XDG_RUNTIME_DIR": f"{folder}/run"}, folder / "home", 1000, folder)


def write(path: Path, data: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


@pytest.mark.parametrize("kind", ["docker", "podman"])
def test_what_is_stored_is_found_and_goes(kind: str, tmp_path: Path) -> None:
    """In a file for its owner alone; other entries and settings stay."""
    where = environment(tmp_path)
    path = credentials_file(where, kind)
    write(path, {"auths": {"other": {"auth": "eDp5"}}, "psFormat": "x"})
    assert store_login(where, AUTH, kind=kind) == path
    assert path.stat().st_mode & 0o777 == 0o600
    found = find_credentials(where, HOST, "a", kind=kind)
    assert found is not None
    assert (found.username, found.password) == ("me", SECRET)
    assert forget_login(where, HOST, kind=kind)
    assert not forget_login(where, HOST, kind=kind)
    assert json.loads(path.read_text()) == {"auths": {"other": {"auth": "eDp5"}}, "psFormat": "x"}
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(("kind", "key"), [("docker", "https://index.docker.io/v1/"), ("podman", "docker.io")])
def test_docker_hub_has_the_key_of_each_command_line(kind: str, key: str, tmp_path: Path) -> None:
    """Both are found again."""
    where = environment(tmp_path)
    path = store_login(where, RegistryAuth("docker.io", "me", SECRET), kind=kind)
    assert list(json.loads(path.read_text())["auths"]) == [key]
    assert forget_login(where, "docker.io", kind=kind)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """Its target is written."""
    where = environment(tmp_path)
    path = credentials_file(where, "docker")
    target = write(tmp_path / "dotfiles.json", {})
    path.parent.mkdir(parents=True)
    path.symlink_to(target)
    store_login(where, AUTH, kind="docker")
    assert path.is_symlink()
    assert HOST in target.read_text()


def test_a_helper_gets_the_secret_and_the_file_does_not(tmp_path: Path) -> None:
    """As `docker login` does: the file names the registry alone."""
    where = environment(tmp_path)
    path = write(credentials_file(where, "docker"), {"credsStore": "box"})
    program = write(
        tmp_path / "bin" / "docker-credential-box",
        f"#!{sys.executable}\nimport sys\nwith open({str(tmp_path / 'told')!r}, 'a') as told:\n"
        "    told.write(sys.argv[1] + ' ' + sys.stdin.read() + '\\n')\n",
    )
    program.chmod(0o755)
    store_login(where, AUTH, kind="docker")
    assert json.loads(path.read_text()) == {"credsStore": "box", "auths": {HOST: {}}}
    assert forget_login(where, HOST, kind="docker")
    stored, erased = (tmp_path / "told").read_text().splitlines()
    assert json.loads(stored.removeprefix("store ")) == {"ServerURL": HOST, "Username": "me", "Secret": SECRET}
    assert erased == f"erase {HOST}"


@pytest.mark.parametrize("content", ["{broken", "[]"])
def test_a_broken_file_is_not_overwritten(content: str, tmp_path: Path) -> None:
    """The error names it, and not the secret."""
    where = environment(tmp_path)
    path = write(credentials_file(where, "docker"), content)
    with pytest.raises(AuthenticationFailed, match=r"config\.json") as caught:
        store_login(where, AUTH, kind="docker")
    assert SECRET not in str(caught.value)
    assert path.read_text() == content
