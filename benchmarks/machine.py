"""Boot the virtual machine of engines/ and measure it: the figures that the notebook about light containers compares.

    python benchmarks/machine.py machine.json          (as root on Debian; the first time it fetches 200 MB of packages)

The machine is user-mode Linux: a kernel that runs as an ordinary process, with a disk of its own, on which Debian boots
with systemd and Podman. It is stopped at the end, unless it ran before.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

ENGINES = Path(__file__).resolve().parent.parent / "engines" / "engines.sh"
NAME = "vmpodman"


def answers(path: Path) -> bool:
    """Return whether an engine answers behind a socket."""
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            sock.connect(str(path))
            sock.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in sock.recv(64)
    except OSError:
        return False


def kernels() -> list[int]:
    """Return the processes of user-mode Linux: the kernel, and those that run the machine's programs."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            program = os.readlink(folder / "exe")
        except OSError:
            continue
        if program.split(" ")[0].endswith("/linux.uml") or "uml-userspace" in program:
            found.append(int(folder.name))
    return sorted(found)


def pss(pid: int) -> int:
    """Return the bytes of memory that a process takes, its part of what it shares."""
    try:
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:  # it has ended
        return 0
    return int(found[1]) * 1024 if found else 0


def boot(state: Path) -> float:
    """Boot the machine; return the seconds from the start of its kernel to the first answer of its engine."""
    with subprocess.Popen([ENGINES, "up", NAME], stdout=sys.stderr) as up:
        began: float | None = None
        took = 0.0
        while up.poll() is None:
            if began is None and kernels():
                began = time.monotonic()
            if began and not took and answers(state / "e" / "vm" / "run" / f"{NAME}.sock"):
                took = time.monotonic() - began
            time.sleep(0.1)
    if up.returncode or not took:
        raise SystemExit("the machine did not boot")
    return took


def main() -> None:
    """Print the figures, and write them into the file that is named."""
    state = Path(os.environ.get("ENGINES_STATE", "/var/lib/containerkit-engines"))
    if kernels():
        raise SystemExit(f"the machine runs already; {ENGINES} down {NAME}")
    busy = os.getloadavg()[0]
    took = boot(state)
    try:
        time.sleep(5)  # its services have started
        disk = (state / "e" / "vm" / "disk.img").stat()
        figures = {
            "measured": time.strftime("%Y-%m-%d"),
            "boot_seconds": round(took, 1),
            "memory_bytes": sum(map(pss, kernels())),
            "disk_bytes": disk.st_blocks * 512,
            "reserved_disk_bytes": disk.st_size,
            "load_before": round(busy, 1),
        }
    finally:
        subprocess.run([ENGINES, "down", NAME], check=True, stdout=sys.stderr)
    text = json.dumps(figures, indent=1)
    print(text)
    for path in sys.argv[1:]:
        Path(path).write_text(text + "\n")


if __name__ == "__main__":
    main()
