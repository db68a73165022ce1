"""Try operations of the public API with faults: `CONTAINERKIT_ENGINE=unix:///... python -m tests.faults`.

The engine answers each operation once, without a fault. Then the answers are replayed, each time with one fault, and
the outcomes are counted. The right answer and a typed error in time are good; "silent wrong" (another answer, or a file
left half-written), "raw" (an exception that is not containerkit's) and "hang" (later than the timeout and 1 s, or
memory without bounds) are not.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import random
import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import containerkit as ck
from tests.shell_image import shell_image

from .cases import Case, cases_of
from .exchange import Exchange
from .judge import FAULTS, Subject, Verdict, attempt, failures, judge, table
from .operations import OPERATIONS, TIMEOUT, Operation, World, plain, prepared
from .record import Recorder

#: Operations whose answers are only slept for: many at once cost little.
SLOW = ("no answer", "silence", "drip", "late answer")


def record(url: str, image: str | None, wanted: Sequence[str] = ()) -> tuple[World, list[Subject]]:
    """Act once with each operation, through a recorder."""
    subjects = []
    with ck.connect(url, timeout=30) as engine:
        world = prepared(engine, image or shell_image(engine))
        try:
            for operation in OPERATIONS:
                if wanted and not any(word in operation.name for word in wanted):
                    continue
                if operation.needs and operation.needs not in engine.capabilities:
                    subjects.append(Subject(operation, (), skipped=f"the engine declares no {operation.needs.value}"))
                    continue
                operation.prepare(engine, world)
                subjects.append(_record(url, operation, world))
        finally:
            for name in ("1", "tagged", "built"):
                with contextlib.suppress(ck.ImageNotFound):
                    engine.images.remove(f"{world.small.removesuffix(':1')}:{name}", force=True)
    return world, subjects


def _record(url: str, operation: Operation, world: World) -> Subject:
    with Recorder(url) as recorder, TemporaryDirectory(prefix="ckfault") as folder:
        with ck.connect(recorder.url, timeout=30) as engine:
            setup = len(recorder.exchanges)
            plain(operation.act(engine, world, Path(folder)))
            acted = len(recorder.exchanges)
        exchanges = recorder.exchanges
    subject = Subject(operation, exchanges)
    first = 0 if operation.name == "connect" else setup
    for exchange in exchanges[first:acted]:
        subject.cases += cases_of(operation, exchange)
    return subject


def chosen(subjects: Sequence[Subject], count: int, seed: int) -> list[tuple[Subject, Case]]:
    """Choose cases: as evenly as can be over operations, and the same ones for the same seed."""
    rng = random.Random(seed)
    piles = []
    for subject in subjects:
        pile = [(subject, case) for case in subject.cases]
        rng.shuffle(pile)
        if pile:
            piles.append(pile)
    if not count:
        return [pair for pile in piles for pair in pile]
    found: list[tuple[Subject, Case]] = []
    while piles and len(found) < count:
        for pile in list(piles):
            found.append(pile.pop())
            if not pile:
                piles.remove(pile)
    return found[:count]


def try_all(pairs: Sequence[tuple[Subject, Case]], world: World, others: Sequence[Exchange]) -> list[Verdict]:
    """Judge each case: those that only sleep many at once, those without end one by one."""

    def act(pair: tuple[Subject, Case]) -> Verdict:
        return judge(pair[0], world, others, pair[1])

    slow = [pair for pair in pairs if pair[1].fault.name.startswith(SLOW)]
    endless = [pair for pair in pairs if pair[1].fault.endless]
    rest = [pair for pair in pairs if pair not in slow and pair not in endless]
    verdicts = []
    for group, threads in ((rest, 3), (slow, 12), (endless, 1)):
        with ThreadPoolExecutor(threads) as pool:
            verdicts += list(pool.map(act, group))
    return verdicts


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--cases", type=int, default=2000, help="how many cases; 0 for all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--image", help="an image on the engine that has a shell; by default one with busybox")
    parser.add_argument("--only", action="append", default=[], help="a part of an operation's name")
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)
    url = os.environ["CONTAINERKIT_ENGINE"]
    began = time.monotonic()
    world, subjects = record(url, args.image, args.only)
    others = [exchange for subject in subjects for exchange in subject.exchanges]
    lost = 0
    for subject in subjects:
        if subject.skipped:
            print(f"left out: {subject.operation.name}: {subject.skipped}")
            continue
        value, error, *_ = attempt(subject, world, others, None)
        subject.right = value
        subject.right_over_tcp = attempt(subject, world, others, None, tcp=True)[0]
        if error is not None:
            print(f"cannot be replayed: {subject.operation.name}:", *traceback.format_exception(error))
            subject.cases = []
            lost += 1
    pairs = chosen(subjects, args.cases, args.seed)
    print(f"recorded {len(subjects)} operations in {time.monotonic() - began:.0f} s; {len(pairs)} cases")
    verdicts = [v for v in try_all(pairs, world, others) if v.outcome != "not met"]
    print(failures(verdicts))
    print(table(verdicts))
    print(f"{len(verdicts)} cases in {time.monotonic() - began:.0f} s with a timeout of {TIMEOUT:g} s")
    sys.stdout.flush()
    bad = sum(verdict.outcome in FAULTS for verdict in verdicts)
    os._exit(1 if bad or lost else 0)  # threads of cases that hang are left


if __name__ == "__main__":
    sys.exit(main())
