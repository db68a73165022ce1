"""The loop that waits until a strategy is satisfied."""

from __future__ import annotations

import time

from ..errors import ContainerKitError, EngineTimeout, InvalidOption, WrongState
from ..options import parse_timeout
from ..streams import Deadline
from .container_state import ContainerState
from .logs import open_logs, read_logs
from .strategy import Strategy

__all__ = ["wait_until"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5  # seconds between two looks
_ALIVE = ("created", "running", "paused", "restarting")


def wait_until(container: ContainerState, strategy: Strategy, timeout: float) -> None:
    """Wait until a strategy is satisfied. See :meth:`Container.wait_until`."""
    seconds = parse_timeout("timeout", timeout)
    if not isinstance(strategy, Strategy):
        raise InvalidOption(
            "strategy", strategy, "a strategy of containerkit.wait, like healthy() or log_line('ready')"
        )
    action = f"waiting for {strategy} of {container.label}"
    reason = "the engine did not answer"
    with Deadline.after(seconds) as deadline:
        try:
            with strategy.watch(container) as missing:
                pause = _FIRST_PAUSE
                while reason := missing():
                    if not strategy.survives_exit and container.refresh().status not in _ALIVE:
                        raise WrongState(
                            f"it is {container.status}, exit code {container.exit_code}", actual=container.status
                        )
                    if (deadline.cap(pause) or 0.0) < pause:
                        break
                    time.sleep(pause)
                    pause = min(_LONGEST_PAUSE, pause * 1.5)
        except WrongState as exc:
            raise WrongState(f"{action}: {exc}{_last_lines(container)}", actual=exc.actual, status=exc.status) from exc
        except EngineTimeout:
            if not deadline.expired:
                raise
    container._record = None
    if reason:
        raise EngineTimeout(
            f"{action}: not satisfied within {seconds or 0.0:g} s; {reason}{_last_lines(container)}",
            timeout=seconds or 0.0,
        )


def _last_lines(container: ContainerState) -> str:
    """Return the end of the container's log for a message, or "" if the engine does not give it at once."""
    try:
        with Deadline.after(2.0, shield=True), open_logs(container, tail=20) as outputs:
            text = read_logs(outputs).text.strip()
    except ContainerKitError:
        return ""
    return f"\nThe end of its log:\n{text}" if text else ""
