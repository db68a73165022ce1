"""Run homework that nobody has read: no network, no root, limits, a timeout; then compare its output.

python examples/homework_runner.py FOLDER [IMAGE]    FOLDER has NAME/answer.sh of each student
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import containerkit as ck

LIMITS: dict[ck.Capability, dict[str, Any]] = {
    ck.Capability.MEMORY_LIMIT: {"memory": "64m", "memory_swap": "64m"},
    ck.Capability.CPU_LIMIT: {"cpus": 0.5},
    ck.Capability.PIDS_LIMIT: {"pids_limit": 32},
}
TASK, EXPECTED = "3 4\n", "7\n"


def limits_of(engine: ck.Engine) -> dict[str, Any]:
    limits: dict[str, Any] = {}  # a rootless engine on cgroup v1 enforces none
    for needed, options in LIMITS.items():
        if needed in engine.capabilities:
            limits |= options
        else:
            print(f"not enforced here: {needed.value}")
    return limits


def verdict(engine: ck.Engine, image: str, program: bytes, limits: dict[str, Any]) -> str:
    try:
        result = engine.run(
            image,
            ["sh", "-c", program.decode("utf-8", "replace")],
            input=TASK,
            timeout=20,
            network="none",
            user=65534,
            read_only=True,
            cap_drop="ALL",
            security_opt="no-new-privileges",
            **limits,
        )
    except ck.EngineTimeout:
        return "too slow"
    right = "correct" if result.stdout == EXPECTED else f"wrong: {result.stdout[:40]!r}"
    return f"exit code {result.exit_code}" if result.exit_code else right


def main(folder: str, image: str = "busybox:1") -> None:
    with ck.connect() as engine:
        limits = limits_of(engine)
        for answer in sorted(Path(folder).glob("*/answer.sh")):
            print(f"{answer.parent.name:<12} {verdict(engine, image, answer.read_bytes(), limits)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
