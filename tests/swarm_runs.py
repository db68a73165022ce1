"""Run many commands on a real swarm, and count what is complete, lost and doubled.

    python tests/swarm_runs.py MANAGER IMAGE [--runs 200] [--max-concurrent 8] [--kill COMMAND]

MANAGER is a target of containerkit.connect(); IMAGE is on every node and has `sh`. Each run appends its number to
a volume of its node, `ck-ledger`, and writes 500 lines. With --kill, COMMAND (which stops a node) runs when a quarter
of the runs is done. The ledgers are read where a node is reachable: --node NAME=TARGET.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from collections import Counter

import containerkit as ck

LINES = "".join(f"line {number}\n" for number in range(1, 501))


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manager")
    parser.add_argument("image")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--max-concurrent", type=int, default=8)
    parser.add_argument("--kill", metavar="COMMAND")
    parser.add_argument("--node", action="append", default=[], metavar="NAME=TARGET")
    args = parser.parse_args()
    script = (
        "echo $0 >>/ledger/runs; echo run $0; i=0; while [ $i -lt 500 ]; do i=$((i+1)); echo line $i; done; sleep 1"
    )
    commands = [["sh", "-c", script, str(number)] for number in range(args.runs)]
    done = threading.Event()

    def kill() -> None:
        while not done.is_set():
            seen = [each for each in engine.containers.list(all=True) if each.labels.get("runs")]
            numbers = [int(each.record.command[-1]) for each in seen]
            if numbers and max(numbers) > args.runs // 4:
                say(f"killing a node at run {max(numbers)}")
                subprocess.run(args.kill, shell=True, check=True)
                return
            time.sleep(1)

    with ck.connect(args.manager, swarm=True) as engine:
        if args.kill:
            threading.Thread(target=kill, daemon=True).start()
        began = time.monotonic()
        volumes = ["ck-ledger:/ledger"]
        found = engine.map(
            args.image, commands, max_concurrent=args.max_concurrent, volumes=volumes, labels={"runs": "1"}, timeout=600
        )
        done.set()
        seconds = time.monotonic() - began
        ok = [each for each in found if each.result]
        complete = sum(
            each.result.stdout == f"run {each.command[-1]}\n{LINES}" and each.result.exit_code == 0
            for each in ok
            if each.result
        )
        told = Counter(type(each.error).__name__ for each in found if each.error)
        left = len(engine.containers.list(all=True, filters={"label": ["runs"]}))
    ledger: Counter[str] = Counter()
    for node in args.node:
        name, _, target = node.partition("=")
        with ck.connect(target) as engine:
            text = engine.run(args.image, "cat /ledger/runs", volumes=volumes).stdout
            ledger.update(text.split())
            say(f"node {name} ran {len(text.split())}")
    doubled = sum(count > 1 for count in ledger.values())
    say(
        f"{args.runs} runs in {seconds:.0f} s: {complete} with complete output, {len(ok) - complete} incomplete, "
        f"{sum(told.values())} told as failed {dict(told)}, {doubled} doubled, {left} services left"
    )
    for each in found:
        if each.error:
            say(f"run {each.command[-1]}: {each.error}")
    return 0 if complete + sum(told.values()) == args.runs and not doubled and not left else 1


if __name__ == "__main__":
    sys.exit(main())
