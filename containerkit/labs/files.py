"""Read a lab from a folder or a file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from .._text import split_lines
from ..errors import InvalidLab
from .containerlab import read_containerlab
from .kathara import read_kathara
from .topology import Host, Topology
from .yamlfile import read_yaml


def load(path: str | os.PathLike[str], *, images: Mapping[str, str] | None = None, strict: bool = True) -> Topology:
    """Read a lab from the files of Kathará and Netkit, or from a YAML file of Containerlab.

    Args:
        path: a folder with lab.conf, startup files, lab.dep and folders of hosts; its lab.conf; or the YAML file.
        images: name of an image in the files -> the image to use instead, as KATHARA_IMAGES; without a tag, it
            stands for every tag.
        strict: a startup command that fails is an error, as in a lab made in Python; False ignores it, as Kathará does,
            and leaves out `bridged` and `port`.

    Raises:
        InvalidLab: a mistake or something that labs do not support, with file and line.
        Unsupported: the file is YAML, and PyYAML is not installed.
        FileNotFoundError: nothing is there.
    """
    given = Path(path)
    if given.is_dir():
        given /= "lab.conf"
    if not given.is_file():
        raise FileNotFoundError(f"no lab at {path}: expected a folder with lab.conf, or a YAML file")
    if given.suffix in (".yml", ".yaml"):
        topology = read_containerlab(read_yaml(given), strict=strict)
    else:
        topology = read_kathara(given, strict=strict)

    def changed(host: Host) -> Host:
        name = (host.image or topology.image).removeprefix("docker.io/")
        known = {key.removeprefix("docker.io/"): image for key, image in (images or {}).items()}
        image = known.get(name) or known.get(name.partition(":")[0]) or host.image
        return replace(host, image=image, strict=strict)

    topology = replace(topology, hosts=tuple(changed(host) for host in topology.hosts))
    try:
        return topology.validate()
    except InvalidLab as exc:
        raise InvalidLab(str(exc), path=str(given), line=_line_of(given, str(exc))) from exc


def _line_of(path: Path, message: str) -> int | None:
    """Return the first line that speaks of the host which a message names."""
    host = re.match(r"host (\S+?):", message)
    word = re.compile(rf"\b{re.escape(host[1])}\b") if host else None
    lines = split_lines(path.read_text(errors="replace"))
    return next((number for number, line in enumerate(lines, 1) if word and word.search(line)), None)
