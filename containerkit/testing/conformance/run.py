"""Scenarios: run()."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import pytest

from ...backends.base import Capability
from ...engine import Engine
from ...errors import (
    CommandFailed,
    EngineTimeout,
    ImageNotFound,
    PullFailed,
    StartFailed,
)
from .base import (
    Scenarios,
    fresh_name,
    needs,
)


class RunScenarios(Scenarios):
    """run()."""

    @needs(Capability.PROCESSES)
    def test_input_that_nobody_reads(self, engine: Engine, shell_image: str) -> None:
        """Unread input is no error: output and exit code are the process's own, as with subprocess.run."""
        line = "head -c1 >/dev/null; echo out; exit 3"
        for size in (10, 500_000, 3_000_000):
            result = engine.run(shell_image, ["sh", "-c", line], input=b"x" * size)
            assert (result.exit_code, result.stdout, result.stderr) == (3, "out\n", "")
        with engine.start(shell_image, ["sleep", "600"]) as container:
            unread = container.exec(["sh", "-c", line], input=b"x" * 3_000_000)
            assert (unread.exit_code, unread.stdout) == (3, "out\n")

    @needs(Capability.PROCESSES)
    def test_run_gives_both_streams_and_the_code(self, engine: Engine, shell_image: str) -> None:
        """run returns stdout, stderr and exit code."""
        result = engine.run(shell_image, ["sh", "-c", "echo out; echo err >&2; exit 3"])
        assert (result.exit_code, result.stdout, result.stderr) == (3, "out\n", "err\n")

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("code", [0, 1, 2, 42, 125, 126, 127, 128, 137, 255])
    def test_run_exit_codes(self, engine: Engine, shell_image: str, code: int) -> None:
        """run returns the command's exit code, also 125 to 127."""
        assert engine.run(shell_image, ["sh", "-c", f"exit {code}"]).exit_code == code

    @needs(Capability.PROCESSES)
    def test_run_ended_by_a_signal(self, engine: Engine, shell_image: str) -> None:
        """A program ended by signal n has the exit code 128 + n."""
        result = engine.run(shell_image, ["sh", "-c", "sh -c 'kill -TERM $$'; exit $?"])
        assert result.exit_code == 143

    @pytest.mark.parametrize(
        "data", ["text ✓\n", b"\x00\xff\x01", b"", b"x" * 300_000], ids=["text", "bytes", "empty", "long"]
    )
    def test_run_input(self, engine: Engine, shell_image: str, data: str | bytes) -> None:
        """input= is fed to stdin, which then ends."""
        result = engine.run(shell_image, ["cat"], input=data, timeout=60)
        assert result.stdout_bytes == (data.encode() if isinstance(data, str) else data)

    def test_run_without_input_has_no_stdin(self, engine: Engine, shell_image: str) -> None:
        """Without input=, stdin is at its end."""
        assert engine.run(shell_image, ["cat"], timeout=30).stdout == ""

    @needs(Capability.PROCESSES)
    def test_run_binary_output(self, engine: Engine, shell_image: str) -> None:
        """256 KiB of random bytes come out unchanged."""
        result = engine.run(
            shell_image, ["sh", "-c", "head -c 262144 /dev/urandom >/tmp/x; cat /tmp/x; sha256sum </tmp/x >&2"]
        )
        assert len(result.stdout_bytes) == 262144
        assert hashlib.sha256(result.stdout_bytes).hexdigest() == result.stderr.split()[0]

    def test_run_output_without_newline(self, engine: Engine, shell_image: str) -> None:
        """A last line without a newline is kept."""
        assert engine.run(shell_image, ["printf", "a\\nb"]).stdout == "a\nb"

    def test_run_nothing_printed(self, engine: Engine, shell_image: str) -> None:
        """A command without output returns empty text."""
        result = engine.run(shell_image, ["true"])
        assert (result.exit_code, result.stdout_bytes, result.stderr_bytes) == (0, b"", b"")

    def test_run_invalid_utf8(self, engine: Engine, shell_image: str) -> None:
        """Bytes that are not UTF-8 become U+FFFD in text, and stay in bytes."""
        result = engine.run(shell_image, ["printf", "a\\377b"])
        assert (result.stdout, result.stdout_bytes) == ("a\ufffdb", b"a\xffb")

    @pytest.mark.parametrize(
        "command", ["echo 'a b' c", ["echo", "a b", "c"], ("echo", "a b", "c")], ids=["line", "list", "tuple"]
    )
    def test_run_command_forms(self, engine: Engine, shell_image: str, command: Any) -> None:
        """A command is a list, or a line that is split as a shell does."""
        assert engine.run(shell_image, command).stdout == "a b c\n"

    @needs(Capability.PROCESSES)
    def test_run_check(self, engine: Engine, shell_image: str) -> None:
        """check=True raises CommandFailed with exit code and both streams."""
        with pytest.raises(CommandFailed) as caught:
            engine.run(shell_image, ["sh", "-c", "echo o; echo e >&2; exit 9"], check=True)
        assert (caught.value.exit_code, caught.value.stdout, caught.value.stderr) == (9, "o\n", "e\n")

    @needs(Capability.PROCESSES)
    def test_run_timeout(self, engine: Engine, shell_image: str) -> None:
        """timeout= kills and removes the container, and raises EngineTimeout with the output so far."""
        name = fresh_name()
        began = time.monotonic()
        with pytest.raises(EngineTimeout) as caught:
            engine.run(shell_image, ["sh", "-c", "echo so far; sleep 60"], name=name, timeout=2)
        assert time.monotonic() - began < 10
        assert caught.value.stdout == "so far\n"
        assert not engine.containers.exists(name)

    @needs(Capability.PROCESSES)
    def test_run_on_output(self, engine: Engine, shell_image: str) -> None:
        """on_output= receives each piece while the command runs."""
        seen: list[tuple[str, bytes, float]] = []
        engine.run(
            shell_image,
            ["sh", "-c", "echo 1; sleep 1; echo 2 >&2"],
            on_output=lambda piece: seen.append((piece.stream, piece.data, time.monotonic())),
        )
        assert [(name, data) for name, data, _ in seen] == [("stdout", b"1\n"), ("stderr", b"2\n")]
        assert seen[1][2] - seen[0][2] > 0.5

    @needs(Capability.PROCESSES)
    def test_run_a_callback_that_raises(self, engine: Engine, shell_image: str) -> None:
        """An exception of on_output= propagates, and the container is removed."""
        name = fresh_name()

        def refuse(_: Any) -> None:
            raise RuntimeError("enough")

        with pytest.raises(RuntimeError, match="enough"):
            engine.run(shell_image, ["sh", "-c", "echo 1; sleep 60"], name=name, on_output=refuse)
        assert not engine.containers.exists(name)

    def test_run_removes_its_container(self, engine: Engine, shell_image: str) -> None:
        """run() removes its container."""
        name = fresh_name()
        engine.run(shell_image, ["true"], name=name)
        assert not engine.containers.exists(name)

    @needs(Capability.PROCESSES)
    def test_run_tty(self, engine: Engine, shell_image: str) -> None:
        """With a terminal, both streams come as stdout."""
        result = engine.run(shell_image, ["sh", "-c", "test -t 1 && echo yes; echo err >&2"], tty=True)
        assert result.stdout.replace("\r", "").split() == ["yes", "err"]

    def test_run_pull_never(self, engine: Engine) -> None:
        """pull="never" with a missing image raises ImageNotFound."""
        with pytest.raises(ImageNotFound):
            engine.run(f"docker.io/containerkit/{fresh_name()}:1", pull="never")

    @needs(Capability.REGISTRY)
    def test_run_pull_missing_tells_why(self, engine: Engine) -> None:
        """An image that cannot be pulled raises PullFailed with the reason."""
        with pytest.raises(PullFailed) as caught:
            engine.run("127.0.0.1:9/containerkit/none:1", ["true"])
        assert "127.0.0.1:9" in str(caught.value)

    def test_run_missing_program(self, engine: Engine, shell_image: str) -> None:
        """A missing program raises StartFailed and leaves nothing."""
        name = fresh_name()
        with pytest.raises(StartFailed):
            engine.run(shell_image, ["/no/such/program"], name=name)
        assert not engine.containers.exists(name)

    def test_thirty_runs_are_identical(self, engine: Engine, shell_image: str) -> None:
        """30 runs of 2,000 lines return the same bytes."""
        want = "".join(f"{number}\n" for number in range(1, 2001)).encode()
        for _ in range(30):
            result = engine.run(shell_image, ["seq", "2000"], timeout=60)
            assert result.stdout_bytes == want
            assert result.exit_code == 0
