"""Build an image with tcpdump from Debian's packages: `python -m tests.examples.tcpdump_image tcpdump.tar`."""

from __future__ import annotations

import sys
from pathlib import Path

from engines.base_image import Recipe, build_image, words

TCPDUMP = "docker.io/containerkit/tcpdump:test"
#: tcpdump, the libraries that it loads, and busybox for the shell.
PACKAGES = words(
    "tcpdump libpcap0.8 libc6 libssl3 libdbus-1-3 libsystemd0 libcap2 libgcrypt20 libgpg-error0 liblzma5 libzstd1 "
    "liblz4-1 libibverbs1 libnl-3-200 libnl-route-3-200 busybox-static"
)

if __name__ == "__main__":
    recipe = Recipe(ref=TCPDUMP, packages=PACKAGES, dependencies=False, config={"Cmd": ["sh"]})
    build_image(Path(sys.argv[1]), recipe)
