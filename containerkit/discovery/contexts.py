"""Read docker contexts. A broken file becomes an endpoint with a reason; nothing here raises."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ..userconfig.environment import Environment
from ..userconfig.files import BrokenFile, read_json, string_at, table_at
from .endpoints import TLS, Endpoint, named_endpoint


def current_context(environment: Environment) -> tuple[str, str]:
    """Return the name that `docker context use` wrote, and why the file cannot be used; "" for each if absent."""
    try:
        return string_at(read_json(environment.docker_config / "config.json"), "currentContext"), ""
    except BrokenFile as exc:
        return "", str(exc)


def docker_contexts(environment: Environment) -> dict[str, Endpoint]:
    """Return every docker context by name, except "default", which has no file."""
    found: dict[str, Endpoint] = {}
    folder = environment.docker_config / "contexts"
    try:
        files = sorted((folder / "meta").glob("*/meta.json"))
    except OSError:
        return found
    for path in files:
        try:
            meta = read_json(path)
        except BrokenFile as exc:
            found[path.parent.name] = Endpoint("", f"docker context in {path.parent.name[:12]}", reason=str(exc))
            continue
        name = string_at(meta, "Name")
        digest = hashlib.sha256(name.encode(errors="replace")).hexdigest()
        if not name or digest != path.parent.name:
            continue  # docker looks for a context in the folder of its name's digest, and ignores this file
        source = f"docker context {name!r}"
        docker = table_at(meta, "Endpoints", "docker")
        try:
            tls = _certificates(folder / "tls" / digest / "docker", verify=docker.get("SkipTLSVerify") is not True)
        except OSError as exc:  # without its certificates, the context must not connect unencrypted
            reason = f"its certificates cannot be read: {exc.strerror or exc} ({folder / 'tls' / digest})"
            found[name] = Endpoint("", source, reason=reason)
        else:
            found[name] = named_endpoint(string_at(docker, "Host"), source, path, tls=tls)
    return found


def _certificates(folder: Path, *, verify: bool) -> TLS | None:
    """Return the TLS settings of a context, None if it has none. Raises OSError if they cannot be read."""
    ca, cert, key = (_existing(folder / name) for name in ("ca.pem", "cert.pem", "key.pem"))
    if ca is None and cert is None and key is None and verify:
        return None
    return TLS(ca, cert, key, verify=verify)


def _existing(path: Path) -> str | None:
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return str(path)
