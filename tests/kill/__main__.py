"""Kill programs at random moments: `CONTAINERKIT_ENGINE=unix:///... python -m tests.kill --cases 100`.

Prints one line for each bad case, and a table: cases, left behind, foreign things removed, hangs. The last three must
be 0.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections import Counter

import containerkit as ck
from tests.shell_image import shell_image

from .cases import HOW, Foreign, Outcome, play, sample, tidied, usual_duration
from .daemon import DAEMON, daemon_sample, play_daemon
from .operations import registry


def say(text: str) -> None:
    """Print at once, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Play the cases, and return 1 if one was bad."""
    parser = argparse.ArgumentParser(prog="python -m tests.kill")
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--daemon", action="store_true", help="disturb the engine's daemon, which nobody else may use")
    parser.add_argument("--restart", default="", metavar="COMMAND", help="brings a killed daemon back")
    arguments = parser.parse_args()
    server, address = registry()
    url, prefix = os.environ["CONTAINERKIT_ENGINE"], f"ckkill{os.getpid()}"
    os.environ["CK_KILL_REGISTRY"] = address
    with ck.connect(url, timeout=30) as engine, tidied(engine, prefix):
        image = shell_image(engine)
        try:
            engine.images.pull(f"{address}/containerkit/{prefix}:pull")
        except ck.PullFailed as exc:
            say(f"no pull: this engine takes nothing from a registry without TLS ({exc})")
            del os.environ["CK_KILL_REGISTRY"]
        if not arguments.daemon:
            cases = sample(arguments.cases, arguments.seed)
        else:
            cases = daemon_sample(arguments.cases, arguments.seed, arguments.restart)
        usual = {name: usual_duration(url, image, name, prefix) for name in {case.operation for case in cases}}
        outcomes = []
        with contextlib.nullcontext() if arguments.daemon else Foreign(engine, image):
            for number, case in enumerate(cases):
                name, duration = f"{prefix}x{number}", usual[case.operation]
                if arguments.daemon:
                    outcome = play_daemon(url, image, case, name, duration, arguments.restart)
                else:
                    outcome = play(engine, image, case, name, duration)
                outcomes.append(outcome)
                if not outcome.good:
                    say(f"BAD {case}: left {outcome.left}, foreign {outcome.foreign}, hung {outcome.hung}")
    server.shutdown()
    say(table(outcomes))
    return 0 if all(outcome.good for outcome in outcomes) else 1


def table(outcomes: list[Outcome]) -> str:
    """Return one line for each way of ending, and a total."""
    rows: list[tuple[str, ...]] = [("how", "cases", "cleaned", "left", "foreign", "hung")]
    count: Counter[str] = Counter(outcome.case.how for outcome in outcomes)
    for how in [*HOW, *DAEMON, ""]:
        some = [outcome for outcome in outcomes if how in ("", outcome.case.how)]
        if how and not count[how]:
            continue
        numbers = (
            len(some),
            sum(outcome.removed for outcome in some),
            sum(len(outcome.left) for outcome in some),
            sum(len(outcome.foreign) for outcome in some),
            sum(outcome.hung for outcome in some),
        )
        rows.append((how or "all", *map(str, numbers)))
    return "\n".join(f"{row[0]:<24}" + "".join(f"{cell:>9}" for cell in row[1:]) for row in rows)


if __name__ == "__main__":
    sys.exit(main())
