"""Accounts and groups of this host: by the name service, or from the files of a folder that the caller chooses.

The name service (NSS) also knows accounts that are in no file: those of LDAP, of a domain, of systemd. Some services
answer a question about one account and list none, so a list of members may be incomplete; `unlisted` names them.
"""

from __future__ import annotations

import contextlib
import grp
import pwd
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from .._text import split_lines

__all__ = ["Accounts", "parse_group", "parse_passwd"]

#: Sources that list every account that they know.
_LISTED = {"files", "compat", "db", "systemd", "altfiles", "extrausers", "nis", "nisplus"}


def parse_passwd(content: str | None) -> Mapping[str, tuple[int, int]]:
    """Return name -> (uid, primary gid)."""
    rows = (line.split(":") for line in split_lines(content or ""))
    return {r[0]: (int(r[2]), int(r[3])) for r in rows if len(r) >= 4 and r[2].isdecimal() and r[3].isdecimal()}


def parse_group(content: str | None) -> Mapping[int, tuple[str, tuple[str, ...]]]:
    """Return gid -> (name, listed members; accounts with this primary group are not listed)."""
    rows = (line.split(":") for line in split_lines(content or ""))
    return {int(r[2]): (r[0], tuple(filter(None, r[3].split(",")))) for r in rows if len(r) >= 4 and r[2].isdecimal()}


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "replace")
    except (OSError, ValueError):
        return None


class Accounts:
    """The accounts of one host. `root`: folder of /etc; "/" asks the name service."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.by_service = root == Path("/")
        self.etc = root / "etc"

    @cached_property
    def _users(self) -> Mapping[str, tuple[int, int]]:
        if self.by_service:
            return {entry.pw_name: (entry.pw_uid, entry.pw_gid) for entry in pwd.getpwall()}
        return parse_passwd(_text(self.etc / "passwd"))

    @cached_property
    def _groups(self) -> Mapping[int, tuple[str, tuple[str, ...]]]:
        return parse_group(_text(self.etc / "group"))

    @property
    def known(self) -> bool:
        """True if groups can be asked for."""
        return self.by_service or bool(self._groups)

    def user(self, uid: int) -> str | None:
        """Return an account's name, or None."""
        if self.by_service:
            with contextlib.suppress(KeyError, OverflowError):
                return pwd.getpwuid(uid).pw_name
            return None
        return next((name for name, (number, _) in self._users.items() if number == uid), None)

    def uid(self, name: str) -> int | None:
        """Return an account's number, or None; a name service may know accounts that it does not list."""
        if self.by_service:
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(name).pw_uid
            return None
        found = self._users.get(name)
        return found[0] if found else None

    def home(self, uid: int) -> str | None:
        """Return an account's home folder, or None."""
        if self.by_service:
            with contextlib.suppress(KeyError, OverflowError):
                return pwd.getpwuid(uid).pw_dir
            return None
        rows = (line.split(":") for line in split_lines(_text(self.etc / "passwd") or ""))
        return next((r[5] for r in rows if len(r) >= 6 and r[2] == str(uid)), None)

    def group(self, gid: int) -> tuple[str | None, tuple[str, ...]]:
        """Return a group's name and its listed members; (None, ()) without such a group."""
        if self.by_service:
            with contextlib.suppress(KeyError, OverflowError):
                entry = grp.getgrgid(gid)
                return entry.gr_name, tuple(entry.gr_mem)
            return None, ()
        return self._groups.get(gid, (None, ()))

    def with_primary_group(self, gid: int) -> tuple[str, ...]:
        """Return the accounts that have this primary group."""
        return tuple(sorted(name for name, (_, primary) in self._users.items() if primary == gid))

    @property
    def unlisted(self) -> tuple[str, ...]:
        """Return name services that may know accounts which they do not list."""
        found: dict[str, None] = {}
        for line in split_lines(_text(self.etc / "nsswitch.conf") or ""):
            database, _, sources = line.partition("#")[0].partition(":")
            if database.strip() in ("passwd", "group", "initgroups"):
                words = [word for word in sources.split() if not word.startswith("[")]
                found |= dict.fromkeys(word for word in words if word not in _LISTED)
        return tuple(found)
