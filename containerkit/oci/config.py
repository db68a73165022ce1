"""Parse an image's config: execution parameters, layers, and which history entry made which layer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from .digest import is_digest
from .problems import invalid

__all__ = ["History", "ImageConfig", "Mapped", "infer_empty", "map_history"]

Mapped = Literal["exact", "inferred"]


@dataclass(frozen=True, slots=True)
class History:
    """One entry of an image's history.

    Attributes:
        created_by: the instruction, or "" if the builder recorded none.
        created: time in RFC 3339 as the builder wrote it, or "".
        empty_layer: True if the instruction made no layer; None if the source does not say. An engine's history
            endpoint has no such flag, and a size of 0 does not imply it (``mkdir`` makes a layer of 0 bytes).
        size: bytes of the layer as the engine counts them, if the engine is the source.
    """

    created_by: str = ""
    created: str = ""
    empty_layer: bool | None = False
    comment: str = ""
    author: str = ""
    size: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as JSON-ready types."""
        return {
            "created_by": self.created_by,
            "created": self.created,
            "empty_layer": self.empty_layer,
            "comment": self.comment,
            "author": self.author,
            "size": self.size,
        }


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """The config document (image-spec, config.md). Its digest is the image ID.

    Attributes:
        diff_ids: digests of the layers' uncompressed tars, base first.
        config: the execution parameters (``Env``, ``Cmd``, ``User`` …) as written.
    """

    diff_ids: tuple[str, ...]
    history: tuple[History, ...] = ()
    architecture: str = ""
    os: str = ""
    variant: str = ""
    created: str = ""
    config: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def parse(cls, raw: bytes) -> ImageConfig:
        """Parse a config blob.

        Raises:
            InvalidImage: with every violation found.
        """
        try:
            document = json.loads(raw)
        except (ValueError, RecursionError) as exc:
            raise invalid("image config", [f"config is not JSON ({exc})"]) from exc
        if not isinstance(document, dict):
            raise invalid("image config", ["config is not a JSON object"])
        problems: list[str] = []
        rootfs = document.get("rootfs")
        diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
        if diff_ids is None and isinstance(rootfs, dict):
            diff_ids = []  # "FROM scratch" without layers: Go writes null
        if not isinstance(diff_ids, list):
            problems.append("config has no rootfs.diff_ids")
            diff_ids = []
        problems += [f"diff_ids[{i}] is no digest: {d!r:.80}" for i, d in enumerate(diff_ids) if not is_digest(d)]
        lines = document.get("history") or []
        if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
            problems.append("config's history is not a list of objects")
            lines = []
        if problems:
            raise invalid("image config", problems)
        run = document.get("config")
        return cls(
            diff_ids=tuple(diff_ids),
            history=tuple(_history(line) for line in lines),
            architecture=_string(document, "architecture"),
            os=_string(document, "os"),
            variant=_string(document, "variant"),
            created=_string(document, "created"),
            config=run if isinstance(run, dict) else {},
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as JSON-ready types."""
        return {
            "diff_ids": list(self.diff_ids),
            "history": [line.to_dict() for line in self.history],
            "architecture": self.architecture,
            "os": self.os,
            "variant": self.variant,
            "created": self.created,
            "config": dict(self.config),
        }


def _string(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _history(line: Mapping[str, Any]) -> History:
    # The image-spec lets writers omit the flag where it is false, so absent in a config means false, not unknown.
    return History(
        created_by=_string(line, "created_by"),
        created=_string(line, "created"),
        empty_layer=bool(line.get("empty_layer", False)),
        comment=_string(line, "comment"),
        author=_string(line, "author"),
    )


def map_history(history: Sequence[History], layers: int) -> tuple[Mapped, tuple[int | None, ...]]:
    """Return, for each layer base first, the index of the history entry that made it, or None if unknown.

    The mapping is ``exact`` if every entry says whether it made a layer and entries and layers match one to one, or if
    there is no history at all. Missing flags are inferred (``infer_empty``). If there are too few entries, which is
    legal, the lowest layers get them: tools that drop history drop their own and keep that of the base image.
    """
    if not history:
        return "exact", (None,) * layers
    stated = all(line.empty_layer is not None for line in history)
    lines = history if stated else infer_empty(history, layers)
    if lines is None:
        return "inferred", (None,) * layers
    made = [index for index, line in enumerate(lines) if not line.empty_layer]
    if len(made) == layers:
        return ("exact" if stated else "inferred"), tuple(made)
    if len(made) > layers:
        return "inferred", (None,) * layers
    return "inferred", (*made, *[None] * (layers - len(made)))


def infer_empty(history: Sequence[History], layers: int) -> tuple[History, ...] | None:
    """Fill in every missing ``empty_layer`` from the instruction; return None if the number of layers does not match.

    The instruction decides where it can: ``ENV`` never makes a layer, ``COPY`` always does, and a size above 0 always
    means a layer. A command that changed nothing, and ``WORKDIR``, may or may not have made one. All of a kind are
    treated alike, whichever way yields ``layers``; commands are tried as layers first.
    """
    verdicts = [_makes_layer(line) for line in history]
    for command, other in ((True, True), (True, False), (False, True), (False, False)):
        answers = {"yes": True, "no": False, "command": command, "other": other}
        if sum(answers[verdict] for verdict in verdicts) == layers:
            return tuple(
                replace(line, empty_layer=not answers[verdict]) for line, verdict in zip(history, verdicts, strict=True)
            )
    return None


_NO_LAYER = frozenset(
    {"ARG", "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL"}
    | {"MAINTAINER", "ONBUILD", "SHELL", "STOPSIGNAL", "USER", "VOLUME"}
)


def _makes_layer(line: History) -> Literal["yes", "no", "command", "other"]:
    if line.empty_layer is not None:
        return "no" if line.empty_layer else "yes"
    if line.size:
        return "yes"
    words = line.created_by.split()
    shell = bool(words) and "#(nop)" not in words and words[0].startswith(("/bin/", "cmd", "powershell", "|"))
    if "#(nop)" in words:  # the classic builder's mark for an instruction that ran no command
        words = words[words.index("#(nop)") + 1 :]
    instruction = words[0].upper() if words else ""
    if instruction in _NO_LAYER:
        return "no"
    if instruction in ("ADD", "COPY"):
        return "yes"
    return "command" if shell or instruction == "RUN" else "other"
