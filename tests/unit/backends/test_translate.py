"""Exceptions of vendors, requests and sockets as errors of containerkit: by their causes, not by their words."""

from __future__ import annotations

import errno

import docker.errors
import pytest
import requests
import urllib3.exceptions

import containerkit as ck
from containerkit.backends._translate import translated
from containerkit.streams import Deadline


def raised(exc: BaseException, **how: object) -> BaseException:
    with pytest.raises(BaseException) as caught, translated("listing", "unix:///x", **how):  # type: ignore[arg-type]  # noqa: PT011
        raise exc
    return caught.value


def test_a_silent_engine() -> None:
    """The message has the limit in force: the deadline if it is over, else the seconds of silence."""
    for cause in (requests.ReadTimeout(), urllib3.exceptions.ReadTimeoutError(None, "/", "slow"), TimeoutError()):  # type: ignore[arg-type]
        error = raised(cause, silence=7.0)
        assert isinstance(error, ck.EngineTimeout)
        assert str(error) == "listing: no answer from unix:///x within 7 s"
    with Deadline.after(0.001) as deadline:
        while not deadline.expired:
            pass
        assert "within 0.001 s" in str(raised(TimeoutError(), deadline=deadline, silence=7.0))
    assert str(raised(TimeoutError())) == "listing: no answer from unix:///x"


def test_a_lost_connection() -> None:
    """The reason is the kernel's, below any number of wrappers."""
    inner = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    error = raised(requests.ConnectionError(urllib3.exceptions.ProtocolError("aborted", inner)))
    assert isinstance(error, ck.EngineUnavailable)
    assert str(error) == "listing: unix:///x: Connection refused (ECONNREFUSED)"
    assert error.tried == (("unix:///x", "Connection refused (ECONNREFUSED)"),)
    bare = raised(requests.exceptions.ChunkedEncodingError())
    assert str(bare) == "listing: unix:///x: ChunkedEncodingError"


def test_an_error_of_a_vendor() -> None:
    """It is an error of the engine; one that has a cause of ours is that cause."""
    assert str(raised(docker.errors.DockerException("odd"))) == "listing: odd"
    ours = ck.EngineUnavailable("no ping")
    wrapped = docker.errors.DockerException("failed")
    wrapped.__cause__ = ours
    assert raised(wrapped) is ours
    assert raised(ours) is ours


def test_another_error_is_not_touched() -> None:
    """A mistake in the program is not a failure of the engine."""
    mistake = ZeroDivisionError()
    assert raised(mistake) is mistake
    interrupt = KeyboardInterrupt()
    assert raised(interrupt) is interrupt
