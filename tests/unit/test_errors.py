"""Errors: their text is safe on a terminal, and they survive pickling."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest

from containerkit import errors
from containerkit._text import printable
from containerkit.resources.process import RunResult

EXAMPLES: list[errors.ContainerKitError] = [
    errors.EngineUnavailable("m", tried=(("unix:///x", "refused"),)),
    errors.EngineTimeout("m", timeout=2.0, stdout_bytes=b"out\xff", stderr_bytes=b"err"),
    *(
        getattr(errors, name)("m", status=404, explanation="why")
        for name in errors.__all__
        if name.endswith(("NotFound", "InUse", "Conflict", "EngineError", "AuthenticationFailed"))
        or name in ("StartFailed", "PullFailed", "PushFailed")
    ),
    errors.WrongState("m", actual="exited", status=409, explanation="why"),
    errors.BuildFailed("m", log="log", step="RUN x", status=500, explanation="why"),
    errors.Unsupported("m", capability="pause"),
    errors.LimitNotEnforced("m", limits=("memory",)),
    errors.InvalidReference("m"),
    errors.InvalidImage("m", violations=("a", "b")),
    errors.InvalidOption("memory", "x", "a size"),
    errors.InvalidLab("two interfaces eth0", path="lab.conf", line=2),
    errors.LabFailed("no", host="pc1", line=3),
    errors.CommandFailed(7, "out", "err", command=("a", "b"), stdout_bytes=b"out\xff"),
    errors.ContainerKitError("m"),
]


def test_every_error_has_an_example() -> None:
    """The examples cover every public exception."""
    assert {type(error).__name__ for error in EXAMPLES} == set(errors.__all__)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_survives_pickling(error: errors.ContainerKitError, protocol: int) -> None:
    """Type, text and attributes are the same after pickle and copy."""
    for again in (pickle.loads(pickle.dumps(error, protocol)), copy.copy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert again.__dict__ == error.__dict__


def _fail() -> None:
    RunResult(7, b"out", b"err", 1.0).check()


def test_an_error_crosses_a_process_pool() -> None:
    """A worker's CommandFailed reaches the parent, and the pool lives on."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        with pytest.raises(errors.CommandFailed, match="exit code 7"):
            pool.submit(_fail).result(30)
        assert pool.submit(abs, -1).result(30) == 1


def test_a_value_that_cannot_be_pickled_becomes_its_repr() -> None:
    """InvalidOption holds whatever was given; pickled, an unknown object is its repr."""
    given: Any = lambda: None  # noqa: E731
    again = pickle.loads(pickle.dumps(errors.InvalidOption("on_output", given, "a function")))
    assert again.value == repr(given)


def test_control_characters_are_escaped_in_messages() -> None:
    """Output in a message cannot move the cursor or change the terminal; the attributes keep the bytes."""
    error = errors.CommandFailed(1, "", "bad\x1b[2J\r\x9b31m\u202e\n\tline", stderr_bytes=b"bad\x1b[2J")
    assert str(error) == "the image's command: exit code 1\nbad\\x1b[2J\\r\\x9b31m\\u202e\n\tline"
    assert error.stderr_bytes == b"bad\x1b[2J"
    assert "\x1b" in error.stderr


def test_printable_keeps_what_can_be_printed() -> None:
    """Letters of every script, newlines and tabs stay."""
    assert printable("añ漢🙂 \n\t") == "añ漢🙂 \n\t"
    assert printable("\0\x7f\u200b") == "\\x00\\x7f\\u200b"


def test_timeouts_give_their_output_as_text_and_bytes() -> None:
    """stdout and stderr are text; stdout_bytes and stderr_bytes are the bytes."""
    error = errors.EngineTimeout("m", timeout=1.0, stdout_bytes=b"a\xff", stderr_bytes=b"b")
    assert (error.stdout, error.stderr) == ("a\ufffd", "b")
    assert (error.stdout_bytes, error.stderr_bytes) == (b"a\xff", b"b")


def test_a_long_output_is_cut_at_its_beginning() -> None:
    """The message holds the last 2000 characters of stderr, or of stdout if stderr is empty."""
    assert str(errors.CommandFailed(1, "x" * 3000, " \n", command=("a", "b"))) == f"a b: exit code 1\n{'x' * 2000}"
