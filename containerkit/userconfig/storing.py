"""Store and remove registry credentials where `docker login` and `podman login` keep them, in the same form."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from ..errors import AuthenticationFailed
from ..spec import RegistryAuth
from .credentials import credentials_file, keys_of
from .environment import Environment
from .files import BrokenFile, read_json, string_at, table_at
from .helpers import erase_credentials, store_credentials


def store_login(environment: Environment, auth: RegistryAuth, *, kind: str) -> Path:
    """Write credentials to the file of the engine's command line, or to the helper that the file names.

    Args:
        environment: where the file is.
        auth: the registry, and the account there.
        kind: "docker" or "podman".

    Returns:
        The file.

    Raises:
        AuthenticationFailed: the file cannot be read or written, or the helper fails.
    """
    path, data, key = _open(environment, auth.registry, kind)
    entry: dict[str, str] = {}
    if helper := _helper(data, key):
        store_credentials(environment, helper, auth, key, path)
    else:
        entry["auth"] = base64.b64encode(f"{auth.username}:{auth.password}".encode()).decode()
    _write(path, {**data, "auths": {**table_at(data, "auths"), key: entry}})
    return path


def forget_login(environment: Environment, registry: str, *, kind: str) -> bool:
    """Remove the credentials of a registry from the file and its helper. Return whether there were any.

    Raises:
        AuthenticationFailed: the file cannot be read or written, or the helper fails.
    """
    path, data, key = _open(environment, registry, kind)
    auths = dict(table_at(data, "auths"))
    found = [name for name in keys_of(registry) if auths.pop(name, None) is not None]
    if helper := _helper(data, key):
        found += [key] if erase_credentials(environment, helper, registry, key, path) else []
    if len(auths) != len(table_at(data, "auths")):
        _write(path, {**data, "auths": auths})
    return bool(found)


def _open(environment: Environment, registry: str, kind: str) -> tuple[Path, dict[str, Any], str]:
    """Return the file, its content, and the registry's key in it."""
    path = credentials_file(environment, kind)
    try:
        data = read_json(path)
    except BrokenFile as exc:
        raise AuthenticationFailed(f"the credentials for {registry} are not changed: {exc}") from exc
    return path, data, keys_of(registry)[0 if kind == "docker" else min(1, len(keys_of(registry)) - 1)]


def _helper(data: dict[str, Any], key: str) -> str:
    return string_at(table_at(data, "credHelpers"), key) or string_at(data, "credsStore")


def _write(path: Path, data: dict[str, Any]) -> None:
    """Replace a file at once; only its owner can read it. Where it is a link, the link stays."""
    path = Path(os.path.realpath(path))
    new = ""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        number, new = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
        with open(number, "w", encoding="utf-8") as file:
            file.write(json.dumps(data, indent="\t"))
        os.replace(new, path)
    except OSError as exc:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise AuthenticationFailed(f"{path} cannot be written: {exc.strerror or exc}") from exc
