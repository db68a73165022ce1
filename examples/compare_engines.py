"""Run the same command on every engine of this machine, and compare what they say of themselves.

python examples/compare_engines.py [IMAGE]
"""

from __future__ import annotations

import sys
import time

import containerkit as ck
from containerkit.display import Table


def row(endpoint: ck.Endpoint, image: str) -> tuple[str, ...]:
    with ck.connect(endpoint) as engine:
        info = engine.info()
        began = time.monotonic()
        result = engine.run(image, "cat /proc/self/uid_map")
        seconds = time.monotonic() - began
        host_uid = result.stdout.split()[1]  # "0 HOST-UID COUNT": whom root of the container is outside
        return f"{info.kind} {info.version}", str(info.rootless), f"{seconds:.2f} s", host_uid


def main(image: str = "busybox:1") -> None:
    rows = []
    for endpoint in ck.discover():
        if endpoint.reachable:
            try:
                rows.append(row(endpoint, image))
            except ck.ContainerKitError as exc:
                print(f"{endpoint.url}: {str(exc).splitlines()[0]}")
    print(Table("The engines of this machine", ("engine", "rootless", "one run", "root is uid"), rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
