"""Try one case, and sort what came of it."""

from __future__ import annotations

import re
import threading
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import containerkit as ck

from .cases import Case
from .exchange import Exchange
from .operations import TIMEOUT, Operation, World, plain
from .replay import ENOUGH, Replay

Outcome = Literal["right", "typed", "silent wrong", "raw", "hang", "not met"]
FAULTS: tuple[Outcome, ...] = ("silent wrong", "raw", "hang")
#: Seconds that a busy machine may add.
SLACK = 1.5
#: Seconds that closing the Engine may take: it looks for what an interrupted create may still produce.
CLOSING = 6.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a case gave, and why that is its outcome."""

    case: Case
    outcome: Outcome
    detail: str
    seconds: float


@dataclass(slots=True)
class Subject:
    """An operation with its recording and the right answer."""

    operation: Operation
    exchanges: Sequence[Exchange]
    right: Any = None
    right_over_tcp: Any = None
    broken: str = ""
    skipped: str = ""
    cases: list[Case] = field(default_factory=list)


def attempt(
    subject: Subject, world: World, others: Sequence[Exchange], case: Case | None, *, tcp: bool = False
) -> tuple[Any, BaseException | None, Replay, list[str], float]:
    """Act once against a replay; return what came back or was raised, files left half-written, and the seconds."""
    spoiled, fault = (case.exchange, case.fault) if case else (None, None)
    tcp = tcp or bool(fault and fault.reset)
    with TemporaryDirectory(prefix="ckfault") as folder, Replay(subject.exchanges, others, spoiled, fault) as server:
        url = server.tcp_url if tcp else server.url
        value, error = None, None
        began = ended = time.monotonic()
        try:
            with ck.connect(url, timeout=TIMEOUT) as engine:
                try:
                    value = plain(subject.operation.act(engine, world, Path(folder)))
                finally:
                    ended = time.monotonic()
        except BaseException as exc:  # noqa: BLE001 (what is raised is the result)
            error = exc
        left = [str(path.name) for path in Path(folder, "out").glob("*")] if error else []
        return value, error, server, left, max(ended - began, 0.0)


def judge(subject: Subject, world: World, others: Sequence[Exchange], case: Case) -> Verdict:
    """Try a case in a thread of its own, and leave that alone if it does not end."""
    found: list[tuple[Any, BaseException | None, Replay, list[str], float]] = []
    began = time.monotonic()
    worker = threading.Thread(target=lambda: found.append(attempt(subject, world, others, case)), daemon=True)
    worker.start()
    limit = max(subject.operation.limit, TIMEOUT + 1.0) + SLACK
    worker.join(limit + CLOSING + (30.0 if case.fault.endless else 0.0))
    if not found:
        seconds = time.monotonic() - began
        return Verdict(case, "hang", f"no end after {seconds:.1f} s", seconds)
    value, error, server, left, seconds = found[0]
    outcome, detail = _sort(subject, case, value, error, left)
    if server.swallowed >= ENOUGH:
        outcome, detail = "hang", f"took {server.swallowed >> 20} MiB of a body without end; then {detail}"
    elif seconds > limit and outcome in ("right", "typed"):
        outcome, detail = "hang", f"ended after {seconds:.1f} s: {detail}"
    elif not server.met:
        outcome = "not met"
    return Verdict(case, outcome, detail, seconds)


def _sort(
    subject: Subject, case: Case, value: Any, error: BaseException | None, left: list[str]
) -> tuple[Outcome, str]:
    if error is None:
        right = subject.right_over_tcp if case.fault.reset else subject.right
        if value == right or subject.operation.may(case.kind, right, value):
            return "right", ""
        return "silent wrong", f"returned {_short(value)}, expected {_short(right)}"
    words = f"{type(error).__name__}: {str(error)[:160]}"
    if left:
        return "silent wrong", f"left {left} behind after {words}"
    if isinstance(error, ck.ContainerKitError):
        return "typed", words
    where = traceback.extract_tb(error.__traceback__)[-1]
    return "raw", f"{words} ({Path(where.filename).name}:{where.lineno})"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 160 else f"{text[:157]}..."


def table(verdicts: Sequence[Verdict]) -> str:
    """Return the outcomes by operation, as text."""
    names: tuple[Outcome, ...] = ("right", "typed", "silent wrong", "raw", "hang")
    rows: dict[str, Counter[str]] = {}
    for verdict in verdicts:
        rows.setdefault(verdict.case.operation.name, Counter())[verdict.outcome] += 1
    lines = [f"{'operation':<32}" + "".join(f"{name:>14}" for name in names)]
    total: Counter[str] = Counter()
    for name, counts in rows.items():
        total += counts
        lines.append(f"{name:<32}" + "".join(f"{counts[outcome] or '':>14}" for outcome in names))
    lines.append(f"{'all':<32}" + "".join(f"{total[outcome]:>14}" for outcome in names))
    return "\n".join(lines)


def failures(verdicts: Sequence[Verdict]) -> str:
    """Return the cases that failed, as text: those of one operation, exchange and kind in one line."""
    groups: dict[tuple[str, str, str, str], list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.outcome in FAULTS:
            case = verdict.case
            groups.setdefault((case.operation.name, case.exchange.key, case.kind, verdict.outcome), []).append(verdict)
    lines = []
    for (operation, key, kind, outcome), found in groups.items():
        lines.append(f"{outcome:<13} {operation}: {_scrubbed(key)}: {kind} x{len(found)}: {found[0].detail}")
    return "\n".join(lines)


def _scrubbed(key: str) -> str:
    return re.sub(r"[0-9a-f]{64}", lambda found: found[0][:12], key)
