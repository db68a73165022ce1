"""The conformance suite on the engine in memory: the scenarios that need no process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import containerkit as ck
from containerkit.testing import FakeBackend
from containerkit.testing.archives import ImageBuilder
from containerkit.testing.conformance import EngineConformance

SHELL = "docker.io/containerkit/shell:1"
APPLETS = ("sh", "cat", "true", "false", "sleep", "echo", "printf", "seq", "test", "httpd", "head", "touch")


def cat(argv: tuple[str, ...], stdin: bytes) -> bytes:
    """Return stdin."""
    return stdin


def echo(argv: tuple[str, ...], stdin: bytes) -> str:
    """Return the arguments."""
    return " ".join(argv[1:]) + "\n"


def printf(argv: tuple[str, ...], stdin: bytes) -> bytes:
    """Return the format, without arguments."""
    return argv[1].encode().decode("unicode_escape").encode("latin-1")


def seq(argv: tuple[str, ...], stdin: bytes) -> str:
    """Return the numbers up to the argument."""
    return "".join(f"{number}\n" for number in range(1, int(argv[1]) + 1))


@pytest.fixture(scope="module")
def engine() -> Iterator[ck.Engine]:
    """Yield an engine with a few scripted commands."""
    fake = FakeBackend(
        commands={"true": 0, "false": 1, "cat": cat, ("echo", ...): echo, "test -f /none": 1, ("touch", ...): 0}
    )
    fake.on(("printf", ...), printf).on(("seq", ...), seq)
    with ck.connect(fake) as opened:
        yield opened
        assert opened.containers.list(all=True) == []


@pytest.fixture(scope="module")
def shell_image(engine: ck.Engine) -> str:
    """Load an image with files in place of programs."""
    builder = ImageBuilder().layer(
        files={f"bin/{name}": "" for name in APPLETS} | {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"},
        modes={f"bin/{name}": 0o755 for name in APPLETS},
        dirs=["tmp", "root", "proc", "sys", "dev", "var"],
    )
    engine.images.load(builder.run_config(Env=["PATH=/bin"], Cmd=["sh"]).tag(SHELL).to_docker_archive())
    return SHELL


class TestFakeEngine(EngineConformance):
    """The engine in memory."""
