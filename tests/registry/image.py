"""Build the registry's image from Debian's docker-registry and the C library."""

from __future__ import annotations

import sys
from pathlib import Path

from engines.base_image import Recipe, build_image

REF = "docker.io/containerkit/registry:test"
USER, PASSWORD = "lab", "labpass"
HTPASSWD = "lab:$2y$05$NEwaYwxZuLOW6KHacKT4kOXBWrBB3YtQGgD1UWOLiSOek/sq5WpOi\n"  # bcrypt of PASSWORD

OPEN = """\
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: /var/lib/registry}, delete: {enabled: true}}
http: {addr: ":5000"}
"""
AUTH = OPEN + "auth: {htpasswd: {realm: lab, path: /etc/registry/htpasswd}}\n"

RECIPE = Recipe(
    ref=REF,
    packages=("docker-registry", "libc6"),
    dependencies=False,
    config={"Entrypoint": ["docker-registry"], "Cmd": ["serve", "/etc/registry/open.yml"]},
    files={"etc/registry/open.yml": OPEN, "etc/registry/auth.yml": AUTH, "etc/registry/htpasswd": HTPASSWD},
)


def build_registry_image(out: Path, *, cache: Path | None = None) -> Path:
    """Write the registry's image as a docker-archive. Returns `out`."""
    return build_image(out, RECIPE, cache=cache)


if __name__ == "__main__":
    build_registry_image(Path(sys.argv[1]))
