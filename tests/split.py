"""The record that Docker and Podman keep of a layer's tar, for tests of what is read from it."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile

__all__ = ["tar_split"]


def tar_split(tar: bytes) -> bytes:
    """What Docker keeps of a layer: its headers and padding in base64, and a line with a checksum for each payload."""
    lines: list[dict[str, object]] = []
    raw, at = b"", 0
    with tarfile.open(fileobj=io.BytesIO(tar + bytes(10240))) as reader:
        for member in reader:
            raw += tar[at : member.offset_data]
            size = member.size if member.isreg() else 0
            lines.append({"type": 2, "payload": base64.b64encode(raw).decode(), "position": len(lines)})
            checksum = base64.b64encode(size.to_bytes(8, "big")).decode() if size else None
            lines.append({"type": 1, "name": member.name, "size": size, "payload": checksum, "position": len(lines)})
            if checksum is None:
                del lines[-1]["payload"]
            raw, at = b"", member.offset_data + size
    lines.append({"type": 2, "payload": base64.b64encode(tar[at:]).decode(), "position": len(lines)})
    return gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode())
