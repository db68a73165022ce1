"""The engines of a test run: opened once per worker, cleaned once per run."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .shared import lock, path_of
from .summary import Summary

if TYPE_CHECKING:
    from containerkit import Engine

__all__ = ["Engines"]

_OLD = 86400.0  # seconds after which a file of a run that was killed is removed


class Engines:
    """Open each engine when it is first asked for.

    Args:
        config: of this worker.
        summary: gets what was cleaned, and why an engine could not be opened.
    """

    def __init__(self, config: pytest.Config, summary: Summary) -> None:
        self._config = config
        self._summary = summary
        self._run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid.uuid4().hex
        self._open: dict[str | None, Engine] = {}
        self._closing = contextlib.ExitStack()
        #: Closed before the engines.
        self.users = contextlib.ExitStack()

    def run_id(self, target: str | None) -> str:
        """Return an ID that all workers of this run have for an engine."""
        return f"{self._run}-{hashlib.sha256((target or '').encode()).hexdigest()[:8]}"

    def open(self, target: str | None) -> Engine:
        """Return the engine of a target; skip or fail the test that asks if it does not answer."""
        import containerkit as ck

        if target in self._open:
            return self._open[target]
        try:
            engine = ck.connect(target, reaper=True)
        except ck.EngineUnavailable as exc:
            if self._config.getoption("require_container_engine"):
                pytest.fail(str(exc), pytrace=False)
            self._summary.missing.append(str(exc))
            reason = str(exc).partition("\n")[0].partition(". Tried")[0]
            pytest.skip(f"{reason} (see the end of the report)")
        self._open[target] = engine
        self._closing.callback(engine.close)
        with contextlib.suppress(ck.ContainerKitError):
            self._clean(engine, self.run_id(target))
        return engine

    def close(self) -> None:
        """End what uses the engines, then close them."""
        with self._closing:
            self.users.close()

    def _clean(self, engine: Engine, run: str) -> None:
        """Remove what earlier runs left, unless another worker of this run has done so."""
        import containerkit as ck

        done = path_of(run, "cleaned")
        with lock(path_of(run, "cleaning"), fcntl.LOCK_EX):
            if done.exists():
                return
            cleaned = ck.cleanup(engine)
            self._summary.cleaned += [*cleaned.containers, *cleaned.networks, *cleaned.volumes]
            done.touch()
        for kind in ("cleaned", "cleaning"):
            self._closing.callback(path_of(run, kind).unlink, missing_ok=True)
        _forget_old(done.parent)


def _forget_old(folder: Path) -> None:
    """Remove files of runs that were killed."""
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _OLD:
                with path.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # who uses a container holds a lock
                    path.unlink()
