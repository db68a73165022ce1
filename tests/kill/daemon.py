"""Stop and kill the engine's daemon in the middle of operations. Nobody else may use the engine meanwhile."""

from __future__ import annotations

import os
import random
import shlex
import signal
import subprocess
import time

import containerkit as ck
from containerkit.backends._peer import engine_process
from containerkit.resources.sweep import SESSION_LABEL

from .cases import Case, Outcome, difference, everything, running

__all__ = ["DAEMON", "daemon_sample", "play_daemon"]

#: How the daemon is disturbed.
DAEMON = ("daemon stopped", "daemon killed")
_OPERATIONS = ("run", "start", "create", "network, volume, exec", "stream logs", "files", "commit", "build", "check")
_TIMEOUT = 3.0  # seconds, of the program


def daemon_sample(count: int, seed: int, restart: str) -> list[Case]:
    """Return cases for every operation; a daemon is killed only if `restart` can bring it back."""
    chance = random.Random(seed)
    kinds = DAEMON if restart else DAEMON[:1]
    pairs = [(name, how) for how in kinds for name in _OPERATIONS]
    return [Case(*pairs[index % len(pairs)], chance.uniform(0.1, 0.9)) for index in range(count)]


def play_daemon(url: str, image: str, case: Case, prefix: str, duration: float, restart: str) -> Outcome:
    """Play one case. The program has to end, with a stopped daemon as well; then the daemon is brought back."""
    with ck.connect(url, timeout=30) as engine:
        before = everything(engine)
    pid = engine_process(url)
    assert pid, "the daemon's process cannot be seen from here"
    env = {**os.environ, "CK_KILL_TIMEOUT": str(_TIMEOUT)}
    with running(url, image, case, prefix, env) as process:
        time.sleep(case.moment * duration)
        killed = case.how == "daemon killed"
        os.kill(pid, signal.SIGKILL if killed else signal.SIGSTOP)
        try:
            hung = not _ends(process, 60.0)
            if not killed:
                time.sleep(0.5)
        finally:
            if killed:
                subprocess.run(shlex.split(restart), check=True, capture_output=True, timeout=120)
            else:
                os.kill(pid, signal.SIGCONT)
    time.sleep(2.0)
    with ck.connect(url, timeout=30) as engine:
        cleaned = ck.cleanup(engine)
        if case.operation == "build" and killed:  # the container of a step, without labels, is the builder's
            for container in engine.containers.list(all=True):
                if f"container {container.id}" not in before and not container.labels.get(SESSION_LABEL):
                    container.remove(force=True)
        after = everything(engine)
    return Outcome(case, *difference(before, after, prefix), hung, len(cleaned))


def _ends(process: subprocess.Popen[str], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return False
    return True
