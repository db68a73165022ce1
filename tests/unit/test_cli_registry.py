"""Logging in and out, and searching: what is asked for, what is passed on, what is printed."""

from __future__ import annotations

import importlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

import containerkit as ck
from containerkit.backends.base import Capability
from containerkit.backends.image_records import FoundImage
from containerkit.cli import app
from containerkit.testing import FakeBackend
from tests.open_engine import Open

LONG = "A description of exactly 46 characters, no less"[:46]


class Searching(FakeBackend):
    """An engine in memory that finds what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.capabilities |= {Capability.REGISTRY}
        self.asked: list[tuple[str, int | None, dict[str, Any]]] = []
        self.found: tuple[FoundImage, ...] = (
            FoundImage("debian", "Debian is a system", 5000, True),
            FoundImage("me/debian", LONG, 0, False),
            FoundImage("other/debian", LONG[:45], 1, False),
        )

    def search_images(self, term: str, *, limit: int | None, filters: Mapping[str, Any]) -> tuple[FoundImage, ...]:
        self.asked.append((term, limit, {key: list(value) for key, value in filters.items()}))
        return self.found


@pytest.fixture
def backend() -> Searching:
    return Searching()


@pytest.fixture
def engine(backend: Searching, monkeypatch: pytest.MonkeyPatch) -> Iterator[ck.Engine]:
    with ck.connect(backend) as opened:
        monkeypatch.setattr(ck, "connect", lambda target=None, *, timeout: Open(opened))
        yield opened


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What was passed to the library's login and logout."""
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(ck.Engine, "login", lambda self, *args, **how: asked.append((*args, how["store"])))
    monkeypatch.setattr(ck.Engine, "logout", lambda self, *args: asked.append(args))
    return asked


def call(*args: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(args), input=stdin)


def _at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("containerkit.cli.registry")
    monkeypatch.setattr(module, "sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))


# ---------------------------------------------------------------- accounts
@pytest.mark.parametrize(("given", "typed"), [((), "me\nword\n"), (("-u", "me"), "word\n")])
def test_login_asks_at_a_terminal(
    given: tuple[str, ...],
    typed: str,
    engine: ck.Engine,
    accounts: list[tuple[Any, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For what was not given, on stderr; the password is not shown."""
    _at_a_terminal(monkeypatch)
    result = call("login", *given, "ghcr.io", stdin=typed)
    assert (result.exit_code, result.stdout) == (0, "Login Succeeded\n")
    assert accounts == [("me", "word", "ghcr.io", True)]
    assert ("Username" in result.stderr) == (not given)
    assert "Password" in result.stderr
    assert "word\n" not in result.output.replace("Password", "")


def test_login_that_is_broken_off(
    engine: ck.Engine, accounts: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of the input ends it as Ctrl-C does; nothing is sent."""
    _at_a_terminal(monkeypatch)
    result = call("login", stdin="me\n")
    assert (result.exit_code, accounts) == (130, [])
    assert "Succeeded" not in result.stdout


def test_a_password_among_the_arguments_is_warned_about(engine: ck.Engine, accounts: list[tuple[Any, ...]]) -> None:
    """It works, at Docker Hub by default."""
    result = call("login", "-u", "me", "-p", "word")
    assert (result.exit_code, result.stdout) == (0, "Login Succeeded\n")
    assert "--password-stdin hides it" in result.stderr
    assert "word" not in result.output.replace("--password", "")
    assert accounts == [("me", "word", "docker.io", True)]


def test_a_login_that_the_registry_refuses(engine: ck.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is 1, and success is not claimed."""

    def refuse(self: ck.Engine, *args: str, **how: bool) -> None:
        raise ck.AuthenticationFailed("logging in to docker.io: wrong password")

    monkeypatch.setattr(ck.Engine, "login", refuse)
    result = call("login", "-u", "me", "--password-stdin", stdin="word\r\n")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "containerkit: logging in to docker.io: wrong password\n"


@pytest.mark.parametrize(
    ("args", "address"),
    [
        ((), "docker.io"),
        (("ghcr.io/",), "ghcr.io"),
        (("https://index.docker.io/v1/",), "index.docker.io"),
        (("http://r:5000",), "r:5000"),
    ],
)
def test_logout_names_the_address(
    args: tuple[str, ...], address: str, engine: ck.Engine, accounts: list[tuple[Any, ...]]
) -> None:
    """Without the scheme and path of old instructions; also without any credentials, as docker does."""
    result = call("logout", *args)
    assert (result.exit_code, result.stdout) == (0, f"Removing login credentials for {address}\n")
    assert accounts == [(address,)]


# ---------------------------------------------------------------- search
def test_search_prints_dockers_columns(engine: ck.Engine, backend: Searching) -> None:
    """A long description is cut to 45 characters; official images are marked."""
    title, *rows = call("search", "debian").stdout.splitlines()
    assert title.split() == ["NAME", "DESCRIPTION", "STARS", "OFFICIAL"]
    assert [re.split(r" {2,}", row) for row in rows] == [
        ["debian", "Debian is a system", "5000", "[OK]"],
        ["me/debian", LONG[:44] + "…", "0"],
        ["other/debian", LONG[:45], "1"],
    ]
    assert LONG in call("search", "--no-trunc", "debian").stdout
    assert backend.asked == [("debian", None, {})] * 2


def test_search_passes_limit_and_filters_on(engine: ck.Engine, backend: Searching) -> None:
    """Templates see docker's names of fields; without a result the titles stand alone."""
    args = ("--limit", "3", "--filter", "is-official=true", "-f", "stars=3")
    assert call("search", *args, "--format", "{{.Name}} {{.StarCount}}", "deb").stdout.splitlines()[0] == "debian 5000"
    assert backend.asked == [("deb", 3, {"is-official": ["true"], "stars": ["3"]})]
    first = json.loads(io.StringIO(call("search", "--format", "json", "deb").stdout).readline())
    assert first == {"Name": "debian", "Description": "Debian is a system", "StarCount": "5000", "IsOfficial": "[OK]"}
    backend.found = ()
    assert call("search", "deb").stdout.split() == ["NAME", "DESCRIPTION", "STARS", "OFFICIAL"]


@pytest.mark.parametrize(("args", "words"), [(("--limit", "0"), "--limit"), (("--filter", "stars"), "KEY=VALUE")])
def test_search_with_wrong_options(args: tuple[str, ...], words: str, engine: ck.Engine, backend: Searching) -> None:
    """125, and no registry is asked."""
    result = call("search", *args, "deb")
    assert (result.exit_code, result.stdout, backend.asked) == (125, "", [])
    assert words in result.stderr
