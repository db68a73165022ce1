"""Build the probe's image in memory: one layer with one file, under a name that is unique."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping

from .program import build_program

__all__ = ["PROGRAM_PATH", "build_image"]

PROGRAM_PATH = "/containerkit-probe"


def build_image(ref: str, *, arch: str, nonce: bytes, labels: Mapping[str, str]) -> bytes:
    """Return a docker-archive with the program for `nonce` as its entrypoint, and these labels."""
    layer = _tar({PROGRAM_PATH.lstrip("/"): (build_program(nonce, arch=arch), 0o755)})
    config = json.dumps(
        {
            "architecture": arch,
            "os": "linux",
            "config": {"Entrypoint": [PROGRAM_PATH], "Labels": dict(labels), "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
            "history": [{"created_by": "containerkit: isolation probe"}],
        }
    ).encode()
    name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": name, "RepoTags": [ref], "Layers": ["layer.tar"]}]).encode()
    return _tar({name: (config, 0o644), "layer.tar": (layer, 0o644), "manifest.json": (manifest, 0o644)})


def _tar(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, (content, mode) in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
