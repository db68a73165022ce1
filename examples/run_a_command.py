"""Run one command in a container: output, exit code, input, a time limit.

python examples/run_a_command.py [IMAGE]
"""

from __future__ import annotations

import sys

import containerkit as ck


def main(image: str = "busybox:1") -> None:
    with ck.connect() as engine:
        result = engine.run(image, "cat /etc/hostname /nothing")
        print("exit code", result.exit_code)
        print("stdout:", result.stdout.strip())
        print("stderr:", result.stderr.strip())

        print("input:", engine.run(image, "wc -c", input="five\n", check=True).stdout.strip(), "bytes")

        try:
            engine.run(image, ["sh", "-c", "echo started; sleep 60"], timeout=8)
        except ck.EngineTimeout as late:
            print("stopped after 8 s, it had written:", (late.stdout or "").strip())


if __name__ == "__main__":
    main(*sys.argv[1:])
