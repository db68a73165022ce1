"""Registry credentials are read from the files of `docker login` and `podman login`, and from credential helpers."""

from __future__ import annotations

import base64
import json
import logging
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from containerkit.backends._render import auth_header, config_header
from containerkit.errors import AuthenticationFailed
from containerkit.resources.base_images import base_images, dockerfile_text
from containerkit.spec import RegistryAuth
from containerkit.userconfig import helpers
from containerkit.userconfig.credentials import find_credentials
from containerkit.userconfig.environment import Environment

Helper = Callable[..., None]
SECRET = "s3cret"


def environment(folder: Path, **variables: str) -> Environment:
    path = {"PATH": f"{folder}/bin", "XDG_RUNTIME_DIR": f"{folder}/run"}
    return Environment({**path, **variables}, folder / "home", 1000, folder, folder / "tmp")


def write(path: Path, data: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def entry(user: str, password: str = SECRET) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def find(folder: Path, registry: str, repository: str = "a/b", kind: str = "docker", **variables: str) -> Any:
    return find_credentials(environment(folder, **variables), registry, repository, kind=kind)


def user(folder: Path, registry: str, repository: str = "a/b", kind: str = "docker", **variables: str) -> str | None:
    found = find(folder, registry, repository, kind, **variables)
    return found.username if found else None


@pytest.fixture
def helper(tmp_path: Path) -> Helper:
    """Make docker-credential-NAME from Python source; `server` is what it reads."""

    def make(name: str, source: str) -> None:
        path = write(
            tmp_path / "bin" / f"docker-credential-{name}",
            f"#!{sys.executable}\nimport json, sys, time\nassert sys.argv[1:] == ['get']\n"
            f"server = sys.stdin.read()\n{textwrap.dedent(source)}\n",
        )
        path.chmod(0o755)

    return make


def test_without_files_there_are_no_credentials(tmp_path: Path) -> None:
    """A machine without any login pulls anonymously."""
    assert find(tmp_path, "ghcr.io") is None


def test_docker_login(tmp_path: Path) -> None:
    """The entry of a registry is decoded; another registry's is not used."""
    write(tmp_path / "home/.docker/config.json", {"auths": {"ghcr.io": entry("me", "a:b")}})
    assert find(tmp_path, "ghcr.io") == RegistryAuth("ghcr.io", "me", "a:b")
    assert find(tmp_path, "ghcr.io.evil.org") is None
    assert user(tmp_path, "ghcr.io", DOCKER_CONFIG=str(tmp_path / "other")) is None


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io"])
def test_docker_hub_has_several_names(tmp_path: Path, key: str) -> None:
    """docker files Docker Hub under its index, podman under docker.io."""
    write(tmp_path / "home/.docker/config.json", {"auths": {key: entry("me")}})
    assert find(tmp_path, "docker.io") == RegistryAuth("docker.io", "me", SECRET)


def test_a_key_may_be_a_url(tmp_path: Path) -> None:
    """Early versions of docker wrote the URL of the registry's API."""
    write(tmp_path / "home/.docker/config.json", {"auths": {"https://lab:5000/v2/": entry("me")}})
    assert user(tmp_path, "lab:5000") == "me"


def test_podman_login_per_path(tmp_path: Path) -> None:
    """The most specific path wins."""
    auths = {"quay.io": entry("all"), "quay.io/lab": entry("lab"), "quay.io/lab/tool": entry("tool")}
    write(tmp_path / "run/containers/auth.json", {"auths": auths})
    expected = {"lab/tool": "tool", "lab/other": "lab", "lab2/tool": "all", "x": "all"}
    assert {path: user(tmp_path, "quay.io", path, "podman") for path in expected} == expected


def test_the_order_of_the_files(tmp_path: Path) -> None:
    """Each engine's own file comes first, and the other's is a fallback."""
    docker = write(tmp_path / "home/.docker/config.json", {"auths": {"r.io": entry("docker")}})
    home = write(tmp_path / "home/.config/containers/auth.json", {"auths": {"r.io": entry("home")}})
    runtime = write(tmp_path / "run/containers/auth.json", {"auths": {"r.io": entry("runtime")}})
    assert [user(tmp_path, "r.io", kind=kind) for kind in ("docker", "podman")] == ["docker", "runtime"]
    runtime.unlink()
    assert user(tmp_path, "r.io", kind="podman") == "home"
    docker.unlink()
    assert user(tmp_path, "r.io", kind="docker") == "home"
    home.unlink()
    write(docker, {"auths": {"r.io": entry("docker")}})
    assert user(tmp_path, "r.io", kind="podman") == "docker"
    write(tmp_path / "run/containers/1000/auth.json", {"auths": {"r.io": entry("system")}})
    assert user(tmp_path, "r.io", kind="podman", XDG_RUNTIME_DIR="") == "system"


def test_registry_auth_file_replaces_podmans_files(tmp_path: Path) -> None:
    """REGISTRY_AUTH_FILE is read in place of the runtime and home files."""
    write(tmp_path / "run/containers/auth.json", {"auths": {"r.io": entry("runtime")}})
    own = write(tmp_path / "own.json", {"auths": {"x.io": entry("own")}})
    assert user(tmp_path, "x.io", kind="podman", REGISTRY_AUTH_FILE=str(own)) == "own"
    assert user(tmp_path, "r.io", kind="podman", REGISTRY_AUTH_FILE=str(own)) is None


def test_a_broken_file_is_ignored_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The other files still count."""
    write(tmp_path / "home/.docker/config.json", "{")
    write(tmp_path / "run/containers/auth.json", {"auths": {"r.io": entry("runtime")}})
    with caplog.at_level(logging.WARNING):
        assert user(tmp_path, "r.io") == "runtime"
    assert "not valid JSON" in caplog.text


def test_a_broken_chosen_file_is_an_error(tmp_path: Path) -> None:
    """REGISTRY_AUTH_FILE was chosen, so it is used or the call fails."""
    own = write(tmp_path / "own.json", "[]")
    with pytest.raises(AuthenticationFailed, match="REGISTRY_AUTH_FILE"):
        find(tmp_path, "r.io", kind="podman", REGISTRY_AUTH_FILE=str(own))


@pytest.mark.parametrize("value", ["%%%", base64.b64encode(SECRET.encode()).decode(), "czNjcmV0=x"])
def test_a_broken_entry_is_an_error_without_the_secret(tmp_path: Path, value: str) -> None:
    """The message names the registry and the file."""
    file = write(tmp_path / "home/.docker/config.json", {"auths": {"r.io": {"auth": value}}})
    with pytest.raises(AuthenticationFailed, match=r"r\.io") as caught:
        find(tmp_path, "r.io")
    assert str(file) in str(caught.value)
    assert value not in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("value", [{}, None, 3, {"auth": ""}, {"username": "me"}, {"auth": 5}])
def test_an_empty_entry_is_no_credentials(tmp_path: Path, value: object) -> None:
    """docker leaves an empty entry where a helper holds the secret."""
    write(tmp_path / "home/.docker/config.json", {"auths": {"r.io": value}})
    assert find(tmp_path, "r.io") is None


def test_user_name_and_token_in_the_clear(tmp_path: Path) -> None:
    """Entries without `auth` are accepted, and an identity token."""
    auths = {"r.io": {"username": "me", "password": "p"}, "t.io": {"identitytoken": SECRET}}
    write(tmp_path / "home/.docker/config.json", {"auths": auths})
    assert find(tmp_path, "r.io") == RegistryAuth("r.io", "me", "p")
    assert find(tmp_path, "t.io") == RegistryAuth("t.io", "", "", SECRET)


def test_a_helper_of_one_registry(tmp_path: Path, helper: Helper) -> None:
    """credHelpers of the registry is asked with its name, and wins over `auths`."""
    helper("lab", f"print(json.dumps(dict(Username='at ' + server, Secret={SECRET!r})))")
    config = {"credHelpers": {"r.io": "lab"}, "auths": {"r.io": entry("file")}, "credsStore": "absent"}
    write(tmp_path / "home/.docker/config.json", config)
    assert find(tmp_path, "r.io") == RegistryAuth("r.io", "at r.io", SECRET)


def test_the_helper_of_all_registries(tmp_path: Path, helper: Helper) -> None:
    """credsStore is asked for every registry; Docker Hub under its index, then as docker.io."""
    helper(
        "all",
        """
        if server == "https://index.docker.io/v1/" or server == "none.io":
            print("credentials not found in native keychain"); sys.exit(1)
        print(json.dumps(dict(Username="<token>" if server == "t.io" else server, Secret="x")))
        """,
    )
    write(tmp_path / "home/.docker/config.json", {"credsStore": "all", "auths": {"r.io": entry("file")}})
    assert user(tmp_path, "r.io") == "r.io"
    assert user(tmp_path, "docker.io") == "docker.io"
    assert find(tmp_path, "t.io") == RegistryAuth("t.io", "", "", "x")
    assert find(tmp_path, "none.io") is None


def test_a_missing_helper_is_an_error(tmp_path: Path) -> None:
    """The message names the program, the file and what to do."""
    file = write(tmp_path / "home/.docker/config.json", {"credsStore": "desktop"})
    with pytest.raises(AuthenticationFailed, match="docker-credential-desktop, configured in") as caught:
        find(tmp_path, "r.io")
    assert str(file) in str(caught.value)
    assert "is not on PATH" in str(caught.value)


@pytest.mark.parametrize("name", ["../x", "/bin/sh"])
def test_a_helper_is_a_name_not_a_path(tmp_path: Path, name: str) -> None:
    """A configuration cannot name a program outside of PATH."""
    write(tmp_path / "home/.docker/config.json", {"credsStore": name})
    with pytest.raises(AuthenticationFailed, match="is not on PATH"):
        find(tmp_path, "r.io")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("print('keyring is locked'); sys.exit(2)", "failed with exit code 2: keyring is locked"),
        (f"print(json.dumps(dict(Username='u', Secret={SECRET!r}))); sys.exit(1)", "failed with exit code 1;"),
        ("print('hello')", "printed no Username and Secret"),
        ("print('[]')", "printed no Username and Secret"),
        ('print(\'{"Username": 1, "Secret": 2}\')', "printed no Username and Secret"),
        ("", "printed no Username and Secret"),
    ],
)
def test_a_broken_helper_is_an_error_without_the_secret(
    tmp_path: Path, helper: Helper, source: str, message: str
) -> None:
    """The helper's own error is quoted; what could be a secret is not."""
    helper("lab", source)
    write(tmp_path / "home/.docker/config.json", {"credsStore": "lab"})
    with pytest.raises(AuthenticationFailed) as caught:
        find(tmp_path, "r.io")
    assert message in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_helper_that_cannot_be_run(tmp_path: Path) -> None:
    """A program of a broken format is an error."""
    write(tmp_path / "bin/docker-credential-lab", "\0not a program").chmod(0o755)
    write(tmp_path / "home/.docker/config.json", {"credsStore": "lab"})
    with pytest.raises(AuthenticationFailed, match="cannot be run"):
        find(tmp_path, "r.io")


def test_a_hanging_helper_is_killed(tmp_path: Path, helper: Helper, monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper and its children have a time limit, even if a child keeps the pipe open."""
    monkeypatch.setattr(helpers, "_TIMEOUT", 0.5)
    helper("slow", "import subprocess; subprocess.Popen(['/bin/sleep', '30'], start_new_session=True); time.sleep(30)")
    write(tmp_path / "home/.docker/config.json", {"credsStore": "slow"})
    started = time.monotonic()
    with pytest.raises(AuthenticationFailed, match=r"did not finish within 0\.5 s"):
        find(tmp_path, "r.io")
    assert time.monotonic() - started < 10


def test_a_secret_is_in_no_repr(tmp_path: Path) -> None:
    """Passwords and tokens are in neither repr nor to_dict()."""
    for auth in (RegistryAuth("r.io", "me", SECRET), RegistryAuth("r.io", "", "", SECRET)):
        assert SECRET not in repr(auth)
        assert SECRET not in json.dumps(auth.to_dict())


def decoded(header: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(header))


def test_what_is_sent_to_the_engine() -> None:
    """An account as user name and password, a token alone; a build's Docker Hub under the name of its index."""
    account, token = RegistryAuth("docker.io", "me", "p"), RegistryAuth("r.io", "", "", "t")
    assert decoded(auth_header(account)) == {"username": "me", "password": "p", "serveraddress": "docker.io"}
    assert decoded(auth_header(token)) == {"identitytoken": "t", "serveraddress": "r.io"}
    assert decoded(config_header([account, token])) == {
        "https://index.docker.io/v1/": {"username": "me", "password": "p"},
        "r.io": {"identitytoken": "t"},
    }


def test_base_images() -> None:
    """FROM and --from name images; stages, numbers, scratch and unknown variables are left out."""
    text = """
        ARG TAG=1
        ARG base="quay.io/lab/base"
        from --platform=$BUILDPLATFORM ${base}:$TAG AS Build
        FROM build AS more
        FROM scratch
        FROM $UNKNOWN
        FROM ${OTHER:-r.io/x}
        COPY --from=build /a /a
        COPY --from=0 /a /a
        COPY --from=ghcr.io/tool:2 /b /b
        # FROM comment.io/x
    """
    assert base_images(text, {"TAG": "9"}) == ("quay.io/lab/base:9", "r.io/x", "ghcr.io/tool:2")


def test_the_dockerfile_of_a_context(tmp_path: Path) -> None:
    """The text comes from a mapping, a folder, a path outside of the folder; an unreadable one is empty."""
    write(tmp_path / "context/Dockerfile", "FROM a")
    outside = write(tmp_path / "Other", "FROM b")
    assert dockerfile_text({"Dockerfile": "FROM t"}, "Dockerfile", None) == "FROM t"
    assert dockerfile_text({"Dockerfile": b"FROM \xff"}, "Dockerfile", None) == "FROM �"
    assert dockerfile_text({"Dockerfile": outside}, "Dockerfile", None) == "FROM b"
    assert dockerfile_text(tmp_path / "context", "Dockerfile", None) == "FROM a"
    assert dockerfile_text(str(tmp_path / "context"), ".containerkit.Dockerfile", str(outside)) == "FROM b"
    assert dockerfile_text(tmp_path / "context", "missing", None) == ""
