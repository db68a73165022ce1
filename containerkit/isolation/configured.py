"""Read what Podman's settings files say: containers.conf, registries.conf, policy.json, of the host and of an account.

A later file replaces single settings of an earlier one, as in Podman itself.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from .facts import AccountFacts, PodmanFacts

__all__ = ["collect_podman"]

_SYSTEM = ("/usr/share/containers", "/etc/containers")


def collect_podman(account: AccountFacts, files: Path) -> PodmanFacts:
    """Return the settings that count for the Podman of an account.

    Args:
        account: the account that runs the engine; root has no folder of its own.
        files: folder of the engine's files.
    """
    own = (f"{account.home}/.config/containers",) if account.uid != 0 and account.home else ()
    defaults: dict[str, Any] = {}
    problems: list[str] = []
    for path in _files("containers.conf", (*_SYSTEM, *own), files):
        defaults |= _toml(path, problems).get("containers") or {}
    registries: dict[str, Any] = {}
    kept = [folder for folder in own if (files / folder.lstrip("/") / "registries.conf").is_file()] or _SYSTEM[1:]
    for path in _files("registries.conf", kept, files):  # an account's file replaces the host's
        registries |= _toml(path, problems)
    policies = [files / folder.lstrip("/") / "policy.json" for folder in (*own, *_SYSTEM[1:])]
    policy = next((_default_policy(path) for path in policies if path.is_file()), None)
    short = registries.get("short-name-mode")
    return PodmanFacts(
        defaults={str(name): value for name, value in defaults.items() if isinstance(value, (str, bool, int, list))},
        short_names=short if isinstance(short, str) else None,
        policy=policy,
        problems=tuple(problems),
    )


def _files(name: str, folders: tuple[str, ...] | list[str], files: Path) -> Iterator[Path]:
    """Yield the file of that name in each folder, and the parts of it in the folder NAME.d, in the order of reading."""
    for folder in folders:
        path = files / folder.lstrip("/") / name
        yield path
        try:
            yield from sorted(part for part in path.with_name(f"{name}.d").iterdir() if part.suffix == ".conf")
        except OSError:
            continue


def _toml(path: Path, problems: list[str]) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        problems.append(f"{path.name}: {type(exc).__name__}")
        return {}


def _default_policy(path: Path) -> str | None:
    """Return what policy.json demands of an image that no other rule names ("insecureAcceptAnything", "reject")."""
    try:
        found = json.loads(path.read_text("utf-8"))["default"][0]["type"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return found if isinstance(found, str) else None
