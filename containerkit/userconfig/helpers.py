"""Run a credential helper (docker-credential-NAME) within a time limit."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

from ..errors import AuthenticationFailed
from ..spec import RegistryAuth
from .environment import Environment

_TIMEOUT = 30.0  # seconds; a helper may wait for its user to unlock a keyring
_NOT_FOUND = "credentials not found"  # start of the error for a server without credentials
_TOKEN_USER = "<token>"


def helper_credentials(
    environment: Environment, helper: str, registry: str, servers: tuple[str, ...], file: Path
) -> RegistryAuth | None:
    """Return the credentials that a helper has for one of the server names, None if it has none.

    The protocol is that of https://github.com/docker/docker-credential-helpers.

    Args:
        environment: where the program is looked up.
        helper: the name in the configuration file, without "docker-credential-".
        registry: the registry, for the result and messages.
        servers: the names under which the helper may have filed it.
        file: the configuration file that names the helper, for messages.

    Raises:
        AuthenticationFailed: the helper is missing, fails, hangs, or its output is invalid.
    """
    for server in servers:
        found = _get(environment, f"docker-credential-{helper}", registry, server, file)
        if found:
            return found
    return None


def store_credentials(environment: Environment, helper: str, auth: RegistryAuth, server: str, file: Path) -> None:
    """Give credentials to a helper. Raises AuthenticationFailed."""
    entry = json.dumps({"ServerURL": server, "Username": auth.username, "Secret": auth.password})
    _ask(environment, f"docker-credential-{helper}", "store", auth.registry, entry, file)


def erase_credentials(environment: Environment, helper: str, registry: str, server: str, file: Path) -> bool:
    """Remove a server's credentials from a helper. Return whether it had any. Raises AuthenticationFailed."""
    return _ask(environment, f"docker-credential-{helper}", "erase", registry, server, file) is not None


def _ask(environment: Environment, program: str, action: str, registry: str, text: str, file: Path) -> str | None:
    """Return what a helper answers; None if it has no such credentials."""
    path = environment.which(program)
    if path is None or os.sep in program:
        raise _failed(program, registry, file, "is not on PATH; install it")
    code, output = _run([path, action], program, text, registry, file)
    if code == 0:
        return output
    # By the protocol, stdout holds the error message; what looks like a response may hold a secret.
    message = "" if output.lstrip().startswith("{") else output.strip().partition("\n")[0][:200]
    if message.startswith(_NOT_FOUND):
        return None
    raise _failed(program, registry, file, f"failed with exit code {code}" + (f": {message}" if message else ""))


def _get(environment: Environment, program: str, registry: str, server: str, file: Path) -> RegistryAuth | None:
    output = _ask(environment, program, "get", registry, server, file)
    if output is None:
        return None
    try:
        answer = json.loads(output)
        username, secret = answer["Username"], answer["Secret"]
        if not (isinstance(username, str) and isinstance(secret, str)):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _failed(program, registry, file, "printed no Username and Secret") from None
    if username == _TOKEN_USER:
        return RegistryAuth(registry, "", "", secret)
    return RegistryAuth(registry, username, secret) if username or secret else None


def _run(command: list[str], program: str, text: str, registry: str, file: Path) -> tuple[int, str]:
    """Return the exit code and stdout. On a timeout or interrupt, the helper's whole process group is killed."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as exc:
        raise _failed(program, registry, file, f"cannot be run: {exc.strerror or exc}") from exc
    try:
        output, _ = process.communicate(text.encode(), timeout=_TIMEOUT)
    except BaseException as exc:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        for pipe in (process.stdin, process.stdout):  # a process that left the group may still hold the other end
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.wait()
        if isinstance(exc, subprocess.TimeoutExpired):
            raise _failed(program, registry, file, f"did not finish within {_TIMEOUT:g} s") from None
        raise
    return process.returncode, output.decode(errors="replace")


def _failed(program: str, registry: str, file: Path, what: str) -> AuthenticationFailed:
    return AuthenticationFailed(
        f"reading the credentials for {registry}: {program}, configured in {file}, {what}; "
        "or pass auth=(user, password), or call Engine.login()"
    )
