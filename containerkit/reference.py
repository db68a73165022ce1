"""Image names: parse a reference of the distribution-spec and write it in the forms that engines use.

::

    reference  := [registry "/"] repository [":" tag] ["@" digest]
    busybox                     docker.io/library/busybox:latest
    me/tool:1                   docker.io/me/tool:1
    localhost/x:1               localhost/x:1            (Podman puts names without a registry here)
    [::1]:5000/a/b@sha256:…     unchanged

The rules are those of https://github.com/distribution/reference (regexp.go, normalize.go).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import InvalidReference
from .values import Value

__all__ = ["Reference", "begins_id", "display", "familiar", "looks_like_id", "parse", "same_image_name"]

DEFAULT_REGISTRY = "docker.io"
DEFAULT_TAG = "latest"
LOCAL_REGISTRY = "localhost"

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::(?P<port>[0-9]{{1,5}}))?")
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}")
_ID = re.compile(r"[a-f0-9]{12,64}|sha256:[a-f0-9]{12,64}")
_FULL_ID = re.compile(r"[a-f0-9]{64}")
_PATH_MAX = 255


@dataclass(frozen=True, slots=True)
class Reference(Value):
    """A parsed image name.

    Attributes:
        registry: host with an optional port ("docker.io", "localhost:5000", "[::1]:5000").
        repository: path on the registry ("library/busybox").
        tag: None if only a digest names the image.
        digest: "sha256:…", or None.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @property
    def name(self) -> str:
        """Registry and repository, without tag and digest: "docker.io/library/busybox"."""
        return f"{self.registry}/{self.repository}"

    @property
    def qualified(self) -> str:
        """The full name, which means the same on every engine: "docker.io/library/busybox:1"."""
        return self.name + self._suffix

    @property
    def familiar(self) -> str:
        """The short name, without "docker.io/library/" or "docker.io/". It parses back to the same reference."""
        if self.registry != DEFAULT_REGISTRY:
            return self.qualified
        official, _, rest = self.repository.partition("/")
        short = rest if official == "library" and rest and "/" not in rest else self.repository
        first, slash, _ = short.partition("/")
        if (slash and _is_registry(first)) or _FULL_ID.fullmatch(short):
            return self.qualified  # the short form would parse as another name, or as an ID
        return short + self._suffix

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        return self.familiar


def parse(text: str) -> Reference:
    """Parse an image name. The tag is "latest" if the name has neither tag nor digest.

    Raises:
        InvalidReference: no engine would accept the name; the message says which part, and why.
    """
    if not isinstance(text, str):
        raise InvalidReference(f"an image name is a string, not {type(text).__name__}: {text!r}")
    if not text:
        raise InvalidReference("an image name cannot be empty")
    if _FULL_ID.fullmatch(text):
        raise InvalidReference(f"{text!r} is an image ID, not a name")
    rest, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise _invalid(text, f"digest {digest!r} is not sha256: and 64 lower-case hexadecimal digits")
    head, slash, path = rest.partition("/")
    if not slash or not _is_registry(head):
        head, path = DEFAULT_REGISTRY, rest
    port = _REGISTRY.fullmatch(head)
    if port is None or not 0 < int(port["port"] or 1) < 65536:
        raise _invalid(text, f"registry {head!r} is not a host name or address with an optional port")
    repository, colon, tag = path.partition(":")
    if colon and not _TAG.fullmatch(tag):
        reason = "longer than 128 characters" if len(tag) > 128 else "not letters, digits, '_', '.' and '-'"
        raise _invalid(text, f"tag {tag!r} is {reason}" if tag else "the tag after ':' is missing")
    _check_path(text, repository)
    if head in ("docker.io", "index.docker.io"):
        head = DEFAULT_REGISTRY
        repository = repository if "/" in repository else f"library/{repository}"
    if len(repository) > _PATH_MAX:
        raise _invalid(text, f"the repository is longer than {_PATH_MAX} characters")
    return Reference(head, repository, tag or (None if digest else DEFAULT_TAG), digest or None)


def familiar(text: str) -> str:
    """Return the familiar form of an image name; an ID or "<none>:<none>" is returned unchanged."""
    try:
        return parse(text).familiar
    except InvalidReference:
        return text


def display(text: str) -> str:
    """Return an image name as a person types it: the familiar form without the "localhost/" that Podman puts in front.

    An ID or "<none>:<none>" is returned unchanged.
    """
    try:
        reference = parse(text)
    except InvalidReference:
        return text
    local = f"{LOCAL_REGISTRY}/"
    short = reference.familiar
    if reference.registry != LOCAL_REGISTRY or _FULL_ID.fullmatch(reference.repository):
        return short
    first, slash, _ = reference.repository.partition("/")
    return short if slash and _is_registry(first) else short.removeprefix(local)


def looks_like_id(text: str) -> bool:
    """Return whether the text can be an ID or its start: 12 to 64 hexadecimal digits, alone or after "sha256:"."""
    return _ID.fullmatch(text) is not None


def begins_id(text: str, identity: str) -> bool:
    """Return whether the text is the ID or its start, with or without "sha256:"."""
    digits = text.removeprefix("sha256:")
    return bool(digits) and identity.removeprefix("sha256:").startswith(digits)


def same_image_name(a: str, b: str) -> bool:
    """Return whether two names mean the same image to a person: "x", "localhost/x:latest", "docker.io/library/x"."""
    try:
        return display(parse(a).qualified) == display(parse(b).qualified)
    except InvalidReference:
        return a == b


def _is_registry(component: str) -> bool:
    return component == LOCAL_REGISTRY or "." in component or ":" in component


def _check_path(text: str, repository: str) -> None:
    if not repository:
        raise _invalid(text, "the repository is missing")
    for component in repository.split("/"):
        if _COMPONENT.fullmatch(component):
            continue
        if not component:
            raise _invalid(text, "a part of the repository is empty")
        if component != component.lower() and _COMPONENT.fullmatch(component.lower()):
            raise _invalid(text, f"repository {component!r} must be lower case")
        raise _invalid(text, f"{component!r} is not lower-case letters and digits, joined by '.', '_', '__' or '-'")


def _invalid(text: str, reason: str) -> InvalidReference:
    return InvalidReference(f"invalid image name {text!r}: {reason}")
