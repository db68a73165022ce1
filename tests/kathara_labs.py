"""Run the public labs of Kathará unchanged and check in each what it is about.

    git clone https://github.com/KatharaFramework/Kathara-Labs
    python tests/kathara_labs.py Kathara-Labs [--engine TARGET] [--only WORD] [--table FILE]

Needs the images of `containerkit lab images`. The labs are GPL and no part of this project.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path

import containerkit as ck
from containerkit.labs import BASE_IMAGE, KATHARA_IMAGES, Lab, load
from tests.kathara_checks import CHECKS, NEEDS, REASONS

IMAGES = {**KATHARA_IMAGES, "lscr.io/linuxserver/wireshark": BASE_IMAGE}
_CONVERGED = 60.0  # seconds for routing protocols


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def wait_for(lab: Lab, check: str, seconds: float) -> str | None:
    """Run a check like `HOST: COMMAND => PATTERN` until its output matches. Return what came instead, or None."""
    host, _, rest = check.partition(": ")
    command, _, pattern = rest.partition(" => ")
    deadline = time.monotonic() + seconds
    while True:
        result = lab[host].exec(["sh", "-c", command], user="0", timeout=60)
        text = result.stdout + result.stderr
        if re.search(pattern, text) if pattern else result.exit_code == 0:
            return None
        if time.monotonic() > deadline:
            return f"{check}: {' '.join(text.split())[-300:]}"
        time.sleep(1)


def run(engine: ck.Engine, folder: Path, checks: tuple[str, ...], seconds: float = _CONVERGED) -> str:
    """Return "" for a lab that runs and passes its checks, else what went wrong."""
    try:
        topology = load(folder, images=IMAGES, strict=False)
        with Lab(engine, topology, name=f"kathara-{topology.name}"[:60], helper_image=BASE_IMAGE) as lab:
            lab.down()  # of a run that was killed
            lab.up()
            return next((found for check in checks if (found := wait_for(lab, check, seconds))), "")
    except ck.ContainerKitError as exc:
        return f"{type(exc).__name__}: {exc}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a copy of the labs")
    parser.add_argument("--engine", help="a target of containerkit.connect(); by default the first that answers")
    parser.add_argument("--only", default="", metavar="WORD", help="labs whose path contains it")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write a Markdown table")
    args = parser.parse_args()
    rows, failed = [], 0
    with ck.connect(args.engine) as engine:
        for conf in sorted(args.folder.rglob("lab.conf")):
            name = conf.parent.relative_to(args.folder).as_posix()
            if args.only not in name:
                continue
            started = time.monotonic()
            checks = CHECKS.get(name, ())
            reason = next((why for prefix, why in REASONS.items() if name.startswith(prefix)), "")
            needs = NEEDS.get(name)
            found = "" if reason else run(engine, conf.parent, checks, 15.0 if needs else _CONVERGED)
            if found and needs:
                reason, found = needs, ""
            found = found if checks or reason else "no check is written for it"
            failed += bool(found)
            said = f"not here: {reason}" if reason else found or f"passes {len(checks)} checks"
            rows.append(f"| {name} | {said} |")
            say(f"{name}: {said} ({time.monotonic() - started:.0f} s)")
        passed = sum("| passes" in row for row in rows)
        say(f"{engine.kind} {engine.info().version}: {passed} of {len(rows)} pass, {failed} fail")
    if args.table:
        args.table.write_text("\n".join(["| lab | result |", "|---|---|", *rows]) + "\n", encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
