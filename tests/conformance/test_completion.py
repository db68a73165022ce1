"""Completion in real shells: what Tab offers for verbs, containers, images and networks."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

import containerkit as ck

#: Prints what each shell offers for the words of a line; $1 is the script, $2 the line.
_ASK = {
    "bash": """
        source "$1"
        read -ra COMP_WORDS <<<"$2"
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _containerkit_completion containerkit
        printf '%s\\n' "${COMPREPLY[@]}"
    """,
    "fish": 'source $argv[1]; complete --do-complete "$argv[2]"',
}


@pytest.fixture
def program(engine: ck.Engine, tmp_path: Path) -> dict[str, str]:
    """Put `containerkit` on PATH, and return the environment."""
    script = tmp_path / "containerkit"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m containerkit "$@"\n')
    script.chmod(0o755)
    search = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": search, "CONTAINERKIT_ENGINE": engine.url, "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.mark.parametrize("shell", _ASK)
def test_a_shell_completes_names(
    shell: str, engine: ck.Engine, shell_image: str, program: dict[str, str], tmp_path: Path
) -> None:
    """Each kind of argument is completed with names of its kind."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    mark = f"ck-tab-{uuid.uuid4().hex[:8]}"
    script = tmp_path / f"completion.{shell}"
    script.write_text(subprocess.check_output(["containerkit", "completion", shell], text=True, env=program))

    def offered(line: str) -> list[str]:
        words = [shell, "-c", _ASK[shell], *(["shell"] if shell == "bash" else []), str(script), line]
        done = subprocess.run(words, capture_output=True, text=True, env=program, check=False)
        return done.stdout.split()

    with contextlib.ExitStack() as stack:
        stack.enter_context(engine.start(shell_image, "sleep 3600", name=mark, stop_timeout=0))
        stack.enter_context(engine.networks.create(mark))
        assert "network" in offered("containerkit netw")
        for line in ("stop", "exec", "rm", "start"):
            assert mark in offered(f"containerkit {line} ck-tab-"), line
        assert mark in offered("containerkit network rm ck-tab-")
        image = engine.images.get(shell_image).last_record.refs[0]
        assert image in offered(f"containerkit rmi {image[:-3]}")
