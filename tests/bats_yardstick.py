"""Run Podman's own system tests with containerkit as `podman`, and report the share that passes.

python -m tests.bats_yardstick ENGINE SUITE [--own] [--rows FILE] [FILE...]

SUITE is the folder test/system of Podman's repository, at the tag of the engine's version; it is copied, not changed.
ENGINE is a Podman of engines/engines.sh. What a test prepares and cleans up is done by the engine's own podman, which
also runs everything with --own. The tests' image is made of lab/busybox:1. Objects that were there before stay.
"""
# ruff: noqa: T201

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENGINES = ROOT / "engines" / "engines.sh"
FILES = (
    "030-run",
    "075-exec",
    "035-logs",
    "065-cp",
    "040-ps",
    "010-images",
    "070-build",
    "500-networking",
    "160-volumes",
)
_IMAGE = """\
FROM lab/busybox:1
COPY testimage-id pause /home/podman/
LABEL created_by=test/system/build-testimage created_at=2022-06-15T00:00:00Z
WORKDIR /home/podman
CMD ["/bin/echo", "This container is intended for podman CI testing"]
"""
_PAUSE = "#!/bin/sh\necho Confirmed: testimage pause invoked as $0\nwhile :; do sleep 0.1; done\n"
#: Shell that replaces the suite's preparation of each test: only what is new is removed.
_HELPERS = """
_objects() {
    $OWN_SHELL 'podman ps -aq --no-trunc; podman images -aq --no-trunc
        podman volume ls -q; podman network ls -q' | sort
}
basic_setup() {
    PODMAN_TMPDIR=$(mktemp -d --tmpdir=${BATS_TMPDIR:-/tmp} podman_bats.XXXXXX); chmod 777 $PODMAN_TMPDIR
    _objects >$PODMAN_TMPDIR.before
    MOST_RECENT_PODMAN_COMMAND=
}
basic_teardown() {
    local new=$(_objects | comm -13 $PODMAN_TMPDIR.before - | tr '\\n' ' ')
    $OWN_SHELL "for kind in container pod image volume network; do
        [ -z '$new' ] || podman \\$kind rm -f $new; done
        podman image exists $IMAGE || podman tag $YARDSTICK_IMAGE $IMAGE" >/dev/null 2>&1 || true
    command rm -rf $PODMAN_TMPDIR $PODMAN_TMPDIR.before
}
is_rootless() { [ $YARDSTICK_ROOTLESS = true ]; }
"""
_TAP = re.compile(r"^(not )?ok \d+ (.*?)(?: in \d+\w*)?(?: # skip ?\(?(.*?)\)?)?$")


@dataclass(frozen=True)
class Result:
    """One test: passed, failed or skipped, and the first line that says why."""

    file: str
    name: str
    word: str
    reason: str = ""


class Suite:
    """A copy of the suite, prepared for one engine."""

    def __init__(self, engine: str, suite: Path, folder: Path, *, own: bool) -> None:
        self.engine = engine
        self.folder = folder / "system"
        shutil.copytree(suite, self.folder, symlinks=True)
        with (self.folder / "helpers.bash").open("a") as file:
            file.write(_HELPERS)
        self.url = json.loads(subprocess.check_output([ENGINES, "json", engine]))[0]["url"]
        self.podman = self._script("own-podman", f'exec {ENGINES} in {engine} -- podman "$@"')
        env = f"PYTHONPATH={ROOT} CONTAINERKIT_ENGINE={self.url}"
        ours = self._script("containerkit", f'exec env {env} {sys.executable} -m containerkit "$@"')
        self.program = self.podman if own else ours
        helpers = (self.folder / "helpers.bash").read_text()
        tag = re.search(r"IMAGE_TAG:-\"(\d+)\"", helpers)
        assert tag, "helpers.bash names no test image"
        self.image = f"quay.io/libpod/testimage:{tag[1]}"
        self._make_image(tag[1])
        self.rootless = self._call(self.podman, "info", "--format", "{{.Host.Security.Rootless}}").strip()

    def _script(self, name: str, line: str) -> Path:
        path = self.folder.parent / name
        path.write_text(f"#!/bin/bash\n{line}\n")
        path.chmod(0o755)
        return path

    def _make_image(self, number: str) -> None:
        with tempfile.TemporaryDirectory(dir=self.folder.parent) as context:
            Path(context).chmod(0o755)
            (Path(context) / "Containerfile").write_text(_IMAGE)
            (Path(context) / "testimage-id").write_text(f"{number}\n")
            (Path(context) / "pause").write_text(_PAUSE)
            (Path(context) / "pause").chmod(0o755)
            self._call(self.podman, "build", "-q", "-t", self.image, context)

    @staticmethod
    def _call(*words: object) -> str:
        return subprocess.check_output([str(word) for word in words], text=True)

    def run(self, file: str, *, timeout: float) -> list[Result]:
        """Run one file."""
        env = {
            "PODMAN": str(self.program), "OWN_SHELL": f"{ENGINES} in {self.engine} -- sh -c",
            "YARDSTICK_ROOTLESS": self.rootless,
            "YARDSTICK_IMAGE": self._call(self.podman, "image", "inspect", "-f", "{{.Id}}", self.image).strip(),
            "PODMAN_TIMEOUT": "60", "TMPDIR": "/tmp",
        }  # fmt: skip
        words = [ENGINES, "exec", self.engine, "--", "timeout", str(timeout), "bats", "--tap", f"{file}.bats"]
        done = subprocess.run(
            [str(word) for word in words], cwd=self.folder, env={**os.environ, **env}, capture_output=True, text=True,
            errors="replace", check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return list(read_tap(file, done.stdout))


def read_tap(file: str, text: str) -> list[Result]:
    """Return the results in the output of bats."""
    found: list[Result] = []
    for line in text.splitlines():
        match = _TAP.match(line)
        if match:
            word = "failed" if match[1] else "skipped" if match[3] is not None else "passed"
            found.append(Result(file, match[2], word, match[3] or ""))
        elif found and found[-1].word == "failed" and line.startswith("#"):
            last = found[-1]
            found[-1] = Result(file, last.name, last.word, f"{last.reason}{line[1:].strip()}\n")
    return found


def why(result: Result) -> str:
    """Return the lines of a failure that say most: the command, its error, what was expected."""
    lines = [line for line in result.reason.splitlines() if re.match(r"[$#] /|containerkit:|#\||\[ rc=|\*", line)]
    return " / ".join(lines[-4:])[-400:]


def report(results: list[Result]) -> str:
    """Return the share that passes of each file, as a table."""
    lines = ["| file | passed | failed | skipped by the suite |", "|---|---|---|---|"]
    for file in dict.fromkeys(result.file for result in results):
        count = Counter(result.word for result in results if result.file == file)
        ran = count["passed"] + count["failed"]
        lines.append(f"| {file} | {count['passed']} of {ran} | {count['failed']} | {count['skipped']} |")
    return "\n".join(lines)


def main() -> int:
    """Run the files, print the failures and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine")
    parser.add_argument("suite", type=Path)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--own", action="store_true", help="run the engine's own podman, to compare")
    parser.add_argument("--rows", type=Path, help="file of earlier results, to which these are added")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds for one file")
    given = parser.parse_args()
    earlier = json.loads(given.rows.read_text()) if given.rows and given.rows.exists() else []
    with tempfile.TemporaryDirectory(prefix="yardstick-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        suite = Suite(given.engine, given.suite, Path(folder), own=given.own)
        for file in given.files or FILES:
            found = suite.run(file, timeout=given.timeout)
            for result in found:
                if result.word == "failed":
                    print(f"{file}: {result.name}\n    {why(result)}", flush=True)
            earlier = [row for row in earlier if row["file"] != file] + [asdict(result) for result in found]
            if given.rows:
                given.rows.write_text(json.dumps(earlier))
    print(report([Result(**row) for row in earlier]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
