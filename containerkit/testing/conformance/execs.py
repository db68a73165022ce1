"""Scenarios: exec()."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ...backends.base import Capability
from ...errors import (
    CommandFailed,
    EngineTimeout,
    InvalidOption,
    StartFailed,
)
from ...resources.container import Container
from .base import (
    Scenarios,
    needs,
    shell,
)


class ExecScenarios(Scenarios):
    """exec()."""

    @needs(Capability.PROCESSES)
    def test_exec_keeps_streams_apart(self, box: Container) -> None:
        """exec returns stdout, stderr and exit code."""
        result = box.exec(["sh", "-c", "echo out; echo err >&2; exit 5"])
        assert (result.exit_code, result.stdout, result.stderr) == (5, "out\n", "err\n")

    @needs(Capability.PROCESSES)
    def test_exec_random_round_trip(self, box: Container) -> None:
        """1 MiB of random bytes passes stdin and stdout unchanged, beside stderr and an exit code."""
        data = random.Random(1).randbytes(1 << 20)
        result = box.exec(["sh", "-c", "cat; echo done >&2; exit 4"], input=data, timeout=60)
        assert (result.exit_code, result.stderr) == (4, "done\n")
        assert result.stdout_bytes == data

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize(
        ("options", "line", "expected"),
        [
            ({"env": {"A": "x y"}}, "echo $A", "x y"),
            ({"env": ["A=1"]}, "echo $A", "1"),
            ({"user": 1234}, "id -u", "1234"),
            ({"user": "1234:5"}, "id -g", "5"),
            ({"workdir": "/tmp"}, "pwd", "/tmp"),
            ({"tty": True}, "test -t 1 && echo yes", "yes"),
            ({"input": "in"}, "cat", "in"),
            ({"input": ""}, "cat; echo end", "end"),
            ({}, "cat; echo end", "end"),
        ],
        ids=["env", "env-list", "user", "group", "workdir", "tty", "input", "input-empty", "no-input"],
    )
    def test_exec_options(self, box: Container, options: dict[str, Any], line: str, expected: str) -> None:
        """exec accepts env, user, workdir, tty and input as run does."""
        assert box.exec(["sh", "-c", line], timeout=30, **options).stdout.strip() == expected

    @needs(Capability.PROCESSES)
    def test_exec_check(self, box: Container) -> None:
        """check=True raises CommandFailed."""
        with pytest.raises(CommandFailed) as caught:
            box.exec(["sh", "-c", "echo no >&2; exit 6"], check=True)
        assert (caught.value.exit_code, caught.value.stderr) == (6, "no\n")

    @needs(Capability.PROCESSES)
    def test_exec_on_output(self, box: Container) -> None:
        """on_output= receives every piece."""
        seen: list[bytes] = []
        box.exec(["sh", "-c", "echo 1; sleep 0.3; echo 2"], on_output=lambda piece: seen.append(piece.data))
        assert b"".join(seen) == b"1\n2\n"

    @needs(Capability.PROCESSES)
    def test_exec_timeout_ends_the_command(self, box: Container) -> None:
        """A timeout ends the command and its children, and keeps their output."""
        with pytest.raises(EngineTimeout) as caught:
            box.exec(["sh", "-c", "echo a; sleep 4321; true"], timeout=1)
        assert caught.value.stdout == "a\n"
        assert "4321" not in shell(
            box, "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null; echo; done | grep -v grep; true"
        )

    @pytest.mark.parametrize(
        "options", [{}, {"workdir": "/none"}, {"user": "nobody-here"}], ids=["program", "workdir", "user"]
    )
    def test_exec_cannot_start(self, box: Container, options: dict[str, Any]) -> None:
        """A missing program, directory or user raises StartFailed."""
        with pytest.raises(StartFailed):
            box.exec(["/no/such/program"] if not options else ["true"], **options)

    @needs(Capability.PROCESSES)
    def test_terminal_of_an_exec(self, box: Container) -> None:
        """A terminal has the size that it is given, takes input, and ends with the exit code."""
        with box.open_exec("sh", tty=True, interactive=True) as terminal:
            terminal.resize(20, 50)
            terminal.write("stty size; exit 6\n")
            output = b"".join(each.data for each in terminal)
            assert (b"20 50" in output, terminal.wait()) == (True, 6)
        box.start_exec(["sh", "-c", "echo x >/tmp/left"])
        assert shell(box, "for i in 1 2 3 4 5; do test -e /tmp/left && break; sleep 0.1; done; cat /tmp/left") == "x"

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize(("program", "code"), [("/no/such/program", 127), ("/etc/passwd", 126)])
    def test_exit_code_of_what_cannot_start(self, box: Container, program: str, code: int) -> None:
        """127 if the program is missing, 126 if it is not executable, from the container's files."""
        with pytest.raises(StartFailed) as caught:
            box.exec([program])
        assert caught.value.exit_code == code

    @needs(Capability.PROCESSES)
    @pytest.mark.parametrize("code", [126, 127])
    def test_exec_exit_code_of_a_shell(self, box: Container, code: int) -> None:
        """126 and 127 of a program that started are exit codes."""
        assert box.exec(["sh", "-c", f"exit {code}"]).exit_code == code

    @pytest.mark.parametrize("command", ["", [], [""], ["a\0"], 5, None], ids=repr)
    def test_exec_bad_command(self, box: Container, command: Any) -> None:
        """An invalid command raises InvalidOption."""
        with pytest.raises(InvalidOption):
            box.exec(command)
