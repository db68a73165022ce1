# ruff: noqa: T201
"""Record the options of the docker and podman command lines: their names, as `--help` lists them.

python -m tests.recorded.cli_options NAME... [--check]     NAME is an engine of engines/engines.sh

docs/make_options.py makes a page from the record. With --check nothing is written, and what has changed is printed.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

RECORD = Path(__file__).with_name("cli_options.json")
VERBS = ("run", "create", "exec", "build", "network create", "volume create")
_ENGINES = Path(__file__).parents[2] / "engines" / "engines.sh"
_OPTION = re.compile(r"^ {2,7}(?:-(\w), )?--([\w-]+)", re.MULTILINE)


def read_help(text: str) -> dict[str, str]:
    """Return long option -> its short form, or "", of the output of --help; without --help itself."""
    return {name: short for short, name in sorted(_OPTION.findall(text), key=lambda found: found[1]) if name != "help"}


def ask(engine: str) -> dict[str, dict[str, str]]:
    """Return verb -> options, as the engine's own command line lists them."""
    program = "podman" if engine.startswith("podman") else "docker"
    call = [str(_ENGINES), "in", engine, "--", program]
    return {
        verb: read_help(subprocess.check_output([*call, *verb.split(), "--help"], text=True, stderr=subprocess.STDOUT))
        for verb in VERBS
    }


def main() -> int:
    """Record or check the engines named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engines", nargs="+")
    parser.add_argument("--check", action="store_true", help="compare with the record")
    given = parser.parse_args()
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    changed = False
    for engine in given.engines:
        found = ask(engine)
        changed |= found != record.get(engine)
        for verb, options in found.items():
            before = record.get(engine, {}).get(verb, {})
            for name in sorted(set(options.items()) ^ set(before.items())):
                print(engine, verb, name, "is new" if name in options.items() else "is gone")
        record[engine] = found
    if not given.check:
        RECORD.write_text(json.dumps(record, indent=1) + "\n")
    return int(given.check and changed)


if __name__ == "__main__":
    sys.exit(main())
