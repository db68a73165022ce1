"""Parse the databases of package managers: dpkg, apk, rpm, and the metadata of Python's distributions."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .._text import split_lines

PackageKind = Literal["deb", "apk", "rpm", "python"]

_DPKG = "/var/lib/dpkg/"
_DPKG_LIST = re.compile(r"/var/lib/dpkg/info/(?P<name>[^/:]+)(?::(?P<arch>[^/]+))?\.list")
_APK = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")
_DIST_INFO = re.compile(r"(?P<site>/.*)?/[^/]+\.dist-info/(?P<what>METADATA|RECORD)")
_EGG_INFO = re.compile(r".*\.egg-info(/PKG-INFO)?")
_RPM = re.compile(r"/(var/lib|usr/lib/sysimage)/rpm/(Packages|Packages\.db|rpmdb\.sqlite)")
_RPM_JOURNAL = re.compile(r"/(var/lib|usr/lib/sysimage)/rpm/rpmdb\.sqlite-wal")


@dataclass(frozen=True, slots=True)
class Installed:
    """One installed package as a database states it.

    Attributes:
        files: absolute paths that belong to it, if the same document states them.
    """

    kind: PackageKind
    name: str
    version: str
    arch: str = ""
    files: tuple[str, ...] = ()


def is_rpm(path: str) -> bool:
    """Return whether a path is the database of rpm."""
    return _RPM.fullmatch(path) is not None


def is_unread(path: str) -> bool:
    """Return whether a path is a database that is not parsed: SQLite's journal of what is not in rpm's file yet."""
    return _RPM_JOURNAL.fullmatch(path) is not None


def is_document(path: str) -> bool:
    """Return whether a path is a document of a package manager that `parse_document` or `parse_files` reads."""
    if path.startswith(_DPKG):
        return (
            path == f"{_DPKG}status" or path.startswith(f"{_DPKG}status.d/") or _DPKG_LIST.fullmatch(path) is not None
        )
    if path in _APK or is_rpm(path):
        return True
    return "-info" in path and (_DIST_INFO.fullmatch(path) or _EGG_INFO.fullmatch(path)) is not None


def parse_packages(path: str, raw: bytes) -> tuple[Installed, ...]:
    """Return the packages that a document lists; none for one that lists files only.

    Raises:
        ValueError: a database of rpm is damaged or of an unknown form.
    """
    if is_rpm(path):
        from .rpm import rpm_headers

        return tuple(Installed("rpm", one.name, one.version, one.arch, one.files) for one in rpm_headers(raw))
    text = raw.decode("utf-8", "replace")
    if path.startswith(_DPKG):
        return () if path.endswith((".list", ".md5sums")) else tuple(_dpkg(text))
    if path in _APK:
        return tuple(_apk(text))
    return () if path.endswith("/RECORD") else tuple(_python(text))


def parse_files(path: str, raw: bytes) -> tuple[tuple[PackageKind, str, str], tuple[str, ...]] | None:
    """Return ((kind, name, architecture), files) of a document that lists the files of one package; else None.

    For Python the name is the path of the folder, since RECORD does not state another.
    """
    if is_rpm(path):
        return None
    text = raw.decode("utf-8", "replace")
    if found := _DPKG_LIST.fullmatch(path):
        return ("deb", found["name"], found["arch"] or ""), tuple(line for line in split_lines(text) if line)
    if path.endswith("/RECORD") and (found := _DIST_INFO.fullmatch(path)):
        site = found["site"] or ""
        try:
            names = tuple(f"{site}/{row[0]}" for row in csv.reader(split_lines(text)) if row)
        except csv.Error:
            names = ()
        return ("python", path.rpartition("/")[0], ""), names
    return None


def _paragraphs(text: str) -> Iterator[dict[str, str]]:
    """Yield the fields of each paragraph; continuation lines are left out."""
    fields: dict[str, str] = {}
    for line in split_lines(text):
        if not line.strip():
            if fields:
                yield fields
            fields = {}
        elif not line[0].isspace():
            name, _, value = line.partition(":")
            fields.setdefault(name.lower(), value.strip())
    if fields:
        yield fields


def _dpkg(text: str) -> Iterator[Installed]:
    for fields in _paragraphs(text):
        status = fields.get("status", "install ok installed").split()
        if status[-1:] == ["installed"] and fields.get("package"):
            yield Installed("deb", fields["package"], fields.get("version", ""), fields.get("architecture", ""))


def _apk(text: str) -> Iterator[Installed]:
    for paragraph in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        files: list[str] = []
        folder = ""
        for line in split_lines(paragraph):
            key, colon, value = line[:1], line[1:2], line[2:]
            if colon != ":":
                continue
            if key == "F":
                folder = f"/{value}" if value else ""
            elif key == "R":
                files.append(f"{folder}/{value}")
            else:
                fields.setdefault(key, value)
        if fields.get("P"):
            yield Installed("apk", fields["P"], fields.get("V", ""), fields.get("A", ""), tuple(files))


def _python(text: str) -> Iterator[Installed]:
    fields = next(_paragraphs(text), {})
    if fields.get("name"):
        yield Installed("python", fields["name"], fields.get("version", ""))
